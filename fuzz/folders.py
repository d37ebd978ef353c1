"""Folders of finished runs: reports and pools of what is damaged or wrong in them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from builders.three_runs import result
from fuzz.mutations import bytes_changed, value_changed
from mho import report
from mho.cli import main
from mho.files.sums import SUMS
from mho.results import dumps

FILES = ("result.json", "env.json", "config.toml")


def trials(random: Random, folder: Path) -> Iterator[tuple[str, Callable[[], object]]]:
    """Make the page of a folder, or pool two, one of which was changed."""
    runs = [_made(folder / f"run{seed}", seed) for seed in (0, 1)]
    while True:
        run, name = random.choice(runs), random.choice(FILES)
        before = (run / name).read_bytes()
        if name.endswith("json") and random.random() < 0.7:
            words, value = value_changed(random, json.loads(before))
            content = json.dumps(value).encode("utf-8", "surrogatepass")
        else:
            words, content = bytes_changed(random, before)
        (run / name).write_bytes(content)
        verb = random.choice(("report", "pool"))
        yield f"{verb}: {name} of {run.name}: {words}", lambda v=verb, r=run: _ask(v, r, runs)
        (run / name).write_bytes(before)


def _ask(verb: str, run: Path, runs: list[Path]) -> None:
    if verb == "report":
        report.write(run)
        return
    out = run.parent / "pooled"
    shutil.rmtree(out, ignore_errors=True)
    status = main(["pool", *map(str, runs), "--out", str(out)])
    if status and out.exists():
        raise AssertionError("a refused pool left a folder")
    if not status and not (out / SUMS).exists():
        raise AssertionError("a pool is not whole")


def _made(folder: Path, seed: int) -> Path:
    folder.mkdir()
    (folder / "result.json").write_text(dumps(result(seed)))
    versions = {"mho": "0", "torch": "2"}
    env = {"command": "x", "commit": None, "seed": seed, "versions": versions, "threads": 1}
    (folder / "env.json").write_text(json.dumps(env))
    (folder / "config.toml").write_text(f"seed = {seed}\nrate = 0.1\n")
    return folder
