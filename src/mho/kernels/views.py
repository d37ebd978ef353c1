"""NumPy views of tensors that many kernels take, made once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import numpy as np
from torch import Tensor

from mho.kernels import allowed, native
from mho.kernels.compiled import Kernel

T = TypeVar("T")
R = TypeVar("R")

_address = Tensor.data_ptr


class NotForKernels(RuntimeError):
    """Kernels cannot work on tensors where these are, or may not."""


class Views(Generic[T]):
    """A record made of flat views of some tensors, made anew when memory has moved.

    A tensor may be the same object and stand elsewhere (`share_memory_`, `set_`, `.data =`), or be
    another one in its place; its identity tells neither. So each call compares the addresses of
    all, and the layout of the first, which is the one that users see. A copy makes its own views.
    """

    def __init__(self) -> None:
        self._seen: tuple[object, list[int]] | None = None
        self._record: T | None = None

    def of(self, tensors: Sequence[Tensor], gather: Callable[[list[np.ndarray]], T]) -> T | None:
        """The record; None where kernels cannot work on the tensors, or may not.

        Args:
            tensors: at least one, of any shapes.
            gather: makes the record of their views (n,), which come in order.
        """
        if not allowed():
            return None
        while (seen := (tensors[0].stride(), [*map(_address, tensors)])) != self._seen:
            # Another thread may move memory meanwhile: look again.
            fit = all(map(fits, tensors))
            self._record = gather([t.detach().view(-1).numpy() for t in tensors]) if fit else None
            self._seen = seen
        return self._record

    def run(
        self,
        tensors: Sequence[Tensor],
        gather: Callable[[list[np.ndarray]], T],
        kernel: Kernel[..., R],
        arguments: Callable[[T], tuple[object, ...]],
    ) -> R:
        """Call an `exclusive` kernel with arguments made of the record, as long as all tensors are
        where the record has them.

        Python lets other threads in where a function is called or a loop begins anew: there is
        neither between the last look at the addresses and the kernel.

        Args:
            tensors, gather: as in `of`.

        Raises:
            NotForKernels: there is no record; nothing was called.
        """
        while allowed():
            if (record := self._record) is not None:
                given, seen, stride = arguments(record), self._seen, tensors[0].stride()
                run = kernel.ready(given)
                places = map(_address, tensors)
                if (stride, [*places]) == seen:
                    return run(*given)
            if self.of(tensors, gather) is None:
                break
        raise NotForKernels("tensors are where kernels cannot work on them")

    def __deepcopy__(self, memo: object) -> Views[T]:
        return Views()

    def __reduce__(self) -> tuple[type[Views[T]], tuple[()]]:
        return Views, ()


def fits(tensor: Tensor) -> bool:
    """Whether kernels can work on a tensor, counts and levels among them."""
    whole = not tensor.is_floating_point()
    return native(tensor) or (whole and tensor.is_cpu and tensor.is_contiguous())
