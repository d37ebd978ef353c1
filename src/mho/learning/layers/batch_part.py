"""A pass of a part of a batch, while other processes take the other parts.

Inside `taking` a network does what it would do in one process that runs the whole batch: layers on
arrays draw the noise that their part of the batch has there, and count the reads of all parts;
batch normalization takes the statistics of the whole batch; ranges of converters follow what
saturates of it. The batch is the first dimension, and the chips of a layer are not folded into it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from mho.errors import Failed, invalid
from mho.hardware.tally import Tally


@dataclass(frozen=True)
class BatchPart:
    """Samples first .. first + count - 1 of a batch of `total`, at least one."""

    first: int
    count: int
    total: int

    def of_whole(self, n: int) -> int:
        """How many of what every sample has equally often the whole batch has, by those here.

        Raises:
            ValueError: the samples here do not divide them.
        """
        if n % self.count:
            allowed = f"a multiple of the {self.count} samples of this process: one row each"
            raise invalid("inputs of a layer in a part of a batch", n, allowed)
        return n // self.count * self.total

    def add_up(self, *tallies: Tally) -> None:
        """Have tallies of this part be those of the whole batch."""
        counts = [torch.zeros(t.shape, dtype=torch.int64) if t.saturated is None
                  else t.saturated.cpu() for t in tallies]  # fmt: skip
        every = torch.cat([each.flatten() for each in counts])
        add_up(every)
        parts = every.split([each.numel() for each in counts])
        for tally, part in zip(tallies, parts, strict=True):
            tally.conversions = self.of_whole(tally.conversions)
            tally.saturated = part.view(tally.shape) if part.any() else None


_NOW: ContextVar[BatchPart | None] = ContextVar("part of a batch", default=None)


def part_now() -> BatchPart | None:
    """The part of a batch that runs; None: a batch runs whole."""
    return _NOW.get()


@contextmanager
def taking(part: BatchPart) -> Iterator[None]:
    """Passes inside are of this part; all processes make the same ones."""
    before = _NOW.set(part)
    try:
        with _OfWholeBatch():
            yield
    finally:
        _NOW.reset(before)


def add_up(x: Tensor) -> None:
    """Add a tensor over all processes, in place; all have the same bits then.

    Raises:
        Failed: another process has ended.
    """
    try:
        dist.all_reduce(x)
    except RuntimeError as error:
        raise lost() from error


def lost() -> Failed:
    """The error where another process does not answer."""
    return Failed("another process of this run has ended; start all of them again, with --resume")


class _AddedUp(torch.autograd.Function):
    """The sum over all processes, of which each has a gradient: these add up too."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone(memory_format=torch.contiguous_format)
        add_up(total)
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        total = grads[0].clone(memory_format=torch.contiguous_format)
        add_up(total)
        return total


class _OfWholeBatch(TorchFunctionMode):
    """Inside, batch normalization in train mode is that of the whole batch."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        return (_batch_norm if func is F.batch_norm else func)(*args, **(kwargs or {}))


def _batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """`torch.nn.functional.batch_norm`; torch's own over processes runs on GPUs alone.

    Sums are of double precision, as torch's are on a CPU.
    """
    part = part_now()
    if not training or part is None:
        return F.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)
    dims = [d for d in range(input.dim()) if d != 1]
    shape = [-1 if d == 1 else 1 for d in range(input.dim())]  # (channels,) beside the input
    n = part.of_whole(input.numel() // input.shape[1])
    if n < 2:
        raise invalid("values of a channel in a batch", n, "2 or more in train mode")
    mean = _AddedUp.apply(input.sum(dims, dtype=torch.float64)) / n
    centred = input - mean.to(input.dtype).view(shape)
    var = _AddedUp.apply(centred.square().sum(dims, dtype=torch.float64)) / n
    with torch.no_grad():
        for running, seen in ((running_mean, mean), (running_var, var * (n / (n - 1)))):
            if running is not None:
                running.lerp_(seen.to(running.dtype), momentum)
    scale = (var + eps).rsqrt().to(input.dtype)
    scale = scale if weight is None else scale * weight
    y = centred * scale.view(shape)
    return y if bias is None else y + bias.view(shape)
