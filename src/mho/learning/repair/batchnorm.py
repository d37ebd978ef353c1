"""Refreshing batch normalization on the chips that the network runs on: label-free, no writes."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mho.arguments import checked
from mho.config import Range
from mho.errors import invalid
from mho.learning.batches import Inputs, batches_of, run, taking
from mho.learning.evaluate import Net, evaluating
from mho.learning.layers.arithmetic import FixedPointArithmetic
from mho.learning.layers.chip_pass import folded, of_pass, refuse_alone
from mho.learning.layers.chips import chip_count
from mho.learning.layers.inputs import check_input
from mho.learning.layers.replace import swap


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


@torch.no_grad()
@checked
def refresh_batchnorm(net: Net, inputs: Inputs) -> Net:
    """Re-estimate the statistics of every batch normalization, for each chip on its own, in place.

    The cheapest strong repair after programming (Joshi et al. 2020 call it AdaBS): no labels, no
    writes; a few hundred inputs suffice. Other layers stay in eval mode meanwhile. In fixed point
    the format of scale and shift follows the new statistics; that of the results stays.

    Args:
        net: a network, converted or not; in fixed point or not.
        inputs: one batch (batch, ...), or several; see `mho.learning.batches.Inputs`. Each is run
            once. On a CPU small ones are faster: some 500 inputs, counted over all chips. A network
            of one chip keeps torch's own batch normalization, which averages the statistics of the
            batches.

    Returns:
        The network.

    Raises:
        ValueError: there is no batch normalization; no batch, or zeros only; or nan or inf in one,
            or at a batch normalization. All is then as before.
    """
    norms = [m for m in net.modules() if isinstance(m, ChipBatchNorm | _BatchNorm)]
    if not norms:
        raise invalid("net", net, "a network with batch normalization")
    with _kept_on_error(net, norms):
        fresh = [_of_each_chip(net, norm) for norm in norms]
        momenta = [norm.momentum for norm in fresh]
        with evaluating(net):
            for norm in fresh:
                norm.train()
                norm.momentum = None  # torch: average over all batches
                _ = norm.reset() if isinstance(norm, ChipBatchNorm) else norm.reset_running_stats()
            try:
                for x in batches_of(inputs, "refresh_batchnorm.inputs"):
                    with taking(x, "refresh_batchnorm.inputs"):
                        run(net, x)
            finally:
                for norm, momentum in zip(fresh, momenta, strict=True):
                    norm.momentum = momentum
        _check_finite(net, fresh)
    return net


def _of_each_chip(net: nn.Module, norm: ChipBatchNorm | _BatchNorm) -> ChipBatchNorm | _BatchNorm:
    """A batch normalization of the network, with statistics of each of its chips from now on."""
    chips = chip_count(net)
    if chips == 1:
        return norm
    if isinstance(norm, ChipBatchNorm):
        if norm.chips == 1:
            norm.spread(chips)
        return norm
    fresh = ChipBatchNorm(norm, chips).to(next(net.parameters())).train(norm.training)
    swap(net, norm, fresh)
    return fresh


def _check_finite(net: nn.Module, norms: list[ChipBatchNorm | _BatchNorm]) -> None:
    """Refuse statistics that are not finite."""
    for name, norm in net.named_modules():
        if norm in norms:
            for statistic in norm.buffers(recurse=False):
                if not statistic.isfinite().all():
                    allowed = "inputs for which those of every layer are finite"
                    raise invalid(f"refresh_batchnorm.inputs at {name}", "nan or inf", allowed)


@contextmanager
def _kept_on_error(net: nn.Module, norms: list[ChipBatchNorm | _BatchNorm]) -> Iterator[None]:
    """Put modules and their statistics back to what they were if an error ends the block."""
    places = [
        (parent, name, child)
        for parent in net.modules()
        for name, child in parent._modules.items()
        if child in norms
    ]
    buffers = [
        (norm, getattr(norm, "chips", None), name, buffer, buffer.clone())
        for norm in norms
        for name, buffer in norm.named_buffers(recurse=False)
    ]
    try:
        yield
    except BaseException:
        for parent, name, child in places:
            parent._modules[name] = child
        for norm, chips, name, buffer, value in buffers:
            norm._buffers[name] = buffer.copy_(value)
            if isinstance(norm, ChipBatchNorm):
                assert chips is not None
                norm.chips = chips
        raise
