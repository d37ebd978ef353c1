"""A point of a sweep: the settings of one run, and the name that these give it."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from mho import experiments
from mho.errors import unknown
from mho.experiments.earlier import as_before, by_names_of_today, current
from mho.experiments.experiment import ExperimentConfig
from mho.files import flat, parse_toml

WHERE = ("processor", "threads")
"""Settings of where a run is computed, which are no part of a point."""

DIGITS = 12
"""Of the hash that names a point."""


@dataclass(frozen=True)
class Point:
    """The settings of one run.

    Args:
        experiment: its name.
        config: its settings.
    """

    experiment: str
    config: ExperimentConfig

    @classmethod
    def of_toml(cls, text: str, where: str) -> Point:
        """A point from the `config.toml` of a run.

        Args:
            text: its content.
            where: the file, for errors.

        Raises:
            ValueError: it is no configuration of an experiment.
        """
        settings = parse_toml(text, where)
        name = settings.get("family")
        if name not in experiments.EXPERIMENTS:
            raise unknown(f"family in {where}", name, experiments.EXPERIMENTS)
        record = type(experiments.get(name).preset("quick"))
        return cls(name, record.from_dict(current(settings, name)))

    @cached_property
    def id(self) -> str:
        """First digits of the SHA-256 of all settings, but those of where it is computed."""
        return id_of(self.experiment, self.settings)

    @property
    def id_before(self) -> str:
        """The name that the version before gave it."""
        settings = flat(as_before(self.config.to_dict(), self.experiment))
        return id_of(self.experiment, {k: v for k, v in settings.items() if k not in WHERE})

    @cached_property
    def settings(self) -> dict[str, Any]:
        """All settings by dotted key, but those of where it is computed."""
        return {k: v for k, v in flat(self.config.to_dict()).items() if k not in WHERE}


def id_of(experiment: str, settings: Mapping[str, Any]) -> str:
    """The name that settings by dotted key give a point."""
    named = {"experiment": experiment, **settings}
    text = json.dumps(named, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


def settings_of(text: str, where: str, id: str) -> dict[str, Any]:
    """All settings in the `config.toml` of a point, as `Point.settings`, in a tenth of the time.

    Settings that give the point its name are those that were checked when it was made. They are
    checked again if they give another name, as in a folder of an earlier version or a changed file,
    and once for each choice of settings that are there.

    Args:
        text: content of the file.
        where: the file, for errors.
        id: name of the point.

    Raises:
        ValueError: as `Point.of_toml`.
    """
    found: dict[str, Any] = {}
    try:
        for part in re.split(r"\n(?=\[)", text):  # a table each, most of which many points have
            found |= _table(part)
        known = {key: value for key, value in found.items() if key not in WHERE}
        named = id_of(found.get("family", ""), known) == id
    except (ValueError, TypeError, RecursionError):
        known, named = {}, False
    keys = frozenset(known)
    if named and keys in _OF_TODAY:
        return known
    settings = Point.of_toml(text, where).settings
    if named and settings == known:
        _OF_TODAY.add(keys)
        return known  # in the order of the file, as of all others
    return settings


_OF_TODAY: set[frozenset[str]] = set()
"""Names of settings that some point had, and which are those of this version."""


@lru_cache(4096)
def _table(text: str) -> dict[str, Any]:
    found = tomllib.loads(text)
    return flat(by_names_of_today(found, found.get("family", "")))


def varied(points: Iterable[Point]) -> list[str]:
    """Settings that are not the same at all points, the seed last."""
    found: dict[str, set[str]] = {}
    every = list(points)
    for key in {key: None for point in every for key in point.settings}:
        found[key] = {json.dumps(point.settings.get(key)) for point in every}
    keys = [key for key, values in found.items() if len(values) > 1]
    return sorted(keys, key=lambda key: key == "seed")
