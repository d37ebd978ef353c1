"""The window of weights: how much of a layer is outside, giving it another one, starting anew."""

from __future__ import annotations

import torch
from torch import nn

from mho.arguments import checked
from mho.errors import invalid
from mho.learning.evaluate import Net
from mho.learning.layers.layer import memristive_layers


@torch.no_grad()
@checked
def outside_window(net: nn.Module) -> dict[str, float]:
    """Share of each layer's shadow weights [1] that is beyond the edge of its window, by name.

    The arrays hold such a weight at the edge.
    """
    return {
        name: (layer.shadow.abs() > layer.full_scale).double().mean().item()
        for name, layer in memristive_layers(net).items()
    }


@torch.no_grad()
@checked
def rescale(net: nn.Module, factor: float | None = None) -> dict[str, int]:
    """Give each layer another full scale and write all weights at their new levels, in place.

    Calibrated ranges of converters and a tuned read-out stay, in units of the layer's outputs
    (ranges of bare columns, as with mapping "single", in amperes); an update rule sees no movement,
    for no shadow weight moves.

    Args:
        factor: of the present full scale; None: what `mho.convert` would choose for the weights as
            they are now, for each column if `Hardware.full_scale_per` says so. Call it now and then
            in training, as columns of weights grow or shrink; calibrated ranges of ADCs then grow
            as the columns do that use the window more.

    Returns:
        How many weights of each layer got another level; the ledger counts their cells.

    Raises:
        ValueError: a factor not above 0, or a weight that is not finite; then nothing is changed.
        InstrumentError: an instrument failed; `mho.write` goes on.
    """
    if factor is not None and not 0 < factor < float("inf"):
        raise invalid("rescale.factor", factor, "a finite number above 0, or None")
    layers = memristive_layers(net)
    for layer in layers.values():
        layer.store.check_finite(layer.weight)
    return {
        name: layer.remap() if factor is None else layer.rescale(factor * layer.full_scale)
        for name, layer in layers.items()
    }


@torch.no_grad()
@checked
def restart(net: Net) -> Net:
    """Take the weights as they are now for a new start, in place; then call `mho.write(net)`.

    For weights that were set by anything but training in place: `copy_`, `torch.nn.init`, another
    `nn.Parameter`. It is as if the network was converted with them now, on the same chips, whose
    cells, counts and age stay: each layer gets the full scale of its weights, calibrated ranges of
    converters are forgotten (`mho.calibrate` sets them), a tuned read-out is plain again, and a
    `WriteStep` of the network takes the jump for no movement; what its rules remember stays.
    `load_state_dict` does the same by itself where it brings weights without arrays.

    Returns:
        The network. Its arrays count as not written.

    Raises:
        ValueError: a weight is not finite; then nothing is changed.
    """
    layers = memristive_layers(net).values()
    for layer in layers:
        layer.store.check_finite(layer.weight)
    for layer in layers:
        layer.restart()
    return net
