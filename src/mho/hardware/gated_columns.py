"""Columns of arrays whose word lines drive gates, for inputs that turn rows on or off."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from mho.circuits.gated import gated_current
from mho.hardware.crossbar import Crossbar

AT_ONCE = 1 << 20
"""Currents that are solved for at once."""


def columns(
    crossbar: Crossbar,
    some: slice,
    x: Float[Tensor, "n inputs"],
    edges: Float[Tensor, " chips"],
    scale: float,
    by_digit: bool,
) -> Float[Tensor, "n tiles columns"]:
    """Columns of each tile along the inputs, in weights times inputs, without what a mapping adds
    digitally; exact for each input, where what a cell gives depends on which others are on.

    Args:
        some: which of the crossbar's chips.
        x: digital inputs (chips * n, inputs), of each group: 0, or its chip's edge; nan gives nan.
        edges: input of a row that is on, chip by chip.
        scale: weight per siemens.
        by_digit: as in `Tiling.columns`.
    """
    tiling, wires, held = crossbar.tiling, crossbar.hardware.wires, crossbar.conductance
    line = wires.source_line or 0.0
    g = held if crossbar.ageing is None else crossbar.ageing.seen(held)
    g = g[some].unsqueeze(1)  # (chips, 1, tiles, lines, width)
    chips = len(g)
    # (chips * n, tiles, rows) -> (chips, n, tiles, rows)
    on = (tiling.driven(x.detach()) != 0).unflatten(0, (chips, -1))
    each = max(1, AT_ONCE // max(1, chips * math.prod(g.shape[2:3]) * tiling.width))
    parts = [
        gated_current(g, part, line, wires.col, wires.source, wires.sense)
        for part in on.split(each, 1)
    ]
    amps = torch.cat(parts, 1) * (scale * edges.to(g)).view(-1, 1, 1, 1)
    found = tiling.columns(amps.flatten(0, 1), by_digit).to(x.dtype)
    return torch.where(x.isnan().any(-1)[:, None, None], math.nan, found)
