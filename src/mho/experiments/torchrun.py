"""What `torchrun` leaves to the processes that it starts: to meet, and to end when it has ended."""

from __future__ import annotations

import os
import secrets
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import torch.distributed as dist

from mho.errors import invalid
from mho.learning.layers.batch_part import lost

if TYPE_CHECKING:  # a torch may be built without
    from torch._C._distributed_c10d import Store

PATIENCE = timedelta(minutes=30)
"""How long processes wait for one that does not answer; of one that has ended they know at once."""

ASK_EVERY = 0.02
"""Seconds between two looks at who has come to a meeting."""

LOOK_EVERY = 1.0
"""Seconds between two looks whether torchrun is still there."""


def meet(backend: str, rank: int, count: int) -> None:
    """Make the process group of all processes.

    Raises:
        ValueError: torchrun says no port.
        Failed: one of the others does not come.
    """
    from torch._C._distributed_c10d import PrefixStore
    from torch.distributed.rendezvous import rendezvous

    if os.environ.get("MASTER_PORT") == "0":
        allowed = "a port that is free; torchrun --standalone finds one itself"
        raise invalid("MASTER_PORT", 0, allowed)
    store, _, _ = next(rendezvous("env://", timeout=PATIENCE))
    store = PrefixStore(name_of_meeting(store, rank, count), store)
    dist.init_process_group(backend, store=store, rank=rank, world_size=count, timeout=PATIENCE)


def name_of_meeting(store: Store, rank: int, count: int) -> str:
    """A name that process 0 draws, and the others get from it through the store.

    torchrun keeps its store, and what earlier processes have left there, when it starts all of
    them again, or those of one machine; and each machine counts its starts by itself. So each
    process asks by a name of its own that no other one had, and that is what process 0 answers.

    Args:
        store: of torchrun, with whatever is in it.
        rank: of this process.
        count: of processes.

    Raises:
        Failed: one of the others has not asked within `PATIENCE`.
    """
    own = secrets.token_hex(8)
    if rank > 0:
        store.set(f"process {rank} asks", own)
        name = store.get(f"answer to {own}").decode()  # waits for it
        store.add(f"heard of {name}", 1)
        return name
    answered, until = set[bytes](), time.monotonic() + PATIENCE.total_seconds()
    while store.add(f"heard of {own}", 0) < count - 1:
        for key in (f"process {other} asks" for other in range(1, count)):
            if store.check([key]) and (asked := store.get(key)) not in answered:
                store.set(f"answer to {asked.decode()}", own)
                answered.add(asked)
        if time.monotonic() > until:
            raise lost()
        time.sleep(ASK_EVERY)
    return own


@contextmanager
def stopping_with_starter() -> Iterator[None]:
    """Have this process told to stop, by SIGTERM, when the one that started it is gone: nobody
    could stop it then, nor start another one in its place while it holds the run folder."""
    starter, over = os.getppid(), threading.Event()

    def watch() -> None:
        while not over.wait(LOOK_EVERY):
            if os.getppid() != starter:
                os.kill(os.getpid(), signal.SIGTERM)
                return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
