"""This process among several that do one run together, as `torchrun` starts them.

All processes do the same in the same order, on copies of one chip: they write the same cells with
the same random numbers, and agree on all that a clock or a file decides. Only batches are divided:
each process reads a part of every batch, and the gradients are added up (`backward`). Process 0
alone reads and writes the run folder, prints, and says what came of a piece of work.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from mho.errors import Failed, invalid
from mho.experiments.torchrun import meet, stopping_with_starter
from mho.hardware.same_hardware import sum_of
from mho.learning.layers.batch_part import BatchPart, add_up, lost, taking

T = TypeVar("T")


@dataclass(frozen=True)
class Processes:
    """Which process this is, and of how many."""

    rank: int = 0
    """From 0."""
    count: int = 1
    local: int = 0
    """Which one on this machine, from 0."""
    on_machine: int = 1
    """How many are on this machine."""

    @property
    def leads(self) -> bool:
        """Whether this one writes and prints."""
        return self.rank == 0

    def part(self, total: int) -> BatchPart:
        """Its samples of a batch of at least one for each process; parts differ by at most one."""
        first, end = (total * n // self.count for n in (self.rank, self.rank + 1))
        return BatchPart(first, end - first, total)

    def most(self, total: int) -> int:
        """Samples of the largest part of a batch."""
        return -(-total // self.count)

    def device(self, wanted: torch.device) -> torch.device:
        """Where this process computes: each has a CUDA device of its own.

        Raises:
            ValueError: several are to share one.
        """
        if self.on_machine == 1 or wanted.type != "cuda":
            return wanted
        if wanted.index is not None:
            allowed = f"'cuda', 'auto' or 'cpu' with {self.on_machine} processes on a machine"
            raise invalid("processor", str(wanted), allowed)
        if (there := torch.cuda.device_count()) < self.on_machine:
            allowed = (
                f"at most {there}, the CUDA devices that this torch sees; or processor = 'cpu'"
            )
            raise invalid("processes on a machine", self.on_machine, allowed)
        return torch.device("cuda", self.local)


ALONE = Processes()
_HERE: ContextVar[Processes] = ContextVar("processes", default=ALONE)
_STARTED: ContextVar[Processes] = ContextVar("processes started", default=ALONE)


def here() -> Processes:
    """This process among those that work together now; alone unless `joined` is around, and in
    what `by_first` does."""
    return _HERE.get()


def started() -> Processes:
    """This process among those that were started together, whatever they do now."""
    return _STARTED.get()


@contextmanager
def joined() -> Iterator[Processes]:
    """Be one of the processes that `torchrun` has started, if it has; all others are silent but
    for what goes wrong in them."""
    if not dist.is_available() or not dist.is_torchelastic_launched():
        yield ALONE
        return
    rank, count, local, on_machine = (
        int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    )
    with stopping_with_starter():
        if count == 1:
            yield ALONE
        else:
            with _together(Processes(rank, count, local, on_machine)) as this:
                yield this


@contextmanager
def _together(this: Processes) -> Iterator[Processes]:
    backend = "gloo"
    if cuda := torch.cuda.device_count():
        torch.cuda.set_device(this.local % cuda)
        backend = "cpu:gloo,cuda:nccl"
    meet(backend, this.rank, this.count)
    before, done = _STARTED.set(this), False
    try:
        with warnings.catch_warnings(), _being(this):
            if this.rank > 0:
                warnings.simplefilter("ignore")
            yield this
        done = True
    finally:
        _STARTED.reset(before)
        if done or not cuda:  # nccl would wait for what other processes have left undone
            dist.destroy_process_group()


@contextmanager
def _being(this: Processes) -> Iterator[None]:
    before = _HERE.set(this)
    try:
        yield
    finally:
        _HERE.reset(before)


def by_first(work: Callable[[], T]) -> T:
    """What process 0 finds, which does the work as if it was alone; all have it then.

    Raises:
        SystemExit: process 0 has failed, and says why.
    """
    this = here()
    if this.count == 1:
        return work()
    if this.leads:
        try:
            with _being(ALONE):
                found = work()
        except BaseException:
            _sent([False, None])
            raise
        return _sent([True, found])[1]
    done, found = _sent([None, None])
    if not done:
        raise SystemExit(2)
    return found


def of_first(value: T) -> T:
    """The value that process 0 has."""
    return value if here().count == 1 else _sent([value])[0]


def any_of(*flags: bool) -> list[bool]:
    """Which of some flags are set in any process."""
    if here().count == 1:
        return [*flags]
    every = torch.tensor(flags, dtype=torch.int32)
    add_up(every)
    return every.bool().tolist()


def check_alike(what: str, state: Any) -> None:
    """Make sure that all processes have the same numbers.

    Args:
        what: whose, in words.
        state: nested, of tensors and plain values.

    Raises:
        Failed: the tensors of one differ from those of process 0.
    """
    this = here()
    if this.count == 1:
        return
    mine = sum_of(x for x in pytree.tree_leaves(state) if isinstance(x, Tensor))
    every: list[Any] = [None] * this.count
    try:
        dist.all_gather_object(every, mine)
    except RuntimeError as error:
        raise lost() from error
    for rank, theirs in enumerate(every):
        if theirs != every[0]:
            raise Failed(
                f"{what}: process {rank} has other numbers than process 0, so they train two "
                "networks; run all processes on machines of one kind, or one process alone"
            )


def backward(net: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Mean cross-entropy of a batch; the parameters have its gradient then, and no other.

    With several processes each runs its part, as `mho.learning.layers.batch_part` describes. A
    batch of fewer samples than processes is run whole by each.

    Args:
        net: a network on one chip, or digital; the first dimension is the batch all through it.
        x: inputs (batch, ...), the same in all processes.
        y: labels (batch,).
    """
    this, total = here(), len(y)
    net.zero_grad()
    if this.count == 1 or total < this.count:
        loss = F.cross_entropy(net(x), y)
        loss.backward()
        return loss.detach()
    part = this.part(total)
    some = slice(part.first, part.first + part.count)
    with taking(part):
        loss = F.cross_entropy(net(x[some]), y[some], reduction="sum") / total
    loss.backward()
    gradients = [p.grad for p in net.parameters() if p.grad is not None]
    every = torch.cat([loss.detach().view(1), *(each.flatten() for each in gradients)])
    add_up(every)
    mean, *added = every.split([1, *(each.numel() for each in gradients)])
    for each, whole in zip(gradients, added, strict=True):
        each.copy_(whole.view(each.shape))
    return mean.squeeze(0)


def _sent(values: list[Any]) -> list[Any]:
    """Values of process 0, in all."""
    try:
        dist.broadcast_object_list(values, src=0)
    except RuntimeError as error:
        raise lost() from error
    return values
