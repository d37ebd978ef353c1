"""Measuring a network on its chips, and setting the ranges of its converters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float64, Int64, Shaped
from torch import Tensor, nn

from mho.errors import invalid
from mho.learning.layer import ArrayLayer, memristive_layers


@torch.no_grad()
def calibrate(net: nn.Module, batch: Shaped[Tensor, "batch ..."]) -> None:
    """Set the ranges of all converters from one batch of inputs (batch, ...); nothing is written.

    Each range covers the share `hardware.coverage` of the magnitudes seen, layer after layer.
    """
    layers = memristive_layers(net).values()
    with evaluating(net):
        for layer in layers:
            for converter in (layer.dac, layer.adc):
                converter.calibrating, converter.ranges = True, None
        try:
            net(batch)
        finally:
            for layer in layers:
                layer.dac.calibrating = layer.adc.calibrating = False


@torch.no_grad()
def evaluate(
    net: nn.Module,
    loader: Iterable[tuple[Shaped[Tensor, "_ ..."], Int64[Tensor, " _"]]],
) -> Float64[Tensor, " chips"]:
    """Accuracy of each chip on a set of labelled batches.

    Args:
        net: a classifier, converted or not; outputs (batch, classes) or (chips, batch, classes).
        loader: batches (inputs, labels); labels are int64 (batch,).

    Returns:
        Tensor (chips,) in [0, 1]; one element for a network without a chip dimension.

    Converters that have no range yet are calibrated on the first batch's inputs.

    Raises:
        ValueError: the loader is empty.
    """
    right: Tensor | int = 0
    count = 0
    with evaluating(net):
        for x, y in loader:
            if count == 0 and _uncalibrated(net):
                calibrate(net, x)
            logits = net(x)
            hits = (logits.argmax(-1) == y).sum(-1)
            right = right + hits
            count += y.shape[0]
    if count == 0:
        raise invalid("loader", "no batch", "at least one labelled batch")
    return torch.atleast_1d(torch.as_tensor(right)).double() / count


@contextmanager
def evaluating(net: nn.Module) -> Iterator[None]:
    """Eval mode inside, each module's own mode restored after."""
    modes = [(module, module.training) for module in net.modules()]
    net.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def _uncalibrated(net: nn.Module) -> bool:
    layers = (m for m in net.modules() if isinstance(m, ArrayLayer))
    return any(not (layer.dac.ready and layer.adc.ready) for layer in layers)
