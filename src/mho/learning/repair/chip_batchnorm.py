"""Batch normalization with statistics of each chip's own."""

from __future__ import annotations

import copy
from typing import Annotated, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mho.arguments import checked
from mho.config import Range
from mho.errors import invalid
from mho.learning.layers.arithmetic import FixedPointArithmetic
from mho.learning.layers.chip_pass import folded, of_pass, refuse_alone
from mho.learning.layers.inputs import check_input


class ChipBatchNorm(nn.Module):
    """Batch normalization with statistics of each chip's own; batch folded, chip-major.

    Train mode normalizes with the batch's statistics and pools them, over all batches seen since
    `reset`, to the mean and variance of all items together. Eval mode uses what was pooled. With
    one chip the batch may hold items of any number of chips: all then share the statistics.

    Args:
        norm: what every chip starts from; its affine parameters are taken over.
        chips: number of chips.

    Attributes:
        mean, variance: (chips, channels).
        weight, bias: (channels,), or None.
        arithmetic: how it computes, if not in floating point.
    """

    takes_chips: ClassVar[bool] = True
    """Chips may be folded into the first dimension of its inputs."""

    arithmetic: FixedPointArithmetic | None
    momentum: float | None = None
    mean: Tensor
    variance: Tensor
    items: Tensor

    @checked
    def __init__(self, norm: _BatchNorm, chips: Annotated[int, Range(least=1)]) -> None:
        super().__init__()
        self.chips, self.eps, self.kind = chips, norm.eps, type(norm)
        self.momentum = norm.momentum
        self.weight, self.bias = norm.weight, norm.bias
        self.register_buffer("mean", torch.zeros(chips, norm.num_features))
        self.register_buffer("variance", torch.ones(chips, norm.num_features))
        self.register_buffer("items", torch.zeros((), dtype=torch.int64))
        if norm.running_mean is not None and norm.running_var is not None:
            self.mean.copy_(norm.running_mean)
            self.variance.copy_(norm.running_var)
        self.arithmetic = None

    def spread(self, chips: int) -> None:
        """Give each of several chips what the only one so far has."""
        self.chips = chips
        self.mean, self.variance = self.mean.repeat(chips, 1), self.variance.repeat(chips, 1)

    @checked
    def of_chip(self, chip: int) -> _BatchNorm:
        """Torch's own batch normalization with the statistics of one chip."""
        channels = self.mean.shape[1]
        affine = self.weight is not None
        norm = self.kind(channels, eps=self.eps, momentum=self.momentum, affine=affine)
        norm.load_state_dict(
            {"running_mean": self.mean[chip], "running_var": self.variance[chip]}, strict=False
        )
        if self.weight is not None:
            norm.weight, norm.bias = copy.deepcopy(self.weight), copy.deepcopy(self.bias)
        return norm.to(self.mean).train(self.training)

    def reset(self) -> None:
        """Forget the statistics."""
        self.items.zero_()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Make all as new: mean 0, variance 1, weight 1, bias 0; named as torch names it."""
        self.reset()
        self.mean.zero_()
        self.variance.fill_(1)
        if self.weight is not None:
            self.weight.fill_(1)
            self.bias.zero_()

    def _note(self, mean: Tensor, variance: Tensor, items: int) -> None:
        """Pool a batch's statistics with those seen before."""
        self.items += items
        share, beyond = items / self.items, mean - self.mean
        self.mean += share * beyond
        self.variance += share * (variance - self.variance + (1 - share) * beyond.square())

    def constants(self) -> dict[str, Tensor]:
        """Numbers that the digital unit keeps: in eval mode, `y = scale x + shift`."""
        scale, shift = self._folded(self.mean, self.variance)
        return {"scale": scale, "shift": shift}

    def _folded(self, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
        """Scale and shift, each (chips, channels)."""
        scale = torch.rsqrt(variance + self.eps)
        shift = -mean * scale
        if self.weight is not None:
            scale = scale * self.weight
            shift = shift * self.weight + self.bias
        return scale, shift

    def forward(self, x: Tensor) -> Float[Tensor, "n channels *size"]:
        """(chips * batch, channels, ...), same shape out."""
        if not isinstance(x, Tensor) or not x.is_floating_point():
            check_input("ChipBatchNorm", x)
        return folded(self._answer, x)

    def _answer(self, x: Tensor) -> Tensor:
        mean, variance = of_pass(self.mean), of_pass(self.variance)
        chips, channels = mean.shape
        if x.dim() < 2 or x.shape[1] != channels or x.shape[0] % chips:
            allowed = f"({chips} * n, {channels}, ...), batch folded, chip-major"
            raise invalid("ChipBatchNorm input, of shape", tuple(x.shape), allowed)
        y = x.unflatten(0, (chips, -1))  # (chips, batch, channels, ...)
        if self.training:
            refuse_alone("refresh_batchnorm.net")
            # all but chips and channels: -> (chips, channels)
            over = (1, *range(3, y.dim()))
            variance, mean = torch.var_mean(y, over, correction=0)
            self._note(mean.detach(), variance.detach(), y.shape[1])
        scale, shift = self._folded(mean, variance)
        if self.arithmetic is not None:
            scale, shift = self.arithmetic.constant(scale), self.arithmetic.constant(shift)
        # (chips, channels) -> (chips, 1, channels, 1, ...)
        shape = (chips, 1, -1, *(1,) * (y.dim() - 3))
        y = (y * scale.view(shape) + shift.view(shape)).flatten(0, 1)
        return y if self.arithmetic is None else self.arithmetic.result(y)
