"""The arrays of a layer, with one input, as a SPICE deck."""

from __future__ import annotations

import torch
from jaxtyping import Shaped
from torch import Tensor

from mho.arguments import checked
from mho.circuits.netlist import netlist
from mho.circuits.wiring import Wires
from mho.errors import invalid
from mho.hardware.converters import check_not_negative
from mho.learning.layers.layer import ArrayLayer
from mho.physics import Conduction


@torch.no_grad()
@checked
def netlist_of(
    layer: ArrayLayer,
    x: Shaped[Tensor, "*_ inputs"],
    *,
    volts_per_unit: float = 0.2,
    chip: int = 0,
    tile: int | None = None,
    wires: Wires | None = None,
    conduction: Conduction | None = None,
) -> str:
    """SPICE deck of the arrays of a layer on one chip, at one input; see `netlist`.

    Inputs go through the layer's DACs, then stand on the rows as voltages. Currents I (tiles,
    width) of ohmic cells behind the layer's own wires give its output back, before ADC, factors of
    columns, gain and bias:

        y = scale / volts_per_unit * (tiles of a column added)(mapping.fold(I))

    for mappings that subtract one column from another; of interleaved pairs the currents are those
    of weights already.

    Args:
        layer: memristive layer, as programmed; of a convolution, x is one patch, all channels.
        x: input in network units, (in_features,).
        volts_per_unit: voltage on a row whose input is 1 [V].
        chip: which of the simulated chips.
        tile: which of its arrays; None: all, in one deck.
        wires: None: those of the layer's hardware.
        conduction: law of the cells; `Ohmic()` if None.

    Raises:
        ValueError: x has another size, there is no such chip or tile, or see `netlist`.
    """
    tiling, chips = layer.crossbar.tiling, layer.chips
    if x.shape != (tiling.inputs,):
        raise invalid("x.shape", tuple(x.shape), f"({tiling.inputs},), one input of the layer")
    if not 0 < volts_per_unit < float("inf"):
        raise invalid("volts_per_unit", volts_per_unit, "a finite number above 0 V")
    for name, value, count in (("chip", chip, chips), ("tile", tile, tiling.tiles)):
        if value is not None and not 0 <= value < count:
            raise invalid(name, value, f"0 to {count - 1}")
    if not layer.dac.signed:
        check_not_negative(x, "the layer")
    x = x if x.is_floating_point() else x.to(layer.weight.dtype)
    driven = layer.dac(x.unsqueeze(0), chips=slice(chip, chip + 1)).squeeze(0).double()
    v = tiling.voltages(tiling.driven(driven)) * volts_per_unit
    wires = layer.hardware.wires if wires is None else layer.hardware.behind(wires)
    g, what = layer.crossbar.conductance[chip], f"chip {layer.crossbar.chips[chip]}"
    if tile is not None:
        g, v, what = g[tile], v[tile], f"{what}, tile {tile} of {tiling.tiles}"
    title = f"{type(layer).__name__} {tiling.inputs} to {tiling.out_features}, {what}"
    return netlist(g, v, wires, conduction, f"{title}, {volts_per_unit!r} V a unit")
