"""Kernels are what they were compiled from, and ready before they are called."""

from typing import Any

import numpy as np

from mho.kernels import philox
from mho.kernels.compiled import compiled, exclusive, load
from mho.kernels.disk_cache import DiskCache


def double(x: np.ndarray) -> None:
    for i in range(x.size):
        x[i] *= 2


def test_only_functions_of_these_sources_are_kept() -> None:
    kernel: Any = exclusive(double)
    assert not isinstance(kernel._cache, DiskCache)
    kept: Any = compiled(philox.words.py_func)
    assert isinstance(kept._cache, DiskCache)


def test_a_kernel_is_ready_for_arguments_without_a_call() -> None:
    kernel: Any = exclusive(double)
    x = np.ones(3, np.float32)
    load(kernel, (x,))
    assert x.tolist() == [1, 1, 1]
    (before,) = kernel.overloads
    kernel(x)
    assert x.tolist() == [2, 2, 2]
    assert list(kernel.overloads) == [before]


def test_a_function_that_numba_left_alone_is_always_ready() -> None:
    """With NUMBA_DISABLE_JIT a kernel is the Python function."""
    load(double, (np.ones(3),))
