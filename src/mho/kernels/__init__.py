"""Loops over cells and currents that are compiled for CPUs, with Numba, at their first call.

A kernel works in place on contiguous NumPy views of float32 tensors, on one core. What calls it has
the same in torch for tensors on other devices and of other types, and tests hold the two together.
"""

from __future__ import annotations

import torch
from torch import Tensor


def native(tensor: Tensor, *others: Tensor) -> bool:
    """Whether kernels can work on these tensors: float32, contiguous, on a CPU; and not while torch
    records operations to repeat them (`jit.trace`), or transforms them (`vmap`)."""
    return not transforming() and _native(tensor, *others)


def transforming() -> bool:
    """Whether torch is recording operations, or transforms them, which no kernel takes part in."""
    return torch._C._is_tracing() or torch._C._are_functorch_transforms_active()


def _native(tensor: Tensor, *others: Tensor) -> bool:
    if tensor.dtype != torch.float32 or not tensor.is_cpu or not tensor.is_contiguous():
        return False
    return not others or _native(*others)
