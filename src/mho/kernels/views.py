"""NumPy views of tensors that many kernels take, made once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from mho.kernels import native, transforming


class Views:
    """Views of some tensors, made anew where a tensor's memory is another.

    A copy makes its own.
    """

    def __init__(self) -> None:
        self._places: list[int] = []
        self._views: list[np.ndarray] | None = None

    def __call__(self, tensors: Sequence[Tensor]) -> list[np.ndarray] | None:
        """The views, in order, the same list until one is made anew; None where kernels cannot work
        on the tensors."""
        if transforming():
            return None
        places = [t.data_ptr() for t in tensors]
        if places != self._places:
            fit = all(map(fits, tensors))
            self._views = [t.detach().numpy() for t in tensors] if fit else None
            self._places = places
        return self._views

    def __deepcopy__(self, memo: object) -> Views:
        return Views()

    def __reduce__(self) -> tuple[type[Views], tuple[()]]:
        return Views, ()


def fits(tensor: Tensor) -> bool:
    """Whether kernels can work on a tensor, counts and levels among them."""
    whole = not tensor.is_floating_point()
    return native(tensor) or (whole and tensor.is_cpu and tensor.is_contiguous())
