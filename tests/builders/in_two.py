"""Work by two processes of one group."""

from __future__ import annotations

import faulthandler
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed import TCPStore
from torch.multiprocessing.spawn import spawn

Work = Callable[[int], dict[str, Any]]
"""Given the number of the process, a function of a module: what it found."""


def in_two(work: Work, folder: Path) -> list[Any]:
    """What each of two processes found, through a file of each in a folder.

    They meet through a store of this process, which outlives both; a store in a file would be taken
    apart by the two themselves, while the other still uses it.
    """
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    spawn(_one, (work, folder, store.port), nprocs=2)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


def _one(rank: int, work: Work, folder: Path, port: int) -> None:
    faulthandler.enable()
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    torch.set_num_threads(1)
    store = TCPStore("127.0.0.1", port, is_master=False)
    dist.init_process_group("gloo", store=store, rank=rank, world_size=2)
    torch.save(work(rank), folder / f"{rank}.pt")
    dist.barrier()  # neither goes while the other still hears it
    dist.destroy_process_group()
