"""Several processes do one run: the run of one process, but for the rounding of sums."""

import socket
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch.multiprocessing.spawn import spawn

from builders.one_run_of_two import RUNS, broken_off, done, gradients, work
from builders.resuming import kept
from mho.experiments.processes import ALONE, Processes, any_of, by_first, here, joined, of_first


class Found(NamedTuple):
    """What was found in one process, and in each of two."""

    folder: Path
    one: dict[str, Any]
    two: list[dict[str, Any]]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    folder = tmp_path_factory.mktemp("processes")
    one = folder / "one"
    outcomes = {name: done(one, name, run) for name, run in RUNS.items()}
    assert broken_off(one, "left to two", RUNS["gated importance"], 9) == "KeyboardInterrupt"
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    spawn(work, (folder, port), nprocs=2)
    two = [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]
    return Found(folder, outcomes, two)
