"""Sweeps and searches whose driver and workers are killed, whose files are damaged, whose disk is
full: the same command goes on, and the results are those of an unbroken sweep."""

from __future__ import annotations

import importlib.util
import itertools
import json
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import NamedTuple

from fuzz.breaking import DONE, below, check_same, check_whole, send, started, wait, wait_for

__all__ = ["DONE", "LIMIT", "SETTINGS", "trials"]

LIMIT = 1200.0
"""Longest time of a trial [s]: some ten processes that load torch."""

SMALL = (
    "epochs=2", "per_class=60", "studies=[]", 'networks=["mlp"]', "hidden=64",
    'claimed=["float", "falling threshold", "on level change", "large threshold"]',
)  # fmt: skip
SETTINGS = [part for setting in SMALL for part in ("--set", setting)]
SWEEP = ["sweep", "siamese", *SETTINGS, "--grid", "writes.fixed_threshold=0.6,0.7,0.8"]
SEARCH = [
    "search", "siamese", *SETTINGS, "--over", "writes.fixed_threshold=0.5:0.9", "--trials", "3",
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

OF_A_POINT = ("checkpoint.pt", "progress.json", "failures.json", "result.json", "SHA256SUMS",
              "config.toml", "env.json", "metrics.jsonl", ".lock", "job.json")  # fmt: skip
"""Files of a point."""

REPLACED = ("checkpoint.pt", "progress.json", "result.json", "index.sqlite", "job.json")
"""Of these, such as may become folders, which nobody can read."""


class Break(NamedTuple):
    """One way in which a sweep is broken off, or its files damaged."""

    what: str
    when: str
    after: float
    """Of the time that the whole takes [1]: when it is at the latest."""
    number: int
    """Says which of several."""


KILLS = ("kill the driver", "kill a worker", "kill all")
"""All: the driver and all that it started, its own node of Ray among them, as a machine does that
loses power."""

KINDS = (*KILLS, *KILLS, "stop the driver", "fill the disk", "start a second driver",
         "kill one of two drivers", "two machines without locks", "damage a file",
         "damage several files")  # fmt: skip

BREAKS = 3, 6
"""How often a sweep is broken off, at least and at most."""

MOMENTS = ("any time", "in a training", "in a training", "in a checkpoint")


def trials(random: Random, folder: Path) -> Iterator[tuple[str, Callable[[], object]]]:
    """Break a sweep or a search off, several times, then let it end."""
    engines = [name for name, module in NEEDS.items() if importlib.util.find_spec(module)]
    whole = folder / "whole"
    began = time.monotonic()
    assert _start(SWEEP, whole, "local").wait() == 0, "the unbroken sweep"
    took = time.monotonic() - began
    for number in itertools.count():
        command = SEARCH if number % 4 == 3 else SWEEP
        engine = engines[number % len(engines)]
        breaks = [
            Break(random.choice(KINDS), random.choice(MOMENTS), random.uniform(0.2, 0.9),
                  random.randrange(10**6))
            for _ in range(random.randint(*BREAKS))
        ]  # fmt: skip
        words = ", ".join(f"{each.what} {each.when}, {each.after * took:.1f} s" for each in breaks)
        path = folder / f"sweep{number}"
        yield (
            f"{command[0]} with {engine}: {words}",
            lambda c=command, p=path, e=engine, b=breaks: _broken(c, p, e, b, whole, took),
        )
        shutil.rmtree(path, ignore_errors=True)


def _broken(
    command: list[str], path: Path, engine: str, breaks: list[Break], whole: Path, took: float
) -> None:
    for each in breaks:
        most = 1000 + each.number % 60_000 if each.what == "fill the disk" else 0
        apart = "machines" in each.what
        driver = second = _start(command, path, engine, most, "first" * apart)
        if apart:
            second = _start(command, path, engine, machine="second")
        _wait_until(each, path, driver, took)
        kind = f"{command[0]}, {engine}: {each.what}"
        if each.what == "kill a worker":
            send(_chosen(path, each), signal.SIGKILL, kind)
            if not each.number % 2:
                driver.wait()
        elif each.what == "kill all":
            send([driver.pid, *below(driver.pid)], signal.SIGKILL, kind)
        elif "second" in each.what or "two" in each.what:
            if not apart:
                second = _start(command, path, engine)
                wait(second, took * 0.3)
            one, other = (driver, second) if each.number % 2 else (second, driver)
            gently = each.what == "start a second driver"
            send([one.pid], signal.SIGTERM if gently else signal.SIGKILL, kind)
            one.wait()
            if each.number % 4 < 2:
                other.wait()
            driver = other
        else:
            running = driver.poll() is None
            how = signal.SIGTERM if each.what == "stop the driver" else signal.SIGKILL
            if most:
                driver.wait()
                DONE[kind] += 1
            elif each.what.startswith("damage"):
                driver.kill()
                driver.wait()
                damaged = [
                    _damage(path, each.number + k) for k in range(1 + 3 * ("several" in kind))
                ]
                DONE[kind] += any(damaged)
            elif running:
                send([driver.pid], how, kind)
        driver.send_signal(signal.SIGTERM)
        driver.wait()
    status = _start(command, path, engine).wait()
    assert status == 0, f"the same command ends with {status}"
    for point in sorted((path / "points").iterdir()):
        if command is SWEEP:
            check_same(point, whole / "points" / point.name)
        else:
            check_whole(point)
    if command is SWEEP:
        assert len(list((path / "points").iterdir())) == len(list((whole / "points").iterdir()))


def _wait_until(each: Break, path: Path, driver: subprocess.Popen[bytes], took: float) -> None:
    """Let a sweep run until it is to be broken off."""
    seconds = each.after * took
    if each.when == "in a training":
        wait_for(lambda: any(b.get("trains") for b in _beats(path).values()), driver, seconds)
        wait(driver, each.number % 1000 / 500)
    elif each.when == "in a checkpoint":
        written = "*/*/.checkpoint.pt.*.tmp"
        wait(driver, seconds / 2)
        wait_for(lambda: next(path.glob(written), None), driver, seconds / 2)
    else:
        wait(driver, seconds)


def _chosen(path: Path, each: Break) -> list[int]:
    """The worker whose checkpoint is being written, or any."""
    beats = _beats(path)
    writing = [beats[p.parent] for p in path.glob("*/*/.checkpoint.pt.*.tmp") if p.parent in beats]
    pids = [int(beat["pid"]) for beat in writing or beats.values()]
    return pids[each.number % len(pids) :][:1] if pids else []


def _beats(path: Path) -> dict[Path, dict]:
    """Signs of life by the folder of the point."""
    found = {}
    for file in sorted(path.glob("points/*/progress.json")):
        with suppress(OSError, ValueError):
            found[file.parent] = json.loads(file.read_text())
    return found


def _damage(path: Path, number: int) -> bool:
    """Change a byte of, cut, empty or put a folder in the place of one file that a sweep reads."""
    files = [path / name for name in DERIVED if (path / name).exists()]
    for name in OF_A_POINT:
        files += path.glob(f"points/*/{name}")
    files += [each for each in path.glob("trained/*/*") if each.is_file()]
    files = [each for each in files if each.is_file()]
    if not files:
        return False
    file = sorted(files)[number % len(files)]
    content = bytearray(file.read_bytes())
    how = number // 7 % 4
    if how == 3 and file.name in REPLACED:
        file.unlink()
        file.mkdir()
        return True
    if how == 2 or not content:
        content.clear()
    elif how == 1:
        del content[len(content) // 2 :]
    else:
        content[number % len(content)] ^= 0x55
    file.write_bytes(content)
    return True


def _start(
    command: list[str], path: Path, engine: str, most: int = 0, machine: str = ""
) -> subprocess.Popen[bytes]:
    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    words = ["-m", "mho", *command, *ENGINES[engine], "--out", str(path)]
    elsewhere = path.with_name("without locks")
    how = {"machine": machine, "elsewhere": elsewhere} if machine else {}
    return started(words, preexec_fn=limited if most else None, **how)
