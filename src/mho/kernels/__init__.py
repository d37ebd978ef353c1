"""Loops over cells and currents that are compiled for CPUs, with Numba, at their first call.

A kernel works in place on contiguous NumPy views of float32 tensors, on one core. What calls it has
the same in torch for tensors on other devices and of other types, and tests hold the two together.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch._C import _are_functorch_transforms_active, _is_tracing

_SINGLE = torch.float32


def native(*tensors: Tensor | None) -> bool:
    """Whether kernels can work on these tensors, where there are any: float32, contiguous, on a
    CPU; and not while torch records operations to repeat them (`jit.trace`), or transforms them
    (`vmap`)."""
    for tensor in tensors:
        if tensor is not None and not (
            tensor.dtype is _SINGLE and tensor.is_cpu and tensor.is_contiguous()
        ):
            return False
    return not transforming()


def transforming() -> bool:
    """Whether torch is recording operations, or transforms them, which no kernel takes part in."""
    return _is_tracing() or _are_functorch_transforms_active()
