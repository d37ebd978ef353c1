"""What the arrays of a layer compute: inputs times one matrix for each chip, and the way back.

One leaf a kind of layer. With `chips` above 1 the first dimension of inputs and outputs holds all
chips' batches, chip-major: (chips * n, ...). Weights are (chips * out, in); of several groups, each
of which has inputs of its own, the outputs stand group after group, and `in` are those of one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from mho.hardware.sensing import row_size


class Product(ABC):
    """Pure functions of tensors; leaves are final."""

    column_dim: int = -1
    """Dimension of the outputs' columns, from the end: the last one, or, of maps, the second one of
    all, after the batch."""

    groups: int = 1
    """Parts of the outputs that have inputs of their own."""

    prepares: bool = False
    """Whether inputs must go through `prepared` before the arrays read them."""

    def prepared(self, x: Tensor) -> Tensor:
        """Inputs as `columns` takes them."""
        return x

    def giving(self, x: Tensor, size: tuple[int, ...]) -> Product:
        """The same for outputs of which maps, if they are such, are of a size, where inputs x leave
        that open."""
        return self

    @abstractmethod
    def columns(self, x: Tensor, w: Tensor, chips: int) -> Tensor:
        """Inputs (chips * n, ...) times weights (chips * out, in)."""

    @abstractmethod
    def gradients(
        self, grad: Tensor, x: Tensor, w: Tensor, chips: int, needed: tuple[bool, bool]
    ) -> tuple[Tensor | None, Tensor | None]:
        """Gradients of `columns` where needed: to the inputs, and to the one matrix of which each
        chip has its own, the chips' gradients added."""

    @abstractmethod
    def rows(self, x: Tensor) -> Tensor:
        """Input vectors (n, groups * in) of prepared inputs, one for each read of the arrays."""

    @abstractmethod
    def from_rows(self, y: Tensor, x: Tensor) -> Tensor:
        """Outputs, shaped as `columns` gives them, of columns (n, out) of the vectors of x."""

    @abstractmethod
    def input_size(self, x: Tensor) -> Tensor:
        """Root of the sum of the squared inputs of each output, 1 column for all of a group."""

    @abstractmethod
    def input_sum(self, x: Tensor) -> Tensor:
        """Sum of the inputs of each output, 1 column for all of a group; of at least float32."""


@dataclass(frozen=True)
class Dense(Product):
    """Rows (..., in) times a matrix: (..., out)."""

    inputs: int
    """Length of a row."""

    def columns(self, x: Tensor, w: Tensor, chips: int) -> Tensor:
        if chips == 1:
            return F.linear(x, w)
        # (chips * out, in) -> (chips, in, out)
        return _each(x, w.unflatten(0, (chips, -1)).transpose(1, 2))

    def gradients(
        self, grad: Tensor, x: Tensor, w: Tensor, chips: int, needed: tuple[bool, bool]
    ) -> tuple[Tensor | None, Tensor | None]:
        to_x = to_w = None
        if needed[0]:
            # (chips * n, ..., out) -> (chips * n, ..., in)
            to_x = grad @ w if chips == 1 else _each(grad, w.unflatten(0, (chips, -1)))
        if needed[1]:  # rows of all chips add up in one product
            if grad.dim() != 2:
                grad, x = grad.reshape(-1, grad.shape[-1]), x.reshape(-1, x.shape[-1])
            to_w = grad.T @ x  # (out, chips * n) @ (chips * n, in)
        return to_x, to_w

    def rows(self, x: Tensor) -> Tensor:
        return x.reshape(-1, self.inputs)

    def from_rows(self, y: Tensor, x: Tensor) -> Tensor:
        return y.view(*x.shape[:-1], y.shape[-1])

    input_size = staticmethod(row_size)  # pyright: ignore[reportAssignmentType]

    def input_sum(self, x: Tensor) -> Tensor:
        return wide_sum(x, -1)


def wide_sum(x: Tensor, dim: int) -> Tensor:
    """Sum along a dimension, which stays as 1, as precise as float32."""
    return x.sum(dim, keepdim=True, dtype=torch.promote_types(x.dtype, torch.float32))


def _each(x: Tensor, w: Tensor) -> Tensor:
    """Rows x (chips * n, ..., a) times each chip's matrix (chips, a, b)."""
    folded = x.unflatten(0, (len(w), -1)).flatten(1, -2)  # (chips, n * ..., a)
    return torch.bmm(folded, w).view(*x.shape[:-1], w.shape[2])
