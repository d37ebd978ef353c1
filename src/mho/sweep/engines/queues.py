"""Where submitit has jobs wait and run: the queue of Slurm, or processes to try things out."""

from __future__ import annotations

import math
import os
import signal
import subprocess
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

from mho.config import Config, Range
from mho.errors import invalid


class SlurmSettings(Config):
    """Settings of the engine."""

    executor: Literal["slurm", "local", "debug"] = "slurm"
    """Of submitit: slurm; local: processes of this machine, debug: this process, to try it out."""
    partition: str | None = None
    """Of Slurm; None: its default."""
    account: str | None = None
    """That pays; None: the user's default."""
    time: Annotated[float, Range(least=60, most=1e8)] = 4 * 3600.0
    """Time limit of a job [s], in whole minutes; a point that needs longer is queued again."""
    requeues: Annotated[int, Range(least=0, most=10_000)] = 100
    """Times that a job is queued again whose time was up [1]."""
    notice: Annotated[int, Range(least=10, most=3600)] = 90
    """Time before its limit at which a job stops with a checkpoint [s]."""
    memory: Annotated[float, Range(least=1e6, most=1e15)] | None = None
    """Memory of a point [B]; None: what the partition gives."""
    cpus: Annotated[int, Range(least=1, most=4096)] = 1
    """CPU cores of a point [1]."""
    gpus: Annotated[int, Range(least=0, most=64)] = 0
    """GPUs of a point [1]."""
    threads: Annotated[int, Range(least=1, most=256)] = 1
    """Threads of torch of each [1]."""
    at_once: Annotated[int, Range(least=1, most=100_000)] = 256
    """Points of a job array that run at once, at most [1]."""
    queued: Annotated[int, Range(least=1, most=100_000)] = 1000
    """Points in the queue at once, at most [1]; Slurm's own limit of an array is 1001."""
    logs: Path | None = None
    """Folder of what jobs say, seen by all nodes; None: slurm/ in that of the sweep."""
    setup: tuple[str, ...] = ()
    """Lines of the shell before a job, such as "module load cuda"."""
    sbatch: Mapping[str, str | Annotated[int, Range(least=0, most=1 << 31)] | bool] | None = None
    """Further options of sbatch by name: qos, gres, constraint; true: an option without a value."""
    leave: bool = False
    """Whether jobs stay in the queue when the command is stopped; the next one waits for them."""


class Queue(Protocol):
    """One of submitit's executors, and what is in its queue. Jobs are submitit's."""

    every: float
    """Seconds between two looks at it, at least."""

    def __init__(self, submitit: Any) -> None: ...

    def executor(self, logs: Path, settings: SlurmSettings) -> Any:
        """What takes jobs."""
        ...

    def job(self, logs: str, number: str) -> Any:
        """A job that was submitted before."""
        ...

    def alive(self) -> set[str] | None:
        """Numbers of the jobs that wait or run; None: it cannot be said now."""
        ...

    def cancel(self, jobs: Iterable[Any]) -> None:
        """Tell jobs to stop with a checkpoint."""
        ...

    def told(self, job: Any) -> bool:
        """Whether a job that has ended wrote how."""
        ...


class OfSlurm:
    """Slurm itself, asked by squeue: that works with and without accounting."""

    every = 10.0

    def __init__(self, submitit: Any) -> None:
        self._submitit = submitit
        if self.alive() is None:
            allowed = "a machine where squeue answers, or --engine-set executor=local"
            raise invalid("engine", "slurm", allowed)

    def executor(self, logs: Path, settings: SlurmSettings) -> Any:
        """`sbatch`, with all options."""
        executor = self._submitit.SlurmExecutor(logs, max_num_timeout=settings.requeues)
        given = {
            "partition": settings.partition,
            "account": settings.account,
            "gpus_per_node": settings.gpus or None,
            "mem": settings.memory and f"{math.ceil(settings.memory / 2**20)}M",
        }
        more = {key.replace("_", "-"): value for key, value in (settings.sbatch or {}).items()}
        executor.update_parameters(
            job_name="mho", time=math.ceil(settings.time / 60), cpus_per_task=settings.cpus,
            signal_delay_s=settings.notice, array_parallelism=settings.at_once,
            setup=list(settings.setup), **{key: v for key, v in given.items() if v is not None},
            additional_parameters={
                "requeue": True, **{key: v for key, v in more.items() if v is not False},
            },
        )  # fmt: skip
        return executor

    def job(self, logs: str, number: str) -> Any:
        """A job that was submitted before."""
        return self._submitit.SlurmJob(folder=logs, job_id=number)

    def alive(self) -> set[str] | None:
        """All jobs of the user, each of an array by itself."""
        command = ["squeue", "--noheader", "--array", "--format=%i", "--user", str(os.getuid())]
        try:
            said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        except (OSError, subprocess.SubprocessError):
            return None
        return set(said.stdout.split())

    def cancel(self, jobs: Iterable[Any]) -> None:
        """`scancel`: SIGTERM, and some time later SIGKILL."""
        numbers = [job.job_id for job in jobs]
        for first in range(0, len(numbers), 500):
            subprocess.run(["scancel", *numbers[first : first + 500]], capture_output=True)

    def told(self, job: Any) -> bool:
        """Whether its result is there."""
        folder = job.paths.folder
        with suppress(OSError):  # has a shared file system look again
            folder.chmod(folder.stat().st_mode)
        return job.paths.result_pickle.exists()


class OfProcesses:
    """Processes of this machine, which outlive the one that started them."""

    every = 0.1

    def __init__(self, submitit: Any) -> None:
        self._submitit = submitit

    def executor(self, logs: Path, settings: SlurmSettings) -> Any:
        """One that starts jobs at once."""
        executor = self._submitit.LocalExecutor(logs, max_num_timeout=settings.requeues)
        executor.update_parameters(
            timeout_min=math.ceil(settings.time / 60), signal_delay_s=settings.notice
        )
        return executor

    def job(self, logs: str, number: str) -> Any:
        """A job that was submitted before."""
        return self._submitit.LocalJob(folder=logs, job_id=number)

    def alive(self) -> set[str] | None:
        """Processes of submitit."""
        found = set()
        for each in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if b"submitit.local._local" in (each / "cmdline").read_bytes():
                    found.add(each.name)
        return found

    def cancel(self, jobs: Iterable[Any]) -> None:
        """SIGTERM."""
        for job in jobs:
            with suppress(ProcessLookupError):
                os.kill(int(job.job_id), signal.SIGTERM)

    def told(self, job: Any) -> bool:
        """Whether its result is there."""
        job.done()  # has the process reaped
        return job.paths.result_pickle.exists()


class InPlace:
    """This process: a job runs when it is asked how it ended."""

    every = 0.0

    def __init__(self, submitit: Any) -> None:
        self._submitit = submitit

    def executor(self, logs: Path, settings: SlurmSettings) -> Any:
        """One that keeps jobs."""
        return self._submitit.DebugExecutor(logs)

    def job(self, logs: str, number: str) -> Any:
        """None is ever found again."""
        raise AssertionError

    def alive(self) -> set[str] | None:
        """None."""
        return set()

    def cancel(self, jobs: Iterable[Any]) -> None:
        """Have none of them begin."""
        for job in jobs:
            job.cancel()

    def told(self, job: Any) -> bool:
        """It will."""
        return True


QUEUES: dict[str, type[Queue]] = {"slurm": OfSlurm, "local": OfProcesses, "debug": InPlace}
"""By the name of the executor."""
