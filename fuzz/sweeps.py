"""Sweeps and searches whose driver and workers are killed, whose files are damaged, whose disk is
full: the same command goes on, and the results are those of an unbroken sweep."""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import NamedTuple

from mho.files import check_sums

LIMIT = 1200.0
"""Longest time of a trial [s]: some ten processes that load torch."""

SMALL = (
    "epochs=2", "per_class=60", "studies=[]", 'networks=["mlp"]', "hidden=64",
    'claimed=["float", "frugal", "level change", "sparse"]',
)  # fmt: skip
SETTINGS = [part for setting in SMALL for part in ("--set", setting)]
SWEEP = ["sweep", "siamese", *SETTINGS, "--grid", "writes.hysteresis=0.6,0.8"]
SEARCH = [
    "search", "siamese", *SETTINGS, "--over", "writes.hysteresis=0.5:0.9", "--trials", "3",
    "--objective", "mlp_accuracy:max",
]  # fmt: skip

ENGINES = {
    "local": ["--engine-set", "processes=2"],
    "ray": ["--engine", "ray"],
    "slurm": ["--engine", "slurm", "--engine-set", "executor=local"],
}
NEEDS = {"local": "mho", "ray": "ray", "slurm": "submitit"}
"""What an engine imports."""

DERIVED = ("index.sqlite", "table.csv", "report.html")
"""Files of a sweep that are made from its points."""


class Break(NamedTuple):
    """One way in which a sweep is broken off."""

    what: str
    after: float
    """Of the time that the whole takes [1]."""
    number: int


def trials(random: Random, folder: Path) -> Iterator[tuple[str, Callable[[], object]]]:
    """Break a sweep or a search off, several times, then let it end."""
    engines = [name for name, module in NEEDS.items() if importlib.util.find_spec(module)]
    whole = folder / "whole"
    began = time.monotonic()
    assert _start(SWEEP, whole, "local").wait() == 0, "the unbroken sweep"
    took = time.monotonic() - began
    kinds = ("kill the driver", "kill a worker", "stop the driver", "fill the disk",
             "damage a file", "start a second driver")  # fmt: skip
    for number in itertools.count():
        command = SEARCH if number % 4 == 3 else SWEEP
        engine = engines[number % len(engines)]
        breaks = [
            Break(random.choice(kinds), random.uniform(0.1, 0.8), random.randrange(10**6))
            for _ in range(random.randint(1, 4))
        ]
        words = ", ".join(f"{each.what} after {each.after * took:.1f} s" for each in breaks)
        path = folder / f"sweep{number}"
        yield (
            f"{command[0]} with {engine}: {words}",
            lambda c=command, p=path, e=engine, b=breaks: _break(c, p, e, b, whole, took),
        )
        shutil.rmtree(path, ignore_errors=True)


def _break(
    command: list[str], path: Path, engine: str, breaks: list[Break], whole: Path, took: float
) -> None:
    for each in breaks:
        most = 1000 + each.number % 60_000 if each.what == "fill the disk" else 0
        driver = _start(command, path, engine, most)
        second = None
        with suppress(subprocess.TimeoutExpired):
            driver.wait(each.after * took)
        if each.what == "kill the driver":
            driver.kill()
        elif each.what == "kill a worker":
            if workers := _workers(path):
                with suppress(ProcessLookupError):
                    os.kill(workers[each.number % len(workers)], signal.SIGKILL)
        elif each.what == "start a second driver":
            second = _start(command, path, engine)
        elif each.what == "damage a file":
            driver.kill()
            driver.wait()
            _damage(path, each.number)
        if each.what != "kill a worker" or each.number % 2:
            driver.send_signal(signal.SIGTERM)
        for process in (driver, second):
            if process is not None:
                process.wait()
    status = _start(command, path, engine).wait()
    assert status == 0, f"the same command ends with {status}"
    _compare(path, whole, command)


def _compare(path: Path, whole: Path, command: list[str]) -> None:
    points = sorted((path / "points").iterdir())
    if command is SWEEP:
        names = [each.name for each in points]
        assert names == [each.name for each in sorted((whole / "points").iterdir())], names
    for point in points:
        check_sums(point, "result.json", "config.toml", "metrics.jsonl")
        if left := [each.name for each in point.glob(".*.tmp")]:
            raise AssertionError(f"left over: {left}")
        if command is SWEEP:
            kept = [
                json.loads((each / point.name / "result.json").read_text()) | {"wall_s": 0}
                for each in (path / "points", whole / "points")
            ]
            assert kept[0] == kept[1], f"{point.name} is not as of an unbroken sweep"


def _damage(path: Path, number: int) -> None:
    """Change a byte of, or cut, one file that a resumed sweep reads."""
    files = [path / name for name in DERIVED if (path / name).exists()]
    for point in path.glob("points/*"):
        if not (point / "result.json").exists():
            names = ("checkpoint.pt", "progress.json", "failures.json")
            files += [point / name for name in names if (point / name).exists()]
    files += [each for each in path.glob("trained/*/*") if each.is_file()]
    if files:
        file = sorted(files)[number % len(files)]
        content = bytearray(file.read_bytes())
        if number % 3 and content:
            content[number % len(content)] ^= 0x55
        else:
            del content[len(content) // 2 :]
        file.write_bytes(content)


def _workers(path: Path) -> list[int]:
    found = []
    for file in path.glob("points/*/progress.json"):
        with suppress(OSError, ValueError, KeyError):
            found.append(int(json.loads(file.read_text())["pid"]))
    return sorted(found)


def _start(command: list[str], path: Path, engine: str, most: int = 0) -> subprocess.Popen[bytes]:
    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    return subprocess.Popen(
        [sys.executable, "-m", "mho", *command, *ENGINES[engine], "--out", str(path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        preexec_fn=limited if most else None,
    )
