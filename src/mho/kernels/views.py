"""NumPy views of tensors that many kernels take, made once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor

from mho.kernels import native, transforming


class Views:
    """Views of some tensors of a table by name, made anew where a tensor's memory is another.

    A copy makes its own.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self._places: list[int] = []
        self._views: list[np.ndarray] | None = None

    def __call__(self, table: Mapping[str, Tensor | None]) -> list[np.ndarray] | None:
        """The views, in the order of the names; None where kernels cannot work on the tensors."""
        if transforming():
            return None
        tensors = [table[name] for name in self._names]
        places = [t.data_ptr() for t in tensors if t is not None]
        if places != self._places:
            given = [t for t in tensors if t is not None]
            self._views = [t.numpy() for t in given] if all(map(_fits, given)) else None
            self._places = places
        return self._views

    def __deepcopy__(self, memo: object) -> Views:
        return Views(self._names)

    def __reduce__(self) -> tuple[type[Views], tuple[tuple[str, ...]]]:
        return Views, (self._names,)


def _fits(tensor: Tensor) -> bool:
    """Whether kernels can work on a tensor, counts and levels among them."""
    whole = not tensor.is_floating_point()
    return native(tensor) or (whole and tensor.is_cpu and tensor.is_contiguous())
