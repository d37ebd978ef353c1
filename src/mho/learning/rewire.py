"""The same chips behind other wires."""

from __future__ import annotations

import torch

from mho.arguments import checked
from mho.circuits import Wires
from mho.hardware import Hardware
from mho.learning.evaluate import Net
from mho.learning.layers.layer import memristive_layers


@torch.no_grad()
@checked
def rewire(net: Net, wire_resistance: float | Wires) -> Net:
    """Give the arrays of a mapped network other wires, in place; no cell is written, levels stay.

    Sweeps of the wire resistance need no new chips then. Converters keep their ranges and the
    read-out its tuning; a network mapped with `Hardware.predistortion` keeps what that chose.

    Args:
        net: a converted network.
        wire_resistance: as in `Hardware` [ohm].

    Returns:
        The network.

    Raises:
        ValueError: a resistance is negative or not finite; then nothing is changed.
    """
    layers = memristive_layers(net).values()
    kinds: dict[int, Hardware] = {}
    for layer in layers:
        old = layer.hardware
        kinds.setdefault(id(old), old.replace(wire_resistance=wire_resistance))
    for layer in layers:
        layer.rewire(kinds[id(layer.hardware)])
    return net
