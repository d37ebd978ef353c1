"""The drop-in convolution."""

from __future__ import annotations

from typing import Any, Self

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from mho.errors import invalid
from mho.hardware import Hardware
from mho.hardware.streams import seed_of
from mho.kernels import native
from mho.kernels.inputs import patch_sizes
from mho.learning.layers.layer import ArrayLayer


class MemristiveConv2d(ArrayLayer, nn.Conv2d):
    """`nn.Conv2d` on memristors: each output pixel is one read of the unrolled kernel matrix.

    Input (batch, in_channels, height, width), batch folded chip-major if chips is above 1. The
    matrix has kernel_h * kernel_w * in_channels rows and out_channels columns.

    Args:
        as in torch, groups = 1 only; hardware, chips, generator as in `MemristiveLinear`.

    Raises:
        ValueError, RuntimeError: as `MemristiveLinear`.
    """

    column_dim = -3

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int],
        stride: int | tuple[int, int] = 1,
        padding: str | int | tuple[int, int] = 0,
        dilation: int | tuple[int, int] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        *,
        hardware: Hardware,
        chips: int = 1,
        generator: torch.Generator | None = None,
    ) -> None:
        _check_groups(groups)
        geometry = (in_channels, out_channels, kernel_size, stride, padding, dilation, groups)
        nn.Conv2d.__init__(self, *geometry, bias, padding_mode)  # type: ignore[arg-type]
        self._install(hardware, range(chips), seed_of(generator or torch.default_generator))

    @classmethod
    def adopt(cls, module: nn.Module, hardware: Hardware, chips: range, seed: int) -> Self:
        """The memristive twin of an `nn.Conv2d`."""
        assert isinstance(module, nn.Conv2d)
        _check_groups(module.groups)
        self = cls.__new__(cls)
        nn.Conv2d.__init__(self, *_geometry(module), device="meta")
        return self._adopt(module, hardware, chips, seed)

    def digital(self) -> nn.Conv2d:
        """A plain `nn.Conv2d` of the same shape, its parameters yet to be set."""
        return nn.Conv2d(*_geometry(self), device="meta")

    def forward(
        self, input: Float[Tensor, "*n {self.in_channels} height width"]
    ) -> Float[Tensor, "*n {self.out_channels} height_out width_out"]:
        """(n, in_channels, h, w) to (n, out_channels, h', w')."""
        if input.dim() == 3:
            return self.forward(input.unsqueeze(0)).squeeze(0)
        self._begin(input)
        if not self._converts_tiles and self._pad is not None:
            return self._readout(self._read(input))
        x = self.dac(input)
        # What convolutions cannot do themselves, they are given padded.
        x = x if self._pad is not None else self._padded(x)
        if self._converts_tiles:
            return self._readout(self._unrolled(x))
        return self._readout(self._read(x, driven=True))

    @property
    def _pad(self) -> tuple[int, int] | None:
        """Zeros that the convolution adds on each side; None: the input comes padded."""
        given = self.padding_mode == "zeros" and not isinstance(self.padding, str)
        return self.padding if given else None  # type: ignore[return-value]

    def _padded(self, x: Tensor) -> Tensor:
        if not any(self._reversed_padding_repeated_twice):
            return x
        mode = "constant" if self.padding_mode == "zeros" else self.padding_mode
        return F.pad(x, self._reversed_padding_repeated_twice, mode=mode)

    def _product(self, x: Tensor, w: Tensor) -> Tensor:
        """All rows of a column add up before the converter: a convolution, chips as groups."""
        w = w.unflatten(1, self.weight.shape[1:])
        pad = self._pad or 0
        y = F.conv2d(self._grouped(x), w, None, self.stride, pad, self.dilation, self.chips)
        return self._ungrouped(y)

    def _gradients(
        self, grad: Tensor, x: Tensor, w: Tensor, needed: tuple[bool, bool]
    ) -> tuple[Tensor | None, Tensor | None]:
        to_x, to_w, _ = torch.ops.aten.convolution_backward(
            self._grouped(grad),
            self._grouped(x),
            w.unflatten(1, self.weight.shape[1:]),
            None,
            self.stride,
            self._pad or (0, 0),
            self.dilation,
            False,
            (0, 0),
            self.chips,
            (*needed, False),
        )
        if needed[1] and self.chips > 1:
            to_w = self._fold(to_w).sum(0)
        return self._ungrouped(to_x) if needed[0] else None, to_w

    def _grouped(self, x: Tensor) -> Tensor:
        """(chips * n, c, h, w) to (n, chips * c, h, w)."""
        if self.chips == 1:
            return x
        # Channels last: grouped convolutions run several times faster so.
        return self._fold(x).permute(1, 3, 4, 0, 2).flatten(3).permute(0, 3, 1, 2)

    def _ungrouped(self, x: Tensor) -> Tensor:
        """(n, chips * c, h, w) to (chips * n, c, h, w)."""
        if self.chips == 1:
            return x
        x = x.permute(0, 2, 3, 1).unflatten(3, (self.chips, -1))
        return x.permute(3, 0, 1, 2, 4).flatten(0, 1).permute(0, 3, 1, 2)

    def _input_size(self, x: Tensor) -> Tensor:
        """Root of the sum of squares of each patch (n, 1, h', w'): down its columns, then along."""
        if native(x):
            size = x.new_empty(len(x), *self._map_size(x))
            geometry = (self.kernel_size, self.stride, self.dilation, self._pad or (0, 0))
            patch_sizes(x.numpy(), *geometry, size.numpy())  # type: ignore[arg-type]
            return size.unsqueeze(1)
        square = x.square().sum(1, keepdim=True)
        if self._pad is not None:
            square = F.pad(square, self._reversed_padding_repeated_twice)
        (high, wide), (down, along) = self.kernel_size, self.stride
        square = _window_sums(square, -2, high, self.dilation[0])[..., ::down, :]
        return _window_sums(square, -1, wide, self.dilation[1])[..., ::along].sqrt()

    def _unrolled(self, x: Tensor) -> Tensor:
        """Each tile's rows are converted on their own: unroll the patches, then a product."""
        return self._from_rows(self._read(self._as_rows(x), driven=True, by_tile=True), x)

    def _as_rows(self, x: Tensor) -> Tensor:
        x = x if self._pad is None else self._padded(x)
        patches = F.unfold(x, self.kernel_size, self.dilation, 0, self.stride).transpose(1, 2)
        return patches.flatten(0, 1)

    def _from_rows(self, y: Tensor, x: Tensor) -> Tensor:
        return y.unflatten(0, (x.shape[0], *self._map_size(x))).movedim(-1, 1)

    def _map_size(self, x: Tensor) -> tuple[int, int]:
        """Height and width of the outputs of inputs x, padded if the convolution cannot."""
        (high, wide), (down, along), (apart, beside) = self.kernel_size, self.stride, self.dilation
        above, left = self._pad or (0, 0)
        height = x.shape[-2] + 2 * above - apart * (high - 1) - 1
        width = x.shape[-1] + 2 * left - beside * (wide - 1) - 1
        return height // down + 1, width // along + 1


def _window_sums(x: Tensor, dim: int, size: int, dilation: int) -> Tensor:
    """Sums over every window of `size` values, `dilation` apart, along one dimension."""
    length = x.shape[dim] - dilation * (size - 1)
    total = x.narrow(dim, 0, length).clone()
    for k in range(1, size):
        total += x.narrow(dim, dilation * k, length)
    return total


def _geometry(conv: nn.Conv2d) -> tuple[Any, ...]:
    """Positional arguments of `nn.Conv2d`."""
    shape = (conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride, conv.padding)
    return (*shape, conv.dilation, conv.groups, conv.bias is not None, conv.padding_mode)


def _check_groups(groups: int) -> None:
    if groups != 1:
        raise invalid("MemristiveConv2d.groups", groups, "1; a group needs arrays of its own")
