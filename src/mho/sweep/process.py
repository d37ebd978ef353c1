"""The worker of a point as a process of whoever waits for it: an engine, or a job that it queued.

Jobs on other machines import this file alone: it loads nothing that takes time.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from mho.waiting import ASLEEP

DONE, STORAGE, FAILED, TAKEN, INTERRUPTED = 0, 1, 2, 3, 130
"""Exit status of a worker: all is done; the disk is full or cannot be written; it failed, and wrote
so into its folder; another process works on the point; it stopped with a checkpoint. Any other: it
died."""

LOST = -1
"""Instead of an exit status: what started the worker is gone, and the worker with it."""

SAID = 4000
"""Characters of a worker's last words that are kept."""

PATIENCE = 120.0
"""Seconds that a worker has to stop with a checkpoint before it is killed."""

POLL = 0.05
"""Seconds between two looks at a process."""


class Worker:
    """A process that works on a point and stops with a checkpoint when this one is gone.

    It reads its standard input, which ends with the process that started it, in whatever way.

    Args:
        folder: of the point.
        threads: of torch [1].
        environment: variables beside those of this process.
        engine: that started it, by name, for what the point says of where it was made.
    """

    def __init__(
        self,
        folder: Path | str,
        threads: int = 1,
        environment: Mapping[str, str] | None = None,
        engine: str = "",
    ) -> None:
        names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
        own = ASLEEP | os.environ | dict.fromkeys(names, str(threads)) | dict(environment or {})
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mho.sweep.worker", str(folder), "--threads", str(threads),
             "--engine", engine],
            stdin=subprocess.PIPE, stdout=self._said, stderr=self._said, env=own,
            start_new_session=True,
        )  # fmt: skip
        assert self._process.stdin is not None
        self._stdin = self._process.stdin

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether it has; callable from a signal handler, too."""
        if not hasattr(os, "waitid"):  # not on every system
            return self._process.poll() is not None
        with suppress(ChildProcessError):
            how = os.WEXITED | os.WNOHANG | os.WNOWAIT
            return os.waitid(os.P_PID, self._process.pid, how) is not None
        return True

    def ask_to_stop(self) -> None:
        """Have it stop with a checkpoint."""
        with suppress(OSError):
            self._stdin.close()

    def await_end(self, patience: float) -> None:
        """Wait until it has ended, and kill it if that takes longer [s]."""
        until = time.monotonic() + patience
        while not self.ended:
            if time.monotonic() > until:
                self._process.kill()
                until = float("inf")
            time.sleep(POLL)

    def outcome(self) -> tuple[int, str]:
        """Exit status and last words of a process that has ended."""
        status = self._process.wait()
        self.ask_to_stop()
        with self._said as said:
            said.seek(0, os.SEEK_END)
            said.seek(max(0, said.tell() - SAID))
            text = said.read().decode("utf-8", "replace").strip()
        return INTERRUPTED if status == -signal.SIGTERM else status, text


def work_on(folder: str, threads: int, engine: str) -> tuple[int, str]:
    """Have a point worked on, and wait; interrupted, stop it with a checkpoint.

    Returns:
        Exit status and last words of the worker.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background ignores it
    worker = Worker(folder, threads, engine=engine)
    try:
        worker.await_end(float("inf"))
    except KeyboardInterrupt:
        worker.ask_to_stop()
        worker.await_end(PATIENCE)
    return worker.outcome()
