"""The drop-in convolutions in one, two and three dimensions."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from mho.arguments import checked
from mho.config import Range
from mho.errors import invalid
from mho.hardware import Hardware
from mho.hardware.streams import seed_of
from mho.learning.layers.conversion import Conversion
from mho.learning.layers.convolution import Convolution, MapProduct
from mho.learning.layers.layer import ArrayLayer, Size

Padding = Annotated[int, Range(least=0)]
PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]


class MapLayer(ArrayLayer, _ConvNd):  # pyright: ignore[reportIncompatibleVariableOverride]
    """What layers on maps (n, channels, ...) share; a leaf is also torch's layer of the kind.

    Attributes:
        kind: that torch layer.
    """

    kind: ClassVar[type[_ConvNd]]

    def _begin(
        self, geometry: tuple[Any, ...], hardware: Hardware, chips: int, seed: int, groups: int
    ) -> None:
        """Make the torch layer of its positional arguments, and put its weight on arrays."""
        self._check_groups(geometry[0], geometry[1], groups)
        self.kind.__init__(self, *geometry)
        if not self.as_torch:
            self.weight = nn.Parameter(self.from_torch(self.weight.detach()))
        self._install(hardware, range(chips), seed)

    @classmethod
    def adopt(cls, module: nn.Module, conversion: Conversion) -> Self:
        """The memristive twin of a torch layer."""
        assert isinstance(module, cls.kind)
        self = cls.__new__(cls)
        cls.kind.__init__(self, *cls._geometry(module), device="meta")
        return self._adopt(module, conversion)

    def digital(self) -> nn.Module:
        """A plain torch layer of the same shape, its parameters yet to be set."""
        return self.kind(*self._geometry(self), device="meta")

    @classmethod
    def _geometry(cls, conv: _ConvNd) -> tuple[Any, ...]:
        """Positional arguments of the torch layer."""
        raise NotImplementedError

    @property
    def input_dims(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Dimensions of inputs, that of the batch included."""
        return 2 + len(self.kernel_size)

    def _answers(self, x: Tensor) -> Tensor:
        """(n, channels, ...) to (n, out, ...); or (channels, ...) to (out, ...)."""
        if self._is_unbatched(x):
            return self._read(x.unsqueeze(0)).squeeze(0)
        return self._read(x)

    def _check_shape(self, x: Tensor) -> None:
        size = ("length",), ("height", "width"), ("depth", "height", "width")
        names = ", ".join(size[len(self.kernel_size) - 1])
        if x.dim() != 2 + len(self.kernel_size) or x.shape[1] != self.in_channels:
            allowed = f"(n, {self.in_channels}, {names})"
            raise invalid(f"{self.label} input, of shape", tuple(x.shape), allowed)

    def _check_groups(self, inputs: int, outputs: int, groups: int) -> None:
        """Refuse groups that do not divide the channels."""
        if inputs % groups or outputs % groups:
            allowed = f"a number that divides both channels, {inputs} and {outputs}"
            raise invalid(f"{type(self).__name__}.groups", groups, allowed)


class _Conv(MapLayer):
    """What convolutions share."""

    def _product(self) -> MapProduct:
        return Convolution.of(self)

    @classmethod
    def _geometry(cls, conv: _ConvNd) -> tuple[Any, ...]:
        shape = (conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride, conv.padding)
        return (*shape, conv.dilation, conv.groups, conv.bias is not None, conv.padding_mode)

    def _check_shape(self, x: Tensor) -> None:
        super()._check_shape(x)
        across = zip(self.dilation, self.kernel_size, strict=True)
        least = [dilation * (size - 1) + 1 for dilation, size in across]
        edges = self._reversed_padding_repeated_twice
        # of each dimension, the last one first
        padded = [n + sum(edges[2 * i : 2 * i + 2]) for i, n in enumerate(reversed(x.shape[2:]))]
        if any(n < m for n, m in zip(reversed(padded), least, strict=True)):
            allowed = f"at least {' x '.join(map(str, least))} pixels, padding included"
            raise invalid(f"{self.label} input, of shape", tuple(x.shape), allowed)


class MemristiveConv1d(_Conv, nn.Conv1d):
    """`nn.Conv1d` on memristors; as `MemristiveConv2d`, of inputs (batch, in_channels, length)."""

    kind = nn.Conv1d

    @checked
    def __init__(
        self,
        in_channels: Size,
        out_channels: Size,
        kernel_size: Size | tuple[Size],
        stride: Size | tuple[Size] = 1,
        padding: Literal["valid", "same"] | Padding | tuple[Padding] = 0,
        dilation: Size | tuple[Size] = 1,
        groups: Size = 1,
        bias: bool = True,
        padding_mode: PaddingMode = "zeros",
        *,
        hardware: Hardware,
        chips: int = 1,
        generator: torch.Generator | None = None,
    ) -> None:
        geometry = (in_channels, out_channels, kernel_size, stride, padding, dilation, groups)
        given = (*geometry, bias, padding_mode)
        self._begin(given, hardware, chips, seed_of(generator), groups)

    def forward(self, input: Tensor) -> Float[Tensor, "*_ {self.out_channels} length_out"]:
        """(n, in_channels, length) to (n, out_channels, length')."""
        return self._answers(input)


class MemristiveConv2d(_Conv, nn.Conv2d):
    """`nn.Conv2d` on memristors: each output pixel is one read of the unrolled kernel matrix.

    Input (batch, in_channels, height, width), batch folded chip-major if chips is above 1. The
    matrix has kernel_h * kernel_w * in_channels rows and out_channels columns; of several groups,
    each has a matrix and arrays of its own, and all of them are read at once.

    Args:
        as in torch; hardware, chips, generator as in `MemristiveLinear`.

    Raises:
        ValueError, RuntimeError: as `MemristiveLinear`.
    """

    kind = nn.Conv2d

    @checked
    def __init__(
        self,
        in_channels: Size,
        out_channels: Size,
        kernel_size: Size | tuple[Size, Size],
        stride: Size | tuple[Size, Size] = 1,
        padding: Literal["valid", "same"] | Padding | tuple[Padding, Padding] = 0,
        dilation: Size | tuple[Size, Size] = 1,
        groups: Size = 1,
        bias: bool = True,
        padding_mode: PaddingMode = "zeros",
        *,
        hardware: Hardware,
        chips: int = 1,
        generator: torch.Generator | None = None,
    ) -> None:
        geometry = (in_channels, out_channels, kernel_size, stride, padding, dilation, groups)
        given = (*geometry, bias, padding_mode)
        self._begin(given, hardware, chips, seed_of(generator), groups)

    def forward(
        self, input: Tensor
    ) -> Float[Tensor, "*_ {self.out_channels} height_out width_out"]:
        """(n, in_channels, h, w) to (n, out_channels, h', w')."""
        return self._answers(input)


class MemristiveConv3d(_Conv, nn.Conv3d):
    """`nn.Conv3d` on memristors; as `MemristiveConv2d`, of inputs (batch, in_channels, depth,
    height, width)."""

    kind = nn.Conv3d

    @checked
    def __init__(
        self,
        in_channels: Size,
        out_channels: Size,
        kernel_size: Size | tuple[Size, Size, Size],
        stride: Size | tuple[Size, Size, Size] = 1,
        padding: Literal["valid", "same"] | Padding | tuple[Padding, Padding, Padding] = 0,
        dilation: Size | tuple[Size, Size, Size] = 1,
        groups: Size = 1,
        bias: bool = True,
        padding_mode: PaddingMode = "zeros",
        *,
        hardware: Hardware,
        chips: int = 1,
        generator: torch.Generator | None = None,
    ) -> None:
        geometry = (in_channels, out_channels, kernel_size, stride, padding, dilation, groups)
        given = (*geometry, bias, padding_mode)
        self._begin(given, hardware, chips, seed_of(generator), groups)

    def forward(
        self, input: Tensor
    ) -> Float[Tensor, "*_ {self.out_channels} depth_out height_out width_out"]:
        """(n, in_channels, d, h, w) to (n, out_channels, d', h', w')."""
        return self._answers(input)
