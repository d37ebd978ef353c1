"""Runs of two processes under torchrun, which are killed or stopped at random moments: torchrun, or
the same command, starts them again, and the result is that of an unbroken run."""

from __future__ import annotations

import itertools
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from fuzz.breaking import DONE, below, check_same, send, started, wait
from fuzz.sweeps import SETTINGS

__all__ = ["DONE", "LIMIT", "trials"]

LIMIT = 900.0
"""Longest time of a trial [s]: some ten processes that load torch."""

KINDS = ("kill process 0", "kill process 1", "kill torchrun", "stop torchrun", "stop the processes",
         "stop all", "kill all")  # fmt: skip


def trials(random: Random, folder: Path) -> Iterator[tuple[str, Callable[[], object]]]:
    """Break a run off one to three times, then let it end."""
    whole = folder / "whole"
    began = time.monotonic()
    assert _start(whole).wait() == 0, "the unbroken run"
    took = time.monotonic() - began
    for number in itertools.count():
        breaks = [
            (random.choice(KINDS), random.uniform(0.2, 0.9) * took)
            for _ in range(random.randint(1, 3))
        ]
        run = folder / f"run{number}"
        words = ", ".join(f"{kind} after {after:.1f} s" for kind, after in breaks)
        yield words, lambda run=run, breaks=breaks: _break(run, breaks, whole)
        shutil.rmtree(run, ignore_errors=True)


def _break(run: Path, breaks: list[tuple[str, float]], whole: Path) -> None:
    torchrun = _start(run)
    for kind, after in breaks:
        if not wait(torchrun, after):
            torchrun = _start(run)
            continue
        how = signal.SIGKILL if kind.startswith("kill") else signal.SIGTERM
        both = below(torchrun.pid)[:2]
        whom = {
            "process 0": both[:1], "process 1": both[1:], "torchrun": [torchrun.pid],
            "the processes": both, "all": [torchrun.pid, *both],
        }  # fmt: skip
        send(whom[kind.partition(" ")[2]], how, f"torchrun: {kind}")
        if torchrun.pid in whom[kind.partition(" ")[2]]:
            torchrun.wait()
            torchrun = _start(run)
    status = torchrun.wait()
    for _ in range(2):  # processes of a torchrun that was killed may still be at it
        status = status and _start(run).wait()
    assert status == 0, f"the same command ends with {status}"
    check_same(run, whole)


def _start(run: Path) -> subprocess.Popen[bytes]:
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
                "--max-restarts", "4"]  # fmt: skip
    return started([*torchrun, "-m", "mho", "run", "siamese", *SETTINGS, "--out", str(run),
                    "--resume"])  # fmt: skip
