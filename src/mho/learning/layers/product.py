"""What the arrays of a layer compute: inputs times one matrix for each chip, and the way back.

One leaf a kind of layer. With `chips` above 1 the first dimension of inputs and outputs holds all
chips' batches, chip-major: (chips * n, ...). Weights are (chips * out, in).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mho.hardware.sensing import row_size
from mho.kernels import native
from mho.kernels.inputs import patch_sizes


class Product(ABC):
    """Pure functions of tensors; leaves are final."""

    column_dim: ClassVar[int]
    """Dimension of the outputs' columns, from the end."""

    prepares: bool = False
    """Whether inputs must go through `prepared` before the arrays read them."""

    def prepared(self, x: Tensor) -> Tensor:
        """Inputs as `columns` takes them."""
        return x

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
        """Input vectors (n, in) of prepared inputs, one for each read of the arrays."""

    @abstractmethod
    def from_rows(self, y: Tensor, x: Tensor) -> Tensor:
        """Outputs, shaped as `columns` gives them, of columns (n, out) of the vectors of x."""

    @abstractmethod
    def input_size(self, x: Tensor) -> Tensor:
        """Root of the sum of the squared inputs of each output, 1 column for all."""

    @abstractmethod
    def input_sum(self, x: Tensor) -> Tensor:
        """Sum of the inputs of each output, 1 column for all; of at least float32."""


@dataclass(frozen=True)
class Dense(Product):
    """Rows (..., in) times a matrix: (..., out)."""

    column_dim: ClassVar[int] = -1

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


@dataclass(frozen=True)
class Convolution(Product):
    """Maps (n, channels, h, w) with a kernel: each output pixel is a read of the unrolled one."""

    column_dim: ClassVar[int] = -3

    kernel: tuple[int, int, int]
    """Channels, height and width."""
    stride: tuple[int, int]
    dilation: tuple[int, int]
    pad: tuple[int, int] | None
    """Zeros that the convolution adds on each side; None: the input comes padded."""
    edges: tuple[int, ...]
    """What is padded on all four sides, as `F.pad` takes it."""
    padding_mode: str

    @classmethod
    def of(cls, conv: nn.Conv2d) -> Convolution:
        """The product of a torch layer."""
        plain = conv.padding_mode == "zeros" and not isinstance(conv.padding, str)
        return cls(
            kernel=(conv.in_channels, *conv.kernel_size),  # type: ignore[arg-type]
            stride=conv.stride,  # type: ignore[arg-type]
            dilation=conv.dilation,  # type: ignore[arg-type]
            pad=conv.padding if plain else None,  # type: ignore[arg-type]
            edges=tuple(conv._reversed_padding_repeated_twice),
            padding_mode="constant" if conv.padding_mode == "zeros" else conv.padding_mode,
        )

    @property
    def prepares(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """What convolutions cannot pad themselves, they are given padded."""
        return self.pad is None

    def prepared(self, x: Tensor) -> Tensor:
        return x if self.pad is not None else self._padded(x)

    def _padded(self, x: Tensor) -> Tensor:
        return F.pad(x, self.edges, mode=self.padding_mode) if any(self.edges) else x

    def columns(self, x: Tensor, w: Tensor, chips: int) -> Tensor:
        """One convolution, with chips as groups."""
        # (chips * out, in) -> (chips * out, channels, h, w)
        w, pad = w.unflatten(1, self.kernel), self.pad or 0
        y = F.conv2d(_grouped(x, chips), w, None, self.stride, pad, self.dilation, chips)
        return _ungrouped(y, chips)

    def gradients(
        self, grad: Tensor, x: Tensor, w: Tensor, chips: int, needed: tuple[bool, bool]
    ) -> tuple[Tensor | None, Tensor | None]:
        to_x, to_w, _ = torch.ops.aten.convolution_backward(
            *(_grouped(grad, chips), _grouped(x, chips), w.unflatten(1, self.kernel), None),
            *(self.stride, self.pad or (0, 0), self.dilation, False, (0, 0), chips),
            (*needed, False),
        )
        if needed[1] and chips > 1:
            # (chips * out, channels, h, w) -> (out, channels, h, w)
            to_w = to_w.unflatten(0, (chips, -1)).sum(0)
        return _ungrouped(to_x, chips) if needed[0] else None, to_w

    def rows(self, x: Tensor) -> Tensor:
        x = x if self.pad is None else self._padded(x)
        # (n, channels, h, w) -> (n, in, pixels) -> (n, pixels, in)
        patches = F.unfold(x, self.kernel[1:], self.dilation, 0, self.stride).transpose(1, 2)
        return patches.flatten(0, 1)  # (n * pixels, in)

    def from_rows(self, y: Tensor, x: Tensor) -> Tensor:
        # (n * pixels, out) -> (n, h', w', out) -> (n, out, h', w')
        return y.unflatten(0, (x.shape[0], *self._map_size(x))).movedim(-1, 1)

    def input_size(self, x: Tensor) -> Tensor:
        """Of each patch (n, 1, h', w'): down its columns, then along."""
        if native(x):
            size = x.new_empty(len(x), *self._map_size(x))
            geometry = (self.kernel[1:], self.stride, self.dilation, self.pad or (0, 0))
            patch_sizes(x.numpy(), *geometry, size.numpy())
            return size.unsqueeze(1)
        return self._patch_sums(x.square().sum(1, keepdim=True)).sqrt()

    def input_sum(self, x: Tensor) -> Tensor:
        return self._patch_sums(wide_sum(x, 1))

    def _patch_sums(self, x: Tensor) -> Tensor:
        """Sums of each patch (n, 1, h', w') of maps x (n, 1, h, w): down its columns, then
        along."""
        if self.pad is not None:
            x = F.pad(x, self.edges)
        (_, high, wide), (down, along) = self.kernel, self.stride
        x = _window_sums(x, -2, high, self.dilation[0])[..., ::down, :]
        return _window_sums(x, -1, wide, self.dilation[1])[..., ::along]

    def _map_size(self, x: Tensor) -> tuple[int, int]:
        """Height and width of the outputs of prepared inputs x."""
        above, left = self.pad or (0, 0)
        (_, high, wide), (down, along), (apart, beside) = self.kernel, self.stride, self.dilation
        height = x.shape[-2] + 2 * above - apart * (high - 1) - 1
        width = x.shape[-1] + 2 * left - beside * (wide - 1) - 1
        return height // down + 1, width // along + 1


def _grouped(x: Tensor, chips: int) -> Tensor:
    """(chips * n, c, h, w) to (n, chips * c, h, w)."""
    if chips == 1:
        return x
    # Channels last: grouped convolutions run several times faster so.
    folded = x.unflatten(0, (chips, -1))  # (chips, n, c, h, w)
    # (n, h, w, chips * c), then the channels to the front, memory as it is
    return folded.permute(1, 3, 4, 0, 2).flatten(3).permute(0, 3, 1, 2)


def _ungrouped(x: Tensor, chips: int) -> Tensor:
    """(n, chips * c, h, w) to (chips * n, c, h, w)."""
    if chips == 1:
        return x
    x = x.permute(0, 2, 3, 1).unflatten(3, (chips, -1))  # (n, h, w, chips, c)
    # (chips * n, h, w, c), then the channels to the front
    return x.permute(3, 0, 1, 2, 4).flatten(0, 1).permute(0, 3, 1, 2)


def _window_sums(x: Tensor, dim: int, size: int, dilation: int) -> Tensor:
    """Sums over every window of `size` values, `dilation` apart, along one dimension."""
    length = x.shape[dim] - dilation * (size - 1)
    total = x.narrow(dim, 0, length).clone()
    for k in range(1, size):
        total += x.narrow(dim, dilation * k, length)
    return total
