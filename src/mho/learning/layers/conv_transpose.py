"""The drop-in transposed convolutions in one, two and three dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from mho.arguments import checked
from mho.errors import invalid
from mho.hardware import Hardware
from mho.hardware.streams import seed_of
from mho.kinds import taken
from mho.learning.layers.conv import MapLayer, Padding
from mho.learning.layers.convolution import (
    MapProduct,
    TransposedConvolution,
    inputs_first,
    outputs_first,
)
from mho.learning.layers.graphs import uncompiled
from mho.learning.layers.layer import Size


class _ConvTranspose(MapLayer, _ConvTransposeNd):
    """What transposed convolutions share."""

    as_torch: ClassVar[bool] = False

    def _product(self) -> MapProduct:
        each = zip(self.output_padding, self.stride, self.dilation, strict=True)
        if any(further >= max(stride, dilation) for further, stride, dilation in each):
            allowed = f"smaller than the stride, {self.stride}, or the dilation, {self.dilation}"
            raise invalid(f"{self.label}.output_padding", self.output_padding, allowed)
        return TransposedConvolution.of(self)

    def from_torch(self, weight: Tensor) -> Tensor:
        """(in_channels, out_channels / groups, ...) to (out_channels, in_channels / groups,
        ...)."""
        return outputs_first(weight, self.groups)

    def to_torch(self, weight: Tensor) -> Tensor:
        """The inverse of `from_torch`."""
        return inputs_first(weight, self.groups)

    @classmethod
    def _geometry(cls, conv: _ConvNd) -> tuple[Any, ...]:
        shape = (conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride, conv.padding)
        return (*shape, conv.output_padding, conv.groups, conv.bias is not None, conv.dilation)

    def _answers_of(self, x: Tensor, size: Sequence[int] | None) -> Tensor:
        """`_answers`, of a size that is asked for."""
        if size is None or not isinstance(x, Tensor):
            return self._answers(x)
        return self._sized(x, size)

    @uncompiled
    def _sized(self, x: Tensor, size: Sequence[int]) -> Tensor:
        before = self.reading
        self.reading = before.of(TransposedConvolution.of(self, self._further(x, size)))
        try:
            return self._answers(x)
        finally:
            self.reading = before

    def _further(self, x: Tensor, size: Sequence[int]) -> tuple[int, ...]:
        """Output padding that gives outputs of a size, with or without batch and channels."""
        dims, field = len(self.kernel_size), f"{self.label} output_size"
        size = taken(field, size, tuple[int, ...])
        if x.dim() not in (dims + 1, dims + 2):
            self._check_shape(x)
        given = size[-dims:] if len(size) in (dims, x.dim()) else ()
        least = TransposedConvolution.of(self, (0,) * dims).map_size(tuple(x.shape[-dims:]))
        further = tuple(n - m for n, m in zip(given, least, strict=False))
        fits = all(0 <= f < stride for f, stride in zip(further, self.stride, strict=False))
        if len(further) != dims or not fits:
            each = zip(least, self.stride, strict=True)
            allowed = " x ".join(f"{m} to {m + s - 1}" if s > 1 else str(m) for m, s in each)
            raise invalid(field, size, f"{allowed} for this input")
        return further

    def _check_shape(self, x: Tensor) -> None:
        super()._check_shape(x)
        size = self.reading.product.map_size(tuple(x.shape[2:]))  # type: ignore[attr-defined]
        if min(size) < 1:
            shape = " x ".join(map(str, size))
            allowed = f"large enough for outputs of at least 1 pixel, not {shape}"
            raise invalid(f"{self.label} input, of shape", tuple(x.shape), allowed)


class MemristiveConvTranspose1d(_ConvTranspose, nn.ConvTranspose1d):
    """`nn.ConvTranspose1d` on memristors; as `MemristiveConvTranspose2d`, of inputs (batch,
    in_channels, length)."""

    kind = nn.ConvTranspose1d

    @checked
    def __init__(
        self,
        in_channels: Size,
        out_channels: Size,
        kernel_size: Size | tuple[Size],
        stride: Size | tuple[Size] = 1,
        padding: Padding | tuple[Padding] = 0,
        output_padding: Padding | tuple[Padding] = 0,
        groups: Size = 1,
        bias: bool = True,
        dilation: Size | tuple[Size] = 1,
        padding_mode: Literal["zeros"] = "zeros",
        *,
        hardware: Hardware,
        chips: int = 1,
        generator: torch.Generator | None = None,
    ) -> None:
        shape = (in_channels, out_channels, kernel_size, stride, padding, output_padding, groups)
        given = (*shape, bias, dilation, padding_mode)
        self._begin(given, hardware, chips, seed_of(generator), groups)

    def forward(
        self, input: Tensor, output_size: Sequence[int] | None = None
    ) -> Float[Tensor, "*_ {self.out_channels} length_out"]:
        """(n, in_channels, length) to (n, out_channels, length'), of `output_size` if given."""
        return self._answers_of(input, output_size)


class MemristiveConvTranspose2d(_ConvTranspose, nn.ConvTranspose2d):
    """`nn.ConvTranspose2d` on memristors: each output pixel is one read of the unrolled kernel.

    Input (batch, in_channels, height, width), batch folded chip-major if chips is above 1. As torch
    puts it, zeros stand between the pixels of the input, which is then convolved: the matrix has
    kernel_h * kernel_w * in_channels rows and out_channels columns, and each group its own arrays;
    see `TransposedConvolution` for the other way. `weight` is kept with outputs first,
    (out_channels, in_channels / groups, ...): plain torch states are loaded, and
    `mho.to_digital` gives them back, as torch has them.

    Args:
        as in torch; hardware, chips, generator as in `MemristiveLinear`.

    Raises:
        ValueError, RuntimeError: as `MemristiveLinear`.
    """

    kind = nn.ConvTranspose2d

    @checked
    def __init__(
        self,
        in_channels: Size,
        out_channels: Size,
        kernel_size: Size | tuple[Size, Size],
        stride: Size | tuple[Size, Size] = 1,
        padding: Padding | tuple[Padding, Padding] = 0,
        output_padding: Padding | tuple[Padding, Padding] = 0,
        groups: Size = 1,
        bias: bool = True,
        dilation: Size | tuple[Size, Size] = 1,
        padding_mode: Literal["zeros"] = "zeros",
        *,
        hardware: Hardware,
        chips: int = 1,
        generator: torch.Generator | None = None,
    ) -> None:
        shape = (in_channels, out_channels, kernel_size, stride, padding, output_padding, groups)
        given = (*shape, bias, dilation, padding_mode)
        self._begin(given, hardware, chips, seed_of(generator), groups)

    def forward(
        self, input: Tensor, output_size: Sequence[int] | None = None
    ) -> Float[Tensor, "*_ {self.out_channels} height_out width_out"]:
        """(n, in_channels, h, w) to (n, out_channels, h', w'), of `output_size` if given."""
        return self._answers_of(input, output_size)


class MemristiveConvTranspose3d(_ConvTranspose, nn.ConvTranspose3d):
    """`nn.ConvTranspose3d` on memristors; as `MemristiveConvTranspose2d`, of inputs (batch,
    in_channels, depth, height, width)."""

    kind = nn.ConvTranspose3d

    @checked
    def __init__(
        self,
        in_channels: Size,
        out_channels: Size,
        kernel_size: Size | tuple[Size, Size, Size],
        stride: Size | tuple[Size, Size, Size] = 1,
        padding: Padding | tuple[Padding, Padding, Padding] = 0,
        output_padding: Padding | tuple[Padding, Padding, Padding] = 0,
        groups: Size = 1,
        bias: bool = True,
        dilation: Size | tuple[Size, Size, Size] = 1,
        padding_mode: Literal["zeros"] = "zeros",
        *,
        hardware: Hardware,
        chips: int = 1,
        generator: torch.Generator | None = None,
    ) -> None:
        shape = (in_channels, out_channels, kernel_size, stride, padding, output_padding, groups)
        given = (*shape, bias, dilation, padding_mode)
        self._begin(given, hardware, chips, seed_of(generator), groups)

    def forward(
        self, input: Tensor, output_size: Sequence[int] | None = None
    ) -> Float[Tensor, "*_ {self.out_channels} depth_out height_out width_out"]:
        """(n, in_channels, d, h, w) to (n, out_channels, d', h', w'), of `output_size` if given."""
        return self._answers_of(input, output_size)
