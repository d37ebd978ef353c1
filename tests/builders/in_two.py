"""Work by two processes of one group."""

from __future__ import annotations

import faulthandler
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as multiprocessing
from torch.distributed import TCPStore

Work = Callable[[int], dict[str, Any]]
"""Given the number of the process, a function of a module: what it found."""


def in_two(work: Work, folder: Path) -> list[Any]:
    """What each of two processes found, through a file of each in a folder.

    They meet through a store of this process, which outlives both; a store in a file would be taken
    apart by the two themselves, while the other still uses it.

    Raises:
        RuntimeError: a process ended before it had found all, with the last that it said.
    """
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    context = multiprocessing.get_context("spawn")
    both = [context.Process(target=_one, args=(r, work, folder, store.port)) for r in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join()
    for rank, process in enumerate(both):
        if not (folder / f"{rank}.pt").exists():
            said = (folder / f"{rank}.said").read_text(errors="replace").strip()
            raise RuntimeError(f"process {rank} ended with {process.exitcode}: {said[-2000:]}")
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


def _one(rank: int, work: Work, folder: Path, port: int) -> None:
    """The work of one process, which then ends at once.

    At the end of a process torch takes threads of a group apart that may still run: on a busy
    machine one in thirty aborts there ("terminate called without an active exception").
    """
    said = (folder / f"{rank}.said").open("w")
    os.dup2(said.fileno(), sys.stderr.fileno())
    faulthandler.enable(said)
    failed = 1
    try:
        os.environ["GLOO_SOCKET_IFNAME"] = "lo"
        torch.set_num_threads(1)
        store = TCPStore("127.0.0.1", port, is_master=False)
        dist.init_process_group("gloo", store=store, rank=rank, world_size=2)
        torch.save(work(rank), folder / f"{rank}.new")
        (folder / f"{rank}.new").replace(folder / f"{rank}.pt")
        dist.barrier()  # neither goes while the other still hears it
        failed = 0
    except BaseException:
        traceback.print_exc(file=said)
    said.flush()
    os._exit(failed)
