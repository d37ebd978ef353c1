"""Loops over cells and currents that are compiled for CPUs, with Numba, at their first call.

A kernel works in place on contiguous NumPy views of float32 tensors, on one core. What calls it has
the same in torch for tensors on other devices and of other types, and tests hold the two together.
Who doubts a kernel runs without any:

    with mho.kernels.off():
        step()
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch._C import _are_functorch_transforms_active, _is_tracing

_SINGLE = torch.float32
_off = 0
"""How many `off` there are around."""


@contextmanager
def off() -> Iterator[None]:
    """Have torch do what kernels would, in all threads, until the block ends.

    What is programmed is the same to the bit; reads have the same noise, and differ by the rounding
    of sums.
    """
    global _off
    _off += 1
    try:
        yield
    finally:
        _off -= 1


def native(*tensors: Tensor | None) -> bool:
    """Whether kernels can work on these tensors, where there are any: float32, contiguous, on a
    CPU; and that they may."""
    for tensor in tensors:
        if tensor is not None and not (
            tensor.dtype is _SINGLE and tensor.is_cpu and tensor.is_contiguous()
        ):
            return False
    return allowed()


def allowed() -> bool:
    """Whether kernels may run: none is to while they are `off`, nor while torch records operations
    to repeat them (`jit.trace`) or transforms them (`vmap`)."""
    return not (_off or _is_tracing() or _are_functorch_transforms_active())
