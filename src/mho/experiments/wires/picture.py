"""One array of a trained network under a sample: what its wires carry and what its cells get."""

from __future__ import annotations

import torch

import mho
from mho.experiments.run import Run
from mho.experiments.wires.config import WiresConfig
from mho.experiments.wires.systems import SIZE, in_place, once
from mho.learning.layers.layer import memristive_layers
from mho.results import Circuit

VOLTS = 0.2
"""Voltage of an input of 1 [V]."""


def circuit(config: WiresConfig, run: Run) -> Circuit:
    """An array of the first layer and the sample that drives it most; wires as they are claimed."""
    trained = in_place(config, run, SIZE, 0.0, **once(config))
    layer = next(iter(memristive_layers(trained.net).values()))
    crossbar, tiling = layer.crossbar, layer.crossbar.tiling
    images = trained.inputs[config.siamese.data].flatten(1).cpu()
    pad = tiling.grid[0] * tiling.rows - tiling.in_features
    volts = VOLTS * torch.nn.functional.pad(images, (0, pad)).unflatten(1, (-1, tiling.rows))
    image, tile = divmod(int(volts.sum(2).argmax()), tiling.grid[0])
    v = volts[image, tile].double()
    g = crossbar.conductance[0].cpu().unflatten(0, tiling.grid)[tile, 0].double()
    r = config.claimed.resistance
    point = mho.circuits.operating_point(g, v, r, r)
    rows, cols = g.shape
    return Circuit(
        id="array",
        title=f"A sample on {rows} x {cols} cells behind wires of {r:g} ohm a segment",
        rows=rows,
        word_voltage=point.word_voltage.numpy(),
        bit_voltage=point.bit_voltage.numpy(),
        word_current=point.word_current.numpy(),
        bit_current=point.bit_current.numpy(),
        cell_current=point.cell_current.numpy(),
        input=v.numpy(),
        output=point.output_current.numpy(),
        ideal=(v @ g).numpy(),
        wire_resistance=r,
    )
