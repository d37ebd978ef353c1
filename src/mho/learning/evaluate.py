"""Measuring a network on its chips, and setting the ranges of its converters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import TypeVar

import torch
from jaxtyping import Float64, Int64
from torch import Tensor, nn

from mho.arguments import checked
from mho.errors import InvalidInput, warn
from mho.hardware.converters import Converter, calibration
from mho.hardware.tally import Tally
from mho.learning.batches import Inputs, batches_of, run, taking
from mho.learning.coverage import remember
from mho.learning.labels import check_classes, labelled, scores_of
from mho.learning.layers.layer import ArrayLayer, memristive_layers
from mho.learning.passed_by import refusing
from mho.learning.samples import Loader

Net = TypeVar("Net", bound=nn.Module)

WARNED = 0.1
"""Share of a converter's values, beyond what its coverage leaves out, that may saturate before
`evaluate` warns: less moves few answers, and a training step may do so before ranges follow."""


@torch.no_grad()
@checked
def calibrate(net: Net, inputs: Inputs) -> Net:
    """Set the ranges of all converters, in place, from inputs; nothing is written.

    Each range covers the share `hardware.coverage` of the magnitudes seen, layer after layer; with
    serial inputs, of each bit's. Of several batches it covers the widest. What `Hardware` fixes
    stays, and so does what no input reaches. A chip or column that sees only zeros where others of
    its layer see more takes the widest range of these.

    Args:
        inputs: one batch (batch, ...), or several; see `mho.learning.batches.Inputs`.

    Returns:
        The network.

    Raises:
        ValueError: no layer on memristors; no batch; nan or inf in one, or at a converter; or only
            zeros there. All ranges are then as before.
    """
    every = {name: layer.reading.converters for name, layer in memristive_layers(net).items()}
    _find_ranges(net, inputs, every)
    return net


@torch.no_grad()
def find_missing_ranges(net: nn.Module, inputs: Inputs) -> None:
    """Calibrate the converters that have no range yet, if there are any; others keep theirs.

    Arguments and errors as in `calibrate`.
    """
    if missing := missing_ranges(net):
        _find_ranges(net, inputs, missing)


def missing_ranges(net: nn.Module) -> dict[str, list[Converter]]:
    """Converters that have no range yet, by the name of their layer; with them those whose fixed
    range may follow from theirs."""
    return {
        name: [c for c in layer.reading.converters if not c.ready or c.fixed]
        for name, layer in net.named_modules()
        if isinstance(layer, ArrayLayer) and not all(c.ready for c in layer.reading.converters)
    }


def _find_ranges(
    net: nn.Module, inputs: Inputs, of_layers: Mapping[str, Sequence[Converter]]
) -> None:
    """Have some converters find their ranges in inputs; fixed ones, whose range may follow from
    that of another, are among them."""
    first = True
    with evaluating(net), calibration(of_layers):
        for x in batches_of(inputs, "calibrate.inputs"):
            with taking(x, "calibrate.inputs"):
                run(net, x)
            if first:
                remember(net, x)
            first = False


@torch.no_grad()
@checked
def evaluate(net: nn.Module, loader: Loader) -> Float64[Tensor, " chips"]:
    """Accuracy of each chip on a set of labelled batches.

    Args:
        net: a classifier, converted or not; outputs (batch, classes) or (chips, batch, classes),
            one score a class.
        loader: batches (inputs, labels), or one such pair; labels are whole numbers from 0 to
            classes - 1, (batch,) or (batch, 1), of any type. Or a data set that gives samples
            (input, label) by number, as torchvision's do; pictures of Pillow's are v / 255.

    Returns:
        Tensor (chips,) in [0, 1]; one element for a network without a chip dimension.

    Converters that have no range yet are calibrated on the first batch's inputs; others keep
    theirs. Warns, once a
    layer, of converters that saturate at more than `WARNED` of their values beyond what
    `Hardware.coverage` leaves out.

    Raises:
        ValueError: there is no sample; batches, labels or outputs of another kind; or, where it is
            to calibrate, as `calibrate`.
    """
    counts = confusion(net, loader)
    return counts.diagonal(dim1=1, dim2=2).sum(1).double() / counts.sum((1, 2))


@torch.no_grad()
@checked
def confusion(net: nn.Module, loader: Loader) -> Int64[Tensor, "chips classes classes"]:
    """How often each chip took class i for class j: counts (chips, true class, answer).

    Arguments and errors as in `evaluate`, whose accuracy is the diagonal's share. Wires whose
    solution is pending are solved before.
    """
    counts: Tensor | None = None
    for layer in net.modules():
        if isinstance(layer, ArrayLayer):
            layer.store.settle()
    with evaluating(net), _warning_of_saturation(net):
        for x, y in labelled(loader, "loader"):
            if counts is None:
                find_missing_ranges(net, [(x,)])
            first = len(y) > 0 and not (counts is not None and counts.any())
            watched = refusing(net) if first else nullcontext()
            with watched, taking(x, "loader"):
                output = run(net, x)
            if first:
                remember(net, x)
            scores = scores_of(output, len(y))
            answer, classes = scores.argmax(-1), scores.shape[-1]
            check_classes(y, classes)
            at = (torch.arange(len(answer)).unsqueeze(1) * classes + y).to(answer.device) * classes
            size = len(answer) * classes**2
            seen = torch.bincount((at + answer).flatten(), minlength=size)
            seen = seen.view(-1, classes, classes)
            counts = seen if counts is None else counts + seen
    assert counts is not None
    return counts


@contextmanager
def _warning_of_saturation(net: nn.Module) -> Iterator[None]:
    """Count what saturates inside, and warn of converters where that is too much."""
    every = [
        (name, converter, Tally(converter.shape))
        for name, layer in net.named_modules()
        if isinstance(layer, ArrayLayer)
        for converter in layer.reading.converters
        if converter.bits is not None and "saturates" not in converter.said
    ]
    try:
        for _, converter, tally in every:
            converter.tally = tally
        yield
    finally:
        for _, converter, _ in every:
            converter.tally = None
    for name, converter, tally in every:
        share, kind = tally.share(), converter.kind
        if share > 1 - converter.coverage + WARNED and converter.said.first("saturates"):
            remedy = (
                f"a larger Hardware.{kind.lower()}_range"
                if converter.fixed
                else "mho.calibrate(net, batch)"
            )
            warn(
                f"layer {name!r}: {share:.0%} of the values at its {kind} saturate, on the chip "
                f"where most do; its coverage allows {1 - converter.coverage:.0%}. Its outputs are "
                f"clipped, which costs accuracy; {remedy} makes its range fit"
            )


@contextmanager
def evaluating(net: nn.Module) -> Iterator[None]:
    """Eval mode inside, each module's own mode restored after; what is refused has read nothing:
    counts, and with them the noise of later reads, and ranges are then as before."""
    modes = [(module, module.training) for module in net.modules()]
    layers = [module for module, _ in modes if isinstance(module, ArrayLayer)]
    counted = [(layer.crossbar, replace(layer.crossbar.counts)) for layer in layers]
    ranges = [(each, each.ranges) for layer in layers for each in layer.reading.converters]
    net.eval()
    try:
        yield
    except InvalidInput:
        for crossbar, before in counted:
            crossbar.counts = before
        for converter, before in ranges:
            if converter.ranges is not before:
                converter.ranges = before
        raise
    finally:
        for module, mode in modes:
            module.training = mode
