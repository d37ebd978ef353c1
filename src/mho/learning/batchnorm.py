"""Refreshing batch normalization on the chips that the network runs on: label-free, no writes."""

from __future__ import annotations

import copy
from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mho.errors import invalid
from mho.learning.chips import chip_count
from mho.learning.evaluate import evaluating


class ChipBatchNorm(nn.Module):
    """Batch normalization with statistics of each chip's own; batch folded, chip-major.

    Train mode normalizes with the batch's statistics and keeps their average over all batches seen
    since `reset`; eval mode uses that average.
    """

    momentum: float | None = None
    mean: Tensor
    variance: Tensor
    batches: Tensor

    def __init__(self, norm: _BatchNorm, chips: int) -> None:
        super().__init__()
        self.chips, self.eps, self.kind = chips, norm.eps, type(norm)
        self.momentum = norm.momentum
        self.weight, self.bias = norm.weight, norm.bias
        self.register_buffer("mean", torch.zeros(chips, norm.num_features))
        self.register_buffer("variance", torch.ones(chips, norm.num_features))
        self.register_buffer("batches", torch.zeros((), dtype=torch.int64))
        if norm.running_mean is not None and norm.running_var is not None:
            self.mean.copy_(norm.running_mean)
            self.variance.copy_(norm.running_var)

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
        self.batches.zero_()

    def forward(self, x: Float[Tensor, "n channels *size"]) -> Float[Tensor, "n channels *size"]:
        """(chips * batch, channels, ...), same shape out."""
        y = x.unflatten(0, (self.chips, -1))
        mean, variance = self.mean, self.variance
        if self.training:
            over = (1, *range(3, y.dim()))
            mean, variance = y.mean(over), y.var(over, correction=0)
            self.batches += 1
            self.mean += (mean.detach() - self.mean) / self.batches
            self.variance += (variance.detach() - self.variance) / self.batches
        scale = torch.rsqrt(variance + self.eps)
        shift = -mean * scale
        if self.weight is not None:
            scale = scale * self.weight
            shift = shift * self.weight + self.bias
        shape = (self.chips, 1, -1, *(1,) * (y.dim() - 3))
        return (y * scale.view(shape) + shift.view(shape)).flatten(0, 1)


@torch.no_grad()
def refresh_batchnorm(net: nn.Module, inputs: Iterable[Tensor]) -> None:
    """Re-estimate the statistics of every batch normalization, for each chip on its own.

    The cheapest strong repair after programming (Joshi et al. 2020 call it AdaBS): no labels, no
    writes; a few hundred inputs suffice. Other layers stay in eval mode meanwhile.

    Args:
        net: a network, converted or not.
        inputs: batches of inputs (batch, ...); each is run once.

    Raises:
        ValueError: there is no batch, or no batch normalization.
    """
    chips = chip_count(net)
    if chips > 1:
        for parent in list(net.modules()):
            for name, child in list(parent.named_children()):
                if isinstance(child, _BatchNorm):
                    fresh = ChipBatchNorm(child, chips).to(next(net.parameters()))
                    setattr(parent, name, fresh.train(child.training))
    norms = [m for m in net.modules() if isinstance(m, ChipBatchNorm | _BatchNorm)]
    if not norms:
        raise invalid("net", type(net).__name__, "a network with batch normalization")
    seen = 0
    momenta = [norm.momentum for norm in norms]
    with evaluating(net):
        for norm in norms:
            norm.train()
            norm.momentum = None  # torch: average over all batches
            _ = norm.reset() if isinstance(norm, ChipBatchNorm) else norm.reset_running_stats()
        try:
            for x in inputs:
                net(x)
                seen += 1
        finally:
            for norm, momentum in zip(norms, momenta, strict=True):
                norm.momentum = momentum
    if seen == 0:
        raise invalid("inputs", "no batch", "at least one batch of inputs")
