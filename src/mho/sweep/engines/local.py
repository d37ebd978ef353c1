"""Plain processes on this machine."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated

import torch

from mho.config import Config, Range
from mho.sweep.engines.engine import Ended
from mho.sweep.folder import PointFolder
from mho.sweep.process import PATIENCE, POLL, Worker


class LocalSettings(Config):
    """Settings of the engine."""

    processes: Annotated[int, Range(least=1, most=4096)] | None = None
    """Points at once [1]; None: one a core that this process may use, or one a CUDA device."""
    threads: Annotated[int, Range(least=1, most=256)] = 1
    """Threads of torch of each [1]."""


@dataclass
class _Running:
    folder: PointFolder
    worker: Worker
    slot: int


class Local:
    """An engine of plain processes: one that dies takes its own point along, and no other.

    A worker whose starter is gone stops with a checkpoint.
    """

    def __init__(self, settings: LocalSettings | None = None) -> None:
        self.settings = settings or LocalSettings()
        self._devices = torch.cuda.device_count()
        self._most = self.settings.processes or self._devices or _cores()
        self._running: list[_Running] = []

    @property
    def here(self) -> bool:
        """Yes."""
        return True

    def room(self) -> int:
        """Processes that may still be started."""
        return self._most - len(self._running)

    def found(self, folder: PointFolder) -> bool:
        """Never: processes stop with the driver that started them."""
        return False

    def start(self, folder: PointFolder) -> None:
        """Start the process of a point; CUDA devices are given out in turn."""
        slot = min(set(range(self._most)) - {each.slot for each in self._running})
        own = {}
        if self._devices:
            seen = os.environ.get("CUDA_VISIBLE_DEVICES")
            names = seen.split(",") if seen else [str(n) for n in range(self._devices)]
            own["CUDA_VISIBLE_DEVICES"] = names[slot % len(names)]
        worker = Worker(folder.path, self.settings.threads, own, "local")
        self._running.append(_Running(folder, worker, slot))

    def ended(self, wait: float) -> list[Ended]:
        """Points whose process has ended since the last call."""
        until = time.monotonic() + wait
        while True:
            gone = [each for each in self._running if each.worker.ended]
            if gone or not self._running or time.monotonic() >= until:
                return [self._end(each) for each in gone]
            time.sleep(POLL)

    def stop(self) -> list[Ended]:
        """Ask all to stop, wait for them, and kill what does not within minutes."""
        for each in self._running:
            each.worker.ask_to_stop()
        until, ended = time.monotonic() + PATIENCE, []
        for each in list(self._running):
            each.worker.await_end(until - time.monotonic())
            ended.append(self._end(each))
        return ended

    def _end(self, each: _Running) -> Ended:
        self._running.remove(each)
        return Ended(each.folder, *each.worker.outcome())


def _cores() -> int:
    with suppress(AttributeError):  # not on every system
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
