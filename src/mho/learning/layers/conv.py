"""The drop-in convolution."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mho.arguments import checked
from mho.config import Range
from mho.errors import invalid
from mho.hardware import Hardware
from mho.hardware.streams import seed_of
from mho.learning.layers.conversion import Conversion
from mho.learning.layers.layer import ArrayLayer, Size
from mho.learning.layers.product import Convolution

Padding = Annotated[int, Range(least=0)]


class MemristiveConv2d(ArrayLayer, nn.Conv2d):
    """`nn.Conv2d` on memristors: each output pixel is one read of the unrolled kernel matrix.

    Input (batch, in_channels, height, width), batch folded chip-major if chips is above 1. The
    matrix has kernel_h * kernel_w * in_channels rows and out_channels columns.

    Args:
        as in torch, groups = 1 only; hardware, chips, generator as in `MemristiveLinear`.

    Raises:
        ValueError, RuntimeError: as `MemristiveLinear`.
    """

    @checked
    def __init__(
        self,
        in_channels: Size,
        out_channels: Size,
        kernel_size: Size | tuple[Size, Size],
        stride: Size | tuple[Size, Size] = 1,
        padding: Literal["valid", "same"] | Padding | tuple[Padding, Padding] = 0,
        dilation: Size | tuple[Size, Size] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: Literal["zeros", "reflect", "replicate", "circular"] = "zeros",
        *,
        hardware: Hardware,
        chips: int = 1,
        generator: torch.Generator | None = None,
    ) -> None:
        _check_groups(groups)
        geometry = (in_channels, out_channels, kernel_size, stride, padding, dilation, groups)
        nn.Conv2d.__init__(self, *geometry, bias, padding_mode)  # type: ignore[arg-type]
        self._install(hardware, range(chips), seed_of(generator))

    def _product(self) -> Convolution:
        return Convolution.of(self)

    @classmethod
    def adopt(cls, module: nn.Module, conversion: Conversion) -> Self:
        """The memristive twin of an `nn.Conv2d`."""
        assert isinstance(module, nn.Conv2d)
        _check_groups(module.groups)
        self = cls.__new__(cls)
        nn.Conv2d.__init__(self, *_geometry(module), device="meta")
        return self._adopt(module, conversion)

    def digital(self) -> nn.Conv2d:
        """A plain `nn.Conv2d` of the same shape, its parameters yet to be set."""
        return nn.Conv2d(*_geometry(self), device="meta")

    def forward(
        self, input: Tensor
    ) -> Float[Tensor, "*_ {self.out_channels} height_out width_out"]:
        """(n, in_channels, h, w) to (n, out_channels, h', w')."""
        if self._is_unbatched(input):
            return self.forward(input.unsqueeze(0)).squeeze(0)
        return self._read(input)

    def _check_shape(self, x: Tensor) -> None:
        if x.dim() != 4 or x.shape[-3] != self.in_channels:
            allowed = f"(n, {self.in_channels}, height, width)"
            raise invalid(f"{self.label} input, of shape", tuple(x.shape), allowed)
        across = zip(self.dilation, self.kernel_size, strict=True)
        least = [dilation * (size - 1) + 1 for dilation, size in across]
        left, right, top, bottom = self._reversed_padding_repeated_twice
        if x.shape[-2] + top + bottom < least[0] or x.shape[-1] + left + right < least[1]:
            allowed = f"at least {least[0]} x {least[1]} pixels, padding included"
            raise invalid(f"{self.label} input, of shape", tuple(x.shape), allowed)


def _geometry(conv: nn.Conv2d) -> tuple[Any, ...]:
    """Positional arguments of `nn.Conv2d`."""
    shape = (conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride, conv.padding)
    return (*shape, conv.dilation, conv.groups, conv.bias is not None, conv.padding_mode)


def _check_groups(groups: int) -> None:
    if groups != 1:
        raise invalid("MemristiveConv2d.groups", groups, "1; a group needs arrays of its own")
