"""Refreshing batch normalization on the chips that the network runs on: label-free, no writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mho.arguments import checked
from mho.errors import invalid
from mho.learning.batches import Inputs, batches_of, run, taking
from mho.learning.evaluate import Net, evaluating
from mho.learning.layers.chips import Chips
from mho.learning.layers.replace import swap
from mho.learning.repair.chip_batchnorm import ChipBatchNorm


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
            whose outputs have no dimension of chips keeps torch's own batch normalization, which
            averages the statistics of the batches. They are to be as various as what the network
            will meet: the first images of a data set sorted by class give the statistics of one.

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
    if not isinstance(net, Chips):
        return norm
    chips = net.chips
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
