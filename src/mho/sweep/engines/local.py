"""Plain processes on this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Annotated

import torch

from mho.config import Config, Range
from mho.sweep.engines.engine import Ended
from mho.sweep.folder import PointFolder

SAID = 4000
"""Characters of a worker's last words that are kept."""

PATIENCE = 120.0
"""Seconds that a worker has to stop with a checkpoint before it is killed."""

POLL = 0.05
"""Seconds between two looks at the processes."""


class LocalSettings(Config):
    """Settings of the engine."""

    processes: Annotated[int, Range(least=1, most=4096)] | None = None
    """Points at once [1]; None: one a core that this process may use, or one a CUDA device."""
    threads: Annotated[int, Range(least=1, most=256)] = 1
    """Threads of torch of each [1]."""


@dataclass
class _Worker:
    folder: PointFolder
    process: subprocess.Popen[bytes]
    said: IO[bytes]
    slot: int


class Local:
    """An engine of plain processes: one that dies takes its own point along, and no other.

    A worker whose starter is gone stops with a checkpoint: it reads its standard input, which ends
    with that process, in whatever way.
    """

    def __init__(self, settings: LocalSettings | None = None) -> None:
        self.settings = settings or LocalSettings()
        self._devices = torch.cuda.device_count()
        self._most = self.settings.processes or self._devices or _cores()
        self._workers: list[_Worker] = []

    def room(self) -> int:
        """Processes that may still be started."""
        return self._most - len(self._workers)

    def start(self, folder: PointFolder) -> None:
        """Start the process of a point; CUDA devices are given out in turn."""
        slot = min(set(range(self._most)) - {worker.slot for worker in self._workers})
        threads = str(self.settings.threads)
        own = {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads, "NUMBA_NUM_THREADS": threads}
        if self._devices:
            seen = os.environ.get("CUDA_VISIBLE_DEVICES")
            names = seen.split(",") if seen else [str(n) for n in range(self._devices)]
            own["CUDA_VISIBLE_DEVICES"] = names[slot % len(names)]
        said = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process
        process = subprocess.Popen(
            command(folder, self.settings.threads), stdin=subprocess.PIPE, stdout=said, stderr=said,
            env=os.environ | own, start_new_session=True,
        )  # fmt: skip
        self._workers.append(_Worker(folder, process, said, slot))

    def ended(self, wait: float) -> list[Ended]:
        """Points whose process has ended since the last call."""
        until = time.monotonic() + wait
        while True:
            gone = [worker for worker in self._workers if worker.process.poll() is not None]
            if gone or not self._workers or time.monotonic() >= until:
                return [self._end(worker) for worker in gone]
            time.sleep(POLL)

    def stop(self) -> list[Ended]:
        """Ask all to stop, wait for them, and kill what does not within minutes."""
        for worker in self._workers:
            with suppress(ProcessLookupError):
                worker.process.send_signal(signal.SIGTERM)
        until, ended = time.monotonic() + PATIENCE, []
        while self._workers and time.monotonic() < until:
            ended += self.ended(1.0)
        for worker in list(self._workers):
            worker.process.kill()
            worker.process.wait()
            ended.append(self._end(worker))
        return ended

    def _end(self, worker: _Worker) -> Ended:
        self._workers.remove(worker)
        assert worker.process.stdin is not None
        worker.process.stdin.close()
        with worker.said as said:
            said.seek(0, os.SEEK_END)
            said.seek(max(0, said.tell() - SAID))
            text = said.read().decode("utf-8", "replace").strip()
        return Ended(worker.folder, worker.process.returncode, text)


def command(folder: PointFolder, threads: int) -> list[str]:
    """The command line of the worker of a point."""
    module = "mho.sweep.worker"
    return [sys.executable, "-m", module, str(folder.path), "--threads", str(threads)]


def _cores() -> int:
    with suppress(AttributeError):  # not on every system
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
