"""Linear layers whose weight is kept as (in, out), such as GPT-2's."""

from __future__ import annotations

from typing import ClassVar, Self

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
from mho.learning.layers.replace import plain_type


class MemristiveTransposedLinear(ArrayLayer):
    """`y = x W + b` on memristors, of a layer with a weight (in, out) and a bias (out,): the
    `Conv1D` of the library transformers, of which GPT-2 and others are made.

    The shadow weight is (out, in). Input (..., in_features), output (..., out_features).

    Args:
        layer: what it stands for; its class is called with (out_features, in_features).
        hardware, chips, generator: as in `MemristiveLinear`.

    Raises:
        ValueError, RuntimeError: as `MemristiveLinear`.
    """

    as_torch: ClassVar[bool] = False

    @checked
    def __init__(
        self,
        layer: nn.Module,
        *,
        hardware: Hardware,
        chips: Size = 1,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self._take(layer, Conversion("", hardware, range(chips), seed_of(generator), {}))

    @classmethod
    def adopt(cls, module: nn.Module, conversion: Conversion) -> Self:
        """The layer on arrays that stands for one with a weight (in, out)."""
        self = cls.__new__(cls)
        nn.Module.__init__(self)
        return self._take(module, conversion)

    def _take(self, module: nn.Module, conversion: Conversion) -> Self:
        weight = getattr(module, "weight", None)
        if not isinstance(weight, Tensor) or weight.dim() != 2:
            raise invalid("layer", module, "one with a weight (in, out)")
        self._kind, (self.in_features, self.out_features) = plain_type(module), weight.shape
        self.register_parameter("bias", None)
        return self._adopt(module, conversion)

    def _product(self) -> Dense:
        return Dense(self.in_features)

    def from_torch(self, weight: Tensor) -> Tensor:
        """(in, out) to (out, in)."""
        return weight.T

    def to_torch(self, weight: Tensor) -> Tensor:
        """(out, in) to (in, out)."""
        return weight.T.contiguous()

    def digital(self) -> nn.Module:
        """A plain layer of the same class and sizes, its parameters yet to be set."""
        with torch.device("meta"):
            return self._kind(self.out_features, self.in_features)

    def forward(self, input: Tensor) -> Float[Tensor, "*_ {self.out_features}"]:
        """(..., in_features) to (..., out_features)."""
        return self._read(input)

    def _check_shape(self, x: Tensor) -> None:
        if x.shape[-1:] != (self.in_features,):
            allowed = f"(..., {self.in_features})"
            raise invalid(f"{self.label} input, of shape", tuple(x.shape), allowed)

    def extra_repr(self) -> str:
        """Sizes, and the cells."""
        return f"{self.in_features}, {self.out_features}{super().extra_repr()}"
