"""The drop-in linear layer."""

from __future__ import annotations

from typing import Self

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mho.arguments import checked
from mho.errors import invalid
from mho.hardware import Hardware
from mho.hardware.streams import seed_of
from mho.learning.layers.conversion import Conversion
from mho.learning.layers.layer import ArrayLayer, Size
from mho.learning.layers.product import Dense


class MemristiveLinear(ArrayLayer, nn.Linear):
    """`nn.Linear` on memristors: `y = x W^T + b` with W as the arrays hold it.

    Input (..., in_features), output (..., out_features); with chips above 1 the first dimension is
    (chips * batch), chip-major.

    Args:
        in_features, out_features, bias: as in torch; the bias stays digital.
        hardware: the kind of chip.
        chips: number of chips simulated at once.
        generator: source of the chips' seed; None: torch's default generator, as for the weight.

    Raises:
        ValueError: an impossible size, or a batch that the chips do not divide.
        RuntimeError: the shadow weight moved and the arrays were not written.
    """

    @checked
    def __init__(
        self,
        in_features: Size,
        out_features: Size,
        bias: bool = True,
        *,
        hardware: Hardware,
        chips: int = 1,
        generator: torch.Generator | None = None,
    ) -> None:
        nn.Linear.__init__(self, in_features, out_features, bias)
        self._install(hardware, range(chips), seed_of(generator))

    def _product(self) -> Dense:
        return Dense(self.in_features)

    @classmethod
    def adopt(cls, module: nn.Module, conversion: Conversion) -> Self:
        """The memristive twin of an `nn.Linear`."""
        assert isinstance(module, nn.Linear)
        self = cls.__new__(cls)
        bias = module.bias is not None
        nn.Linear.__init__(self, module.in_features, module.out_features, bias, device="meta")
        return self._adopt(module, conversion)

    def digital(self) -> nn.Linear:
        """A plain `nn.Linear` of the same shape, its parameters yet to be set."""
        return nn.Linear(self.in_features, self.out_features, self.bias is not None, device="meta")

    def forward(self, input: Tensor) -> Float[Tensor, "*_ {self.out_features}"]:
        """(..., in_features) to (..., out_features)."""
        return self._read(input)

    def _check_shape(self, x: Tensor) -> None:
        if x.shape[-1:] != (self.in_features,):
            allowed = f"(..., {self.in_features})"
            raise invalid(f"{self.label} input, of shape", tuple(x.shape), allowed)
