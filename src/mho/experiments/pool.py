"""Several runs of one configuration, other seeds, as one result."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mho.errors import invalid
from mho.experiments.earlier import current
from mho.files import read_toml
from mho.results import Result, load, pooled

MORE = ("schemes", "studies", "resistances", "tiles", "refreshes")
"""Settings of what a run does beside its claims: the first runs may do more than the others."""
NO_NUMBER = ("seed", "threads", "processor")
"""Settings that may differ."""


def pool(folders: Sequence[Path]) -> Result:
    """Pool finished runs into one result, see `mho.results.pooled`.

    Runs may differ in the schemes and studies that they do beside their claims, none doing more
    than the first.

    Raises:
        ValueError: fewer than two runs, one that is not finished, one of another configuration, or
            the same seed twice; the message names the folder.
    """
    if len(folders) < 2:
        raise invalid("runs", [str(f) for f in folders], "at least two run folders")
    results = [load(Result, folder / "result.json") for folder in folders]
    configs = [_config(folder) for folder in folders]
    for folder, config in zip(folders, configs, strict=True):
        differing = _differing(config, configs[0], (*MORE, *NO_NUMBER))
        if differing:
            same = f"the configuration of {folders[0]} but for the seed; {differing} differ"
            raise invalid("run", str(folder), same)
        for name in MORE:
            most = configs[0].get(name, config.get(name))
            if beyond := [v for v in config.get(name, ()) if v not in most]:
                allowed = f"among those of the first run, {folders[0]}"
                raise invalid(f"{name} of {folder}", beyond, allowed)
    seeds = [r.seed for r in results]
    if len(set(seeds)) < len(seeds):
        raise invalid("seeds", seeds, "each seed once")
    did_as_much = [not _differing(config, configs[0], NO_NUMBER) for config in configs]
    return pooled(results, [r for r, same in zip(results, did_as_much, strict=True) if same])


def _config(folder: Path) -> dict[str, Any]:
    """The settings of a run of this version or an earlier one."""
    given = read_toml(folder / "config.toml")
    return current(given, given.get("family", ""))


def _differing(config: dict[str, Any], first: dict[str, Any], but: Sequence[str]) -> list[str]:
    """Settings of two configurations that are not the same."""
    names = sorted((config.keys() | first.keys()) - set(but))
    return [name for name in names if config.get(name) != first.get(name)]
