"""The small run of `one_run_of_two`, started by torchrun, which breaks off where it is told to.

    torchrun ... under_torchrun.py FOLDER

FOLDER/breaks.json lists breaks. Each happens once, one in a start of the processes.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch

from builders.one_run_of_two import SMALL
from mho.data.stand_in import stand_ins
from mho.errors import Failed
from mho.experiments import processes
from mho.experiments import run as runs
from mho.experiments.checkpoint import Checkpoint
from mho.experiments.execution import execute
from mho.experiments.own_data import check_data


class Break(NamedTuple):
    """A process that is ended."""

    rank: int
    """Process that does it."""
    step: int
    """Training step of this start at which it does; 0: as the first checkpoint of a training is
    about to take its name."""
    sent: str
    """Signal."""
    to: Literal["itself", "both", "torchrun"]


def torchrun(folder: Path, breaks: Sequence[Break], restarts: int = 0) -> int:
    """Start two processes that do the run in FOLDER/run; the exit status of torchrun."""
    folder.mkdir(exist_ok=True)
    (folder / "breaks.json").write_text(json.dumps(breaks))
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
               "--max-restarts", str(restarts), "--monitor-interval", "0.02",
               __file__, str(folder)]  # fmt: skip
    with (folder / "said").open("ab") as said:
        return subprocess.run(
            [sys.executable, *command],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"},
            stdout=said, stderr=said, check=False,
        ).returncode  # fmt: skip


def arrange(each: Break, folder: Path, done: Path) -> None:
    """Have this process do what ends processes, once it is there."""
    plain_steps, plain_write, made = runs.Run.steps, Checkpoint.write, 0

    def send() -> None:
        done.touch()
        whom = {"itself": [os.getpid()], "torchrun": [os.getppid()]}.get(each.to)
        for pid in whom or [int(file.read_text()) for file in folder.glob("pid *")]:
            os.kill(pid, signal.Signals[each.sent])

    def steps(run: runs.Run, *given: Any, **named: Any) -> Iterator[int]:
        nonlocal made
        for step in plain_steps(run, *given, **named):
            made += 1
            if made == each.step:
                send()
            yield step

    def write(kept: Checkpoint, into: Path) -> None:
        if kept.stages and each.step == 0:
            (into / ".checkpoint.pt.0123456789ab.tmp").write_bytes(b"half of it")
            send()
        plain_write(kept, into)

    runs.Run.steps = steps  # type: ignore[method-assign]
    Checkpoint.write = write  # type: ignore[method-assign]


def main(folder: Path) -> None:
    """One of two processes."""
    rank = int(os.environ["RANK"])
    torch.set_num_threads(1)
    runs.SAVE_EVERY = 0.0
    (folder / f"pid {rank}").write_text(str(os.getpid()))
    breaks = [Break(*each) for each in json.loads((folder / "breaks.json").read_text())]
    for number, each in enumerate(breaks):
        done = folder / f"broken {number}"
        if not done.exists():
            if each.rank == rank:
                arrange(each, folder, done)
            break
    try:
        with processes.joined(), stand_ins():
            execute("siamese", SMALL, folder / "run", resume=True, digests=check_data(SMALL))
    except Failed as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
