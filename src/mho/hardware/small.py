"""Bookkeeping on few cells: NumPy on a CPU, torch elsewhere, one code for both.

A write step touches some dozens of cells with a hundred tiny operations. NumPy starts each of them
several times faster than torch does, and both understand the same indexing and arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

Array = Any
"""A NumPy array or a tensor, used only through what both understand."""


def small(tensor: Tensor) -> Array:
    """The same memory as the cheaper kind of array; bfloat16, which NumPy lacks, stays a tensor."""
    on_host = tensor.device.type == "cpu" and tensor.dtype != torch.bfloat16
    return tensor.numpy() if on_host else tensor


def as_tensor(array: Array) -> Tensor:
    """The same memory as a tensor."""
    return array if isinstance(array, Tensor) else torch.from_numpy(array)


def joined(arrays: Sequence[Array], dim: int = -1) -> Array:
    """Arrays of a kind end to end."""
    if len(arrays) == 1:
        return arrays[0]
    if isinstance(arrays[0], Tensor):
        return torch.cat(list(arrays), dim)
    return np.concatenate(arrays, dim)


def most_of_each(values: Array, group: Array, groups: int) -> Array:
    """Largest of the values (chips, n), at least 0, in each group (n,): (chips, groups)."""
    if isinstance(values, Tensor):
        most = values.new_zeros(len(values), groups)
        return most.scatter_reduce_(1, group.expand(values.shape), values, "amax")
    most = np.zeros((len(values), groups), values.dtype)
    for row, value in zip(most, values, strict=True):
        np.maximum.at(row, group, value)
    return most
