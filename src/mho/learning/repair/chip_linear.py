"""A digital linear layer behind the arrays, with weights of each chip's own."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from mho.arguments import checked
from mho.errors import invalid
from mho.learning.layers.arithmetic import FixedPointArithmetic
from mho.learning.layers.chip_pass import folded, of_pass
from mho.learning.layers.inputs import check_input


class ChipLinear(nn.Module):
    """`nn.Linear` with a weight and a bias for each chip; batch folded, chip-major.

    Input (chips * batch, ..., in_features). With one chip the batch may hold rows of any number of
    chips: all then share the weight.

    Args:
        linear: what every chip starts from; it is copied.
        chips: number of chips.

    Attributes:
        weight: (chips, out_features, in_features).
        bias: (chips, out_features), or None.
        arithmetic: how it computes, if not in floating point.
    """

    takes_chips: ClassVar[bool] = True
    """Chips may be folded into the first dimension of its inputs."""

    arithmetic: FixedPointArithmetic | None

    @checked
    def __init__(self, linear: nn.Linear, chips: int) -> None:
        super().__init__()
        if chips < 1:
            raise invalid("ChipLinear.chips", chips, "at least 1")
        self.chips = chips
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.weight = _repeated(linear.weight[None], chips)
        self.bias = None if linear.bias is None else _repeated(linear.bias[None], chips)
        self.arithmetic = None

    def spread(self, chips: int) -> None:
        """Give each of several chips what the only one so far has."""
        self.chips = chips
        self.weight = _repeated(self.weight, chips)
        self.bias = None if self.bias is None else _repeated(self.bias, chips)

    @checked
    def of_chip(self, chip: int) -> nn.Linear:
        """Torch's own linear layer with the weights of one chip."""
        linear = nn.Linear(self.in_features, self.out_features, device="meta")
        linear.weight = _repeated(self.weight[chip])
        linear.bias = None if self.bias is None else _repeated(self.bias[chip])  # type: ignore[assignment]
        return linear.train(self.training)

    def constants(self) -> dict[str, Tensor]:
        """Numbers that the digital unit keeps."""
        kept = {"weight": self.weight, "bias": self.bias}
        return {name: value for name, value in kept.items() if value is not None}

    def forward(self, input: Tensor) -> Float[Tensor, "rows *n {self.out_features}"]:
        """(chips * batch, ..., in_features) to (chips * batch, ..., out_features)."""
        if not isinstance(input, Tensor) or not input.is_floating_point():
            check_input("ChipLinear", input)
        if input.dtype != self.weight.dtype and not torch.is_autocast_enabled():
            check_input("ChipLinear", input, self.weight)
        return folded(self._answer, input)

    def _answer(self, input: Tensor) -> Tensor:
        weight, bias = of_pass(self.weight), None if self.bias is None else of_pass(self.bias)
        chips = len(weight)
        if input.dim() < 2 or input.shape[-1] != self.in_features:
            allowed = f"(n, ..., {self.in_features})"
            raise invalid("ChipLinear input, of shape", tuple(input.shape), allowed)
        if input.shape[0] % chips:
            allowed = f"a multiple of the {chips} chips (batch folded, chip-major)"
            raise invalid("ChipLinear input rows", input.shape[0], allowed)
        if self.arithmetic is not None:
            weight = self.arithmetic.constant(weight)
            bias = None if bias is None else self.arithmetic.constant(bias)
        if chips == 1:
            y = F.linear(input, weight[0], None if bias is None else bias[0])
        else:
            rows = input[..., 0].numel() // chips
            y = input.reshape(chips, rows, self.in_features) @ weight.mT
            y = y if bias is None else y + bias.unsqueeze(1)
            y = y.view(*input.shape[:-1], self.out_features)
        return y if self.arithmetic is None else self.arithmetic.result(y)

    def extra_repr(self) -> str:
        """The usual line, with the chips."""
        size = f"in_features={self.in_features}, out_features={self.out_features}"
        return f"{size}, bias={self.bias is not None}, chips={self.chips}"


def _repeated(parameter: Tensor, times: int = 1) -> nn.Parameter:
    """A parameter of its own, repeated along the first dimension."""
    copies = parameter.detach().repeat(times, *(1,) * (parameter.dim() - 1))
    return nn.Parameter(copies, requires_grad=parameter.requires_grad)
