"""How kernels are compiled: at their first call, kept on disk between runs where that is allowed.

Every operation is an IEEE one in the order in which it is written, but for sums said to be free.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import numba

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function of arrays and numbers."""
    return _compiled(function, {})


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
    options = {"error_model": "numpy", "nogil": True} | options
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # there is no folder to keep it in
        return numba.njit(**options)(function)
