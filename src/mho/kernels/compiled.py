"""How kernels are compiled: at their first call, and kept on disk between runs.

Every operation is an IEEE one in the order in which it is written, but for sums said to be free.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar

import numba

from mho.kernels.disk_cache import DiskCache

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function of arrays and numbers; other threads run meanwhile."""
    return _compiled(function, {})


def exclusive(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function during which no other Python thread runs.

    For kernels on memory that others may move: a queue of `torch.multiprocessing` does so in a
    thread of its own, some time after a tensor was put on it.
    """
    return _compiled(function, {"nogil": False})


def load(kernel: Callable[..., object], arguments: Sequence[object]) -> None:
    """Have a kernel ready for arguments like these: its first call would load or compile it, while
    other threads run."""
    if not getattr(kernel, "overloads", True):  # none at all where NUMBA_DISABLE_JIT is set
        kernel.compile(tuple(map(numba.typeof, arguments)))  # type: ignore[attr-defined]


def summing(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function whose sums may be taken in any order, as those of a matrix product."""
    return _compiled(function, {"fastmath": {"reassoc", "contract"}})


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function into each kernel that calls it."""
    return _compiled(function, {"inline": "always"})


def force_inlined(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function whose machine code each of its callers takes in."""
    return _compiled(function, {"forceinline": True})


def _compiled(function: Callable[P, R], options: dict[str, Any]) -> Callable[P, R]:
    kernel = numba.njit(**{"error_model": "numpy", "nogil": True} | options)(function)
    if function.__module__.startswith(f"{__package__}."):  # the folder is named by these sources
        kernel._cache = DiskCache(function)  # type: ignore[attr-defined]
    return kernel
