"""How processes are broken off: found, waited for and killed, and which kinds were."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from mho.files import check_sums

LOOK_EVERY = 0.002
"""Seconds between two looks for a moment that is short."""

DONE: Counter[str] = Counter()
"""Breaks that met something, by kind."""


WITHOUT_LOCKS = """
import fcntl, os, socket
fcntl.flock = lambda *_: None
socket.gethostname = lambda: os.environ["MACHINE"]
"""
"""As on a machine with a file system whose locks do not reach other machines."""


def started(
    words: Iterable[str], *, machine: str = "", elsewhere: Path | None = None, **how: object
) -> subprocess.Popen[bytes]:
    """A command of Python, silent, with one thread.

    Args:
        words: after `python`.
        machine: name of the one that it takes itself to be on, where locks of the system are not
            those of other machines; "": this one.
        elsewhere: folder for what makes it so.
        how: further arguments of `Popen`.
    """
    own = {**os.environ, "OMP_NUM_THREADS": "1"}
    if machine:
        assert elsewhere is not None
        elsewhere.mkdir(exist_ok=True)
        (elsewhere / "sitecustomize.py").write_text(WITHOUT_LOCKS)
        path = os.pathsep.join([str(elsewhere), os.environ.get("PYTHONPATH", "")])
        own |= {"MACHINE": machine, "PYTHONPATH": path}
    return subprocess.Popen(
        [sys.executable, *words],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=own, **how,  # type: ignore[call-overload]
    )  # fmt: skip


def wait(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait for the end of a process, so long at most; returns whether it still runs."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    return process.poll() is None


def wait_for(
    moment: Callable[[], object], process: subprocess.Popen[bytes], seconds: float
) -> bool:
    """Wait for a moment in which a process is, so long at most; returns whether it came."""
    until = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < until:
        if moment():
            return True
        time.sleep(LOOK_EVERY)
    return False


def below(pid: int) -> list[int]:
    """All processes that a process has started, and these."""
    of: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            rest = stat.read_text().rpartition(")")[2].split()
            of.setdefault(int(rest[1]), []).append(int(stat.parent.name))
    found = [pid]
    for each in found:
        found += of.get(each, [])
    return found[1:]


def send(pids: Iterable[int], what: signal.Signals, kind: str) -> None:
    """Send a signal to processes, and count it as one break if it reaches any."""
    reached = False
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, what)
            reached = True
    DONE[kind] += reached


def check_same(run: Path, whole: Path) -> None:
    """Hold the folder of a run against that of an unbroken one."""
    check_whole(run)
    kept = [json.loads((each / "result.json").read_text()) | {"wall_s": 0} for each in (run, whole)]
    assert kept[0] == kept[1], f"{run.name}: result.json is not that of an unbroken run"
    lines = [(each / "metrics.jsonl").read_text() for each in (run, whole)]
    assert lines[0] == lines[1], f"{run.name}: metrics.jsonl is not that of an unbroken run"


def check_whole(run: Path) -> None:
    """Files of a run are whole, and nothing is left of those that were broken off."""
    check_sums(run, "result.json", "config.toml", "metrics.jsonl")
    if left := [each.name for each in run.glob(".*.tmp")]:
        raise AssertionError(f"left over: {left}")
