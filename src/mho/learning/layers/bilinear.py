"""The drop-in bilinear layer."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mho.arguments import checked
from mho.errors import invalid
from mho.hardware import Hardware
from mho.hardware.streams import seed_of
from mho.learning.layers.conversion import Conversion
from mho.learning.layers.inputs import check_input
from mho.learning.layers.layer import ArrayLayer, Size
from mho.learning.layers.product import Dense


class MemristiveBilinear(ArrayLayer, nn.Bilinear):
    """`nn.Bilinear` on memristors: `y_k = sum over i, j of x_i W_kij z_j + b_k`.

    The products x_i z_j of the two inputs are digital; they are what the arrays are read with, as
    one vector of in1_features * in2_features. Inputs (..., in1_features) and (..., in2_features),
    output (..., out_features); with chips above 1 first dimensions are (chips * batch).

    Args:
        in1_features, in2_features, out_features, bias: as in torch; the bias stays digital.
        hardware, chips, generator: as in `MemristiveLinear`.

    Raises:
        ValueError, RuntimeError: as `MemristiveLinear`.
    """

    inputs: ClassVar[int] = 2

    @checked
    def __init__(
        self,
        in1_features: Size,
        in2_features: Size,
        out_features: Size,
        bias: bool = True,
        *,
        hardware: Hardware,
        chips: Size = 1,
        generator: torch.Generator | None = None,
    ) -> None:
        nn.Bilinear.__init__(self, in1_features, in2_features, out_features, bias)
        self._install(hardware, range(chips), seed_of(generator))

    def _product(self) -> Dense:
        return Dense(self.in1_features * self.in2_features)

    @classmethod
    def adopt(cls, module: nn.Module, conversion: Conversion) -> Self:
        """The memristive twin of an `nn.Bilinear`."""
        assert isinstance(module, nn.Bilinear)
        self = cls.__new__(cls)
        nn.Bilinear.__init__(self, *_sizes(module), device="meta")
        return self._adopt(module, conversion)

    def digital(self) -> nn.Bilinear:
        """A plain `nn.Bilinear` of the same shape, its parameters yet to be set."""
        return nn.Bilinear(*_sizes(self), device="meta")

    def forward(self, input1: Tensor, input2: Tensor) -> Float[Tensor, "*_ {self.out_features}"]:
        """(..., in1_features) and (..., in2_features) to (..., out_features)."""
        self._check_inputs(input1, input2)
        return self._read(self.vectors(input1, input2))

    def vectors(self, *inputs: Tensor) -> Tensor:
        """Products (..., in1_features * in2_features) of both inputs."""
        # (..., in1, 1) * (..., 1, in2) -> (..., in1 * in2)
        return (inputs[0].unsqueeze(-1) * inputs[1].unsqueeze(-2)).flatten(-2)

    def _check_inputs(self, input1: Any, input2: Any) -> None:
        sizes = self.in1_features, self.in2_features
        for name, x, size in zip(("input1", "input2"), (input1, input2), sizes, strict=True):
            if not isinstance(x, Tensor) or not x.is_floating_point():
                check_input(f"{self.label} {name},", x, self.weight)
            if x.shape[-1:] != (size,):
                allowed = f"(..., {size})"
                raise invalid(f"{self.label} {name}, of shape", tuple(x.shape), allowed)
        if input1.shape[:-1] != input2.shape[:-1]:
            what = f"{tuple(input1.shape)} and {tuple(input2.shape)}"
            allowed = "the same but for the last dimension"
            raise invalid(f"{self.label} inputs, of shapes", what, allowed)


def _sizes(layer: nn.Bilinear) -> tuple[int, int, int, bool]:
    sizes = layer.in1_features, layer.in2_features, layer.out_features
    return *sizes, layer.bias is not None
