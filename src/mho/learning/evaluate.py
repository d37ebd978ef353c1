"""Measuring a network on its chips, and setting the ranges of its converters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from jaxtyping import Float64, Int64, Shaped
from torch import Tensor, nn

from mho.errors import invalid
from mho.learning.batches import Inputs, batches_of
from mho.learning.layers.layer import ArrayLayer, memristive_layers

Net = TypeVar("Net", bound=nn.Module)


@torch.no_grad()
def calibrate(net: Net, inputs: Inputs) -> Net:
    """Set the ranges of all converters, in place, from inputs; nothing is written.

    Each range covers the share `hardware.coverage` of the magnitudes seen, layer after layer; with
    serial inputs, of each bit's. Of several batches it covers the widest. What `Hardware` fixes
    stays.

    Args:
        inputs: one batch (batch, ...), or several; see `mho.learning.batches.Inputs`.

    Returns:
        The network.
    """
    converters = [c for layer in memristive_layers(net).values() for c in (layer.dac, layer.adc)]
    with evaluating(net):
        for converter in converters:
            if not converter.fixed:
                converter.calibrating, converter.ranges = True, None
        try:
            for x in batches_of(inputs, "calibrate.inputs"):
                net(x)
        finally:
            for converter in converters:
                converter.calibrating = False
    return net


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
    counts = confusion(net, loader)
    return counts.diagonal(dim1=1, dim2=2).sum(1).double() / counts.sum((1, 2))


@torch.no_grad()
def confusion(
    net: nn.Module,
    loader: Iterable[tuple[Shaped[Tensor, "_ ..."], Int64[Tensor, " _"]]],
) -> Int64[Tensor, "chips classes classes"]:
    """How often each chip took class i for class j: counts (chips, true class, answer).

    Arguments and errors as in `evaluate`, whose accuracy is the diagonal's share. Wires whose
    solution is pending are solved before.
    """
    counts: Tensor | None = None
    for layer in net.modules():
        if isinstance(layer, ArrayLayer):
            layer.store.settle()
    with evaluating(net):
        for x, y in loader:
            if counts is None and uncalibrated(net):
                calibrate(net, x)
            logits = net(x)
            answer = logits.argmax(-1)
            answer = answer.view(-1, y.shape[0])
            chips, classes = answer.shape[0], logits.shape[-1]
            at = (torch.arange(chips, device=y.device).unsqueeze(1) * classes + y) * classes
            seen = torch.bincount((at + answer).flatten(), minlength=chips * classes**2)
            seen = seen.view(chips, classes, classes)
            counts = seen if counts is None else counts + seen
    if counts is None:
        raise invalid("loader", "no batch", "at least one labelled batch")
    return counts


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


def uncalibrated(net: nn.Module) -> bool:
    """Whether a converter has bits and no range yet."""
    layers = (m for m in net.modules() if isinstance(m, ArrayLayer))
    return any(not (layer.dac.ready and layer.adc.ready) for layer in layers)
