"""Chips that nobody has looked into since their cells were first written: these are made again when
something asks for them.

To read the arrays takes the weights that they realize. What each cell holds and went through
follows from the seed, the hardware and the levels: it is made a few chips at a time to find those
weights, and once more, all of it, when it is asked for.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

R = TypeVar("R")

_CELLS = 1 << 19
"""Cells made at a time: what is computed of them stays in the caches of a CPU."""
_ON_OTHERS = 1 << 24
"""The same on other devices."""


class Owner(Protocol):
    """A module whose buffers are not there yet."""

    def restore(self) -> None:
        """Have them."""


class Untouched(MutableMapping[str, Tensor]):
    """In place of the buffers of a module: the first that is asked for has all of them made.

    Args:
        owner: the module; its `restore` puts an ordinary dict in place of this.
        names: of the buffers.
    """

    def __init__(self, owner: Owner, names: Sequence[str]) -> None:
        self._owner, self._names = owner, dict.fromkeys(names)

    def _made(self) -> dict[str, Tensor]:
        self._owner.restore()
        return self._owner.__dict__["_buffers"]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._names:
            raise KeyError(name)
        return self._made()[name]

    def __setitem__(self, name: str, value: Tensor) -> None:
        self._made()[name] = value

    def __delitem__(self, name: str) -> None:
        del self._made()[name]

    def __deepcopy__(self, memo: dict[int, Any]) -> Untouched:
        return Untouched(copy.deepcopy(self._owner, memo), [*self._names])

    def __reduce__(self) -> tuple[object, ...]:
        return Untouched, (self._owner, [*self._names])


def by_parts(work: Callable[[slice], R], chips: int, cells: int, device: torch.device) -> list[R]:
    """What `work` makes of chips, a few at a time, on as many threads as torch uses.

    Args:
        work: is given which chips, from 0 to `chips` - 1; changes nothing that others look at.
        cells: of each chip.
        device: where they are made.
    """
    on_cpu = device.type == "cpu"
    each = max(1, (_CELLS if on_cpu else _ON_OTHERS) // cells)
    parts = [slice(first, min(first + each, chips)) for first in range(0, chips, each)]
    threads = torch.get_num_threads()

    def done(part: slice) -> R:
        with torch.inference_mode(mode=False), torch.no_grad():
            return work(part)

    if not on_cpu or min(threads, len(parts)) == 1:
        return [*map(done, parts)]
    together = min(threads, len(parts))
    try:
        with ThreadPoolExecutor(together, "chips", torch.set_num_threads, (1,)) as pool:
            return [*pool.map(done, parts)]
    finally:
        torch.set_num_threads(threads)  # later threads get the number that was set last, by anyone
