"""How kernels are compiled: at their first call, kept on disk between runs where that is allowed.

Every operation is an IEEE one in the order in which it is written, but for sums said to be free.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numba

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
    if not kernel.overloads:  # type: ignore[attr-defined]
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
    options = {"error_model": "numpy", "nogil": True} | options
    before = numba.config.CACHE_DIR  # type: ignore[attr-defined]
    numba.config.CACHE_DIR = _folder(before)  # type: ignore[attr-defined]
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # there is no folder to keep it in
        return numba.njit(**options)(function)
    finally:
        numba.config.CACHE_DIR = before  # type: ignore[attr-defined]


def _folder(given: str) -> str:
    """Folder of what is compiled of the present sources, as a kernel may contain others; none,
    which leaves the choice to Numba, if it may not be made."""
    place = Path(given) if given else _HERE / "__pycache__"
    return str(place / f"kernels-{_SOURCES}") if given or os.access(_HERE, os.W_OK) else ""


def _digest() -> str:
    """Of the text of all kernels."""
    digest = hashlib.blake2b(digest_size=6)
    for file in sorted(_HERE.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


_HERE = Path(__file__).parent
_SOURCES = _digest()
