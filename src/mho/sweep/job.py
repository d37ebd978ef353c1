"""What a job of Slurm does: it has one point worked on, and knows how to stop with a checkpoint."""

from __future__ import annotations

import signal
import sys
from importlib import import_module
from typing import Any

from mho.sweep.process import PATIENCE, Worker


class Job:
    """A point as submitit takes it: called in the job, told before the job is to end.

    submitit calls `checkpoint` when Slurm says (SIGUSR2) that it takes the job off its node or that
    its time is up, and then queues it again. SIGTERM alone, as `scancel` sends it, ends it.

    Args:
        folder: of the point.
        threads: of torch [1].
    """

    def __init__(self, folder: str, threads: int) -> None:
        self.folder, self.threads = folder, threads
        self._worker: Worker | None = None

    def __call__(self) -> tuple[int, str]:
        """Exit status and last words of the worker."""
        self._worker = worker = Worker(self.folder, self.threads, engine="slurm")
        before = signal.signal(signal.SIGTERM, lambda _number, _frame: worker.ask_to_stop())
        try:
            worker.await_end(float("inf"))
        except KeyboardInterrupt:
            worker.ask_to_stop()
            worker.await_end(PATIENCE)
        finally:
            signal.signal(signal.SIGTERM, before)
        status, said = worker.outcome()
        print(said, file=sys.stderr, flush=True)
        return status, said

    def checkpoint(self) -> Any:
        """Stop with a checkpoint; returns the job that goes on."""
        if self._worker is not None:
            self._worker.ask_to_stop()
            self._worker.await_end(PATIENCE)
        return import_module("submitit.helpers").DelayedSubmission(Job(self.folder, self.threads))
