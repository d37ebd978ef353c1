"""Jobs of Slurm, submitted as arrays by submitit (https://github.com/facebookincubator/submitit).

What is in the queue outlives the driver: `job.json` in the folder of a point names its job, so that
the next driver waits for that one instead of submitting another.
"""

from __future__ import annotations

import math
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from mho.errors import Failed, InvalidInput
from mho.files import naming, read_json, write_json
from mho.files.extras import of_extra
from mho.sweep.engines.engine import Ended
from mho.sweep.engines.queues import QUEUES, SlurmSettings
from mho.sweep.folder import PointFolder
from mho.sweep.job import Job
from mho.sweep.process import INTERRUPTED, LOST, PATIENCE, SAID

AGAIN = 60.0
"""Seconds until jobs are submitted again that Slurm did not take, as beyond a limit of its own."""

WRITTEN = 15.0
"""Seconds after its end in which a shared file system shows what a job has written."""


@dataclass
class _Queued:
    folder: PointFolder
    job: Any
    """submitit's."""
    gone: float = math.inf
    """When it was found to be in the queue no more [s]."""


class Slurm:
    """An engine of Slurm's jobs, one a point, submitted as arrays.

    Raises:
        ValueError: submitit is not installed, or Slurm does not answer.
    """

    def __init__(self, settings: SlurmSettings | None = None) -> None:
        self.settings = settings or SlurmSettings()
        self._queue = QUEUES[self.settings.executor](of_extra("slurm", "submitit"))
        self._executor: Any = None
        self._new: list[PointFolder] = []
        self._jobs: dict[str, _Queued] = {}
        self._alive, self._looked = set[str](), -math.inf
        self._refused = -math.inf  # when Slurm did not take jobs

    @property
    def here(self) -> bool:
        """Whether Slurm is only tried."""
        return self.settings.executor != "slurm"

    def room(self) -> int:
        """Points that may still be queued."""
        return self.settings.queued - len(self._jobs) - len(self._new)

    def found(self, folder: PointFolder) -> bool:
        """Whether a job of the point waits or runs, whichever driver submitted it."""
        try:
            known = read_json(folder.path / "job.json")
            number, logs, executor = (str(known[key]) for key in ("job", "logs", "executor"))
        except (InvalidInput, KeyError, TypeError):  # none, or damaged
            return False
        if executor != self.settings.executor or number not in self._look():
            return False
        self._jobs.setdefault(number, _Queued(folder, self._queue.job(logs, number)))
        return True

    def start(self, folder: PointFolder) -> None:
        """Queue a point, with the others that are started before the next call of `ended`."""
        if not self.found(folder):
            self._new.append(folder)

    def ended(self, wait: float) -> list[Ended]:
        """Points whose job is in the queue no more."""
        self._submit()
        until = time.monotonic() + wait
        while True:
            ended = self._gone()
            if ended or not self._jobs or time.monotonic() >= until:
                return ended
            time.sleep(min(0.2, max(0.0, until - time.monotonic())))

    def stop(self) -> list[Ended]:
        """Cancel all jobs, which stop with a checkpoint; or leave them, if that is set."""
        ended = [Ended(folder, INTERRUPTED) for folder in self._new]
        self._new = []
        if self.settings.leave or not self._jobs:
            return ended
        self._queue.cancel([each.job for each in self._jobs.values()])
        until = time.monotonic() + PATIENCE
        while self._jobs and time.monotonic() < until:
            self._looked = -math.inf
            ended += self.ended(1.0)
        return ended

    def _look(self) -> set[str]:
        """Jobs in the queue, as of some seconds ago at most."""
        if time.monotonic() - self._looked > self._queue.every:
            alive = self._queue.alive()
            if alive is not None:  # else what was known
                self._alive, self._looked = alive, time.monotonic()
        return self._alive

    def _submit(self) -> None:
        """Submit what is new, as one array, and write down the jobs."""
        if not self._new or time.monotonic() - self._refused < AGAIN:
            return
        new, self._new = self._new, []
        logs = (self.settings.logs or new[0].path.parent.parent / "slurm").resolve()
        jobs = [Job(str(folder.path.resolve()), self.settings.threads) for folder in new]
        with naming(logs):
            logs.mkdir(parents=True, exist_ok=True)
        try:
            if self._executor is None:
                self._executor = self._queue.executor(logs, self.settings)
            submitted = self._executor.submit_array(jobs)
        except (RuntimeError, ValueError) as error:
            if self._jobs:  # it may when some of these have ended
                self._new, self._refused = new, time.monotonic()
                return
            said = " ".join(str(error).split())
            raise Failed(f"Slurm did not take {len(new)} points: {said:.500}") from error
        for folder, job in zip(new, submitted, strict=True):
            self._jobs[job.job_id] = _Queued(folder, job)
            self._alive.add(job.job_id)
            known = {"job": job.job_id, "logs": str(logs), "executor": self.settings.executor}
            write_json(folder.path / "job.json", known, to_disk=False)

    def _gone(self) -> list[Ended]:
        """What is in the queue no more, and has told how it ended or had time to."""
        alive, now, ended = self._look(), time.monotonic(), []
        for number, each in list(self._jobs.items()):
            if number in alive:  # a result that is there is that of an earlier try
                each.gone = math.inf
                continue
            each.gone = min(each.gone, now)
            told = self._queue.told(each.job)
            if told or now - each.gone > WRITTEN:
                del self._jobs[number]
                with suppress(OSError):
                    (each.folder.path / "job.json").unlink(missing_ok=True)
                ended.append(Ended(each.folder, *_outcome(each.job, told)))
        return ended


def _outcome(job: Any, told: bool) -> tuple[int, str]:
    """Exit status and last words of the worker of a job that has ended."""
    if told:
        try:
            return job.result()
        except Exception as error:  # whatever the job met
            return LOST, str(error)[-SAID:]
    said = ""
    with suppress(OSError):
        said = job.paths.stderr.read_text("utf-8", "replace")[-SAID:]
    return LOST, f"{said.strip()}\njob {job.job_id} ended without a result".strip()
