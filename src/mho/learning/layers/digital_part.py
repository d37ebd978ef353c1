"""A matrix of a layer that stays digital beside others that are on arrays."""

from __future__ import annotations

from typing import ClassVar, Self

import torch.nn.functional as F
from jaxtyping import Shaped
from torch import Tensor, nn

from mho.learning.layers.recomputed import mask_of


class DigitalPart(nn.Linear):
    """A linear layer as torch has it, which all chips share.

    What is pruned stays 0: weights and biases whose `weight_mask`, `bias_mask` is 0.
    """

    takes_chips: ClassVar[bool] = True
    """Chips may be folded into the first dimension of its inputs."""

    weight_mask: Tensor | None
    bias_mask: Tensor | None

    @classmethod
    def adopt(cls, module: nn.Linear) -> Self:
        """The part that takes over the parameters of a linear layer."""
        biased = module.bias is not None
        self = cls(module.in_features, module.out_features, biased, device="meta")
        self.weight, self.bias = module.weight, module.bias
        for name in ("weight", "bias"):
            self.register_buffer(f"{name}_mask", None)
            self.prune(name, mask_of(module, name))
        return self

    def prune(self, name: str, mask: Tensor | None) -> None:
        """Have the weights, or biases, at which a mask of the parameter's shape is 0 stay 0."""
        if mask is not None:
            setattr(self, f"{name}_mask", mask.detach().clone())

    def kept(self) -> tuple[Tensor, Tensor | None]:
        """Weight (out, in) and bias (out,), 0 where they are pruned; no gradient goes there."""
        weight, bias = self.weight, self.bias
        if self.weight_mask is not None:
            weight = weight * self.weight_mask
        if bias is not None and self.bias_mask is not None:
            bias = bias * self.bias_mask
        return weight, bias

    def forward(self, input: Tensor) -> Tensor:
        """(..., in_features) to (..., out_features)."""
        return F.linear(input, *self.kept())

    def read(self, x: Shaped[Tensor, "chips ..."]) -> Shaped[Tensor, "chips ..."]:
        """Outputs of inputs (chips, ...), by the name that parts on arrays have for it."""
        return self(x)
