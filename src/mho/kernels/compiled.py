"""How kernels are compiled: at their first call, and kept on disk between runs.

Every operation is an IEEE one in the order in which it is written, but for sums said to be free.
Numba takes as long to import as a fifth of torch, so it is imported when a kernel is first needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import getclosurevars
from threading import RLock
from types import FunctionType
from typing import Any, Generic, ParamSpec, TypeVar, cast

from mho.kernels.disk_cache import DiskCache

P = ParamSpec("P")
R = TypeVar("R")


class Kernel(Generic[P, R]):
    """A function of arrays and numbers that Numba compiles when it is first called.

    Args:
        function: of a module; kernels that it calls are names of this module, and not itself.
        options: of `numba.njit`.
    """

    def __init__(self, function: Callable[P, R], options: dict[str, Any]) -> None:
        self.py_func = function
        """What is compiled, which works on tensors and Python's numbers too if it says so."""
        self._options = options
        self._made: Any = None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return (self._made or self.made())(*args, **kwargs)

    def made(self) -> Any:
        """Numba's dispatcher of the function; a plain function where NUMBA_DISABLE_JIT is set."""
        with _making:  # several threads may come to their first call at once
            if self._made is None:
                self._made = self._make()
        return self._made

    def ready(self, arguments: Sequence[object]) -> Callable[..., R]:
        """What runs the kernel, with machine code for arguments like these: a first call would load
        or compile it, while other threads run."""
        made = self._made or self.made()
        if not getattr(made, "overloads", True):
            from numba import typeof

            made.compile(tuple(map(typeof, arguments)))
        return made

    def _make(self) -> Any:
        import numba

        own = cast(FunctionType, self.py_func)
        called = {
            name: each.made()
            for name, each in getclosurevars(self.py_func).globals.items()
            if isinstance(each, Kernel)
        }
        function = FunctionType(
            own.__code__, own.__globals__ | called, own.__name__, own.__defaults__
        )
        function.__qualname__ = own.__qualname__
        made = numba.njit(**{"error_model": "numpy", "nogil": True} | self._options)(function)
        if own.__module__.startswith(f"{__package__}."):  # the folder is named by these sources
            made._cache = DiskCache(function)  # type: ignore[attr-defined]
        return made


def compiled(function: Callable[P, R]) -> Kernel[P, R]:
    """Compile a function of arrays and numbers; other threads run meanwhile."""
    return Kernel(function, {})


def exclusive(function: Callable[P, R]) -> Kernel[P, R]:
    """Compile a function during which no other Python thread runs.

    For kernels on memory that others may move: a queue of `torch.multiprocessing` does so in a
    thread of its own, some time after a tensor was put on it.
    """
    return Kernel(function, {"nogil": False})


def summing(function: Callable[P, R]) -> Kernel[P, R]:
    """Compile a function whose sums may be taken in any order, as those of a matrix product."""
    return Kernel(function, {"fastmath": {"reassoc", "contract"}})


def inlined(function: Callable[P, R]) -> Kernel[P, R]:
    """Compile a function into each kernel that calls it."""
    return Kernel(function, {"inline": "always"})


def force_inlined(function: Callable[P, R]) -> Kernel[P, R]:
    """Compile a function whose machine code each of its callers takes in."""
    return Kernel(function, {"forceinline": True})


_making = RLock()
