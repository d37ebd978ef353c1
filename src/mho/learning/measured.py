"""The columns of a layer whose cells are on an instrument, from measured currents."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

if TYPE_CHECKING:
    from mho.learning.layers.reading import ReadArrays


def measured(layer: ReadArrays, x: Float[Tensor, "n inputs"]) -> Float[Tensor, "n tiles columns"]:
    """Columns of each tile along the inputs, before the converters, in weight units.

    Inputs become voltages, `v = v_max x / x_max`, with x_max the edge of the DAC, or the largest
    input if it is exact. A mapping folds conductances by `L(g) + c`, so currents fold to
    `L(i) + c sum(v)`.
    """
    arrays, tiling = layer.crossbar.arrays, layer.crossbar.tiling
    assert arrays is not None
    down, along = tiling.grid
    ranges = layer.dac.ranges if layer.dac.bits is not None else None
    edge = (x.abs().max() if ranges is None else ranges).item() or 1.0
    gain = arrays.chip.volts / edge
    spare = down * tiling.rows - tiling.in_features
    volts = F.pad(x.detach().float() * gain, (0, spare)).view(len(x), down, 1, tiling.rows)
    volts = volts.expand(-1, -1, along, -1).flatten(1, 2)
    amps = arrays.currents(volts)
    cells, window = tiling.mapping, layer.hardware.device.window
    zero = amps.new_zeros(tiling.width)
    if len(layer._factors) == 1:
        parts = [cells.fold(amps, tiling.cols, (0.0, 0.0))]
        constants = [cells.fold(zero.view(1, -1), tiling.cols, window)]
    else:
        parts = cells.parts(amps, tiling.cols, (0.0, 0.0))
        constants = cells.parts(zero.view(1, -1), tiling.cols, window)
    total = volts.sum(-1, keepdim=True)
    columns = [
        (part + total * constant).unflatten(1, (down, along)).flatten(2)[..., : tiling.out_features]
        for part, constant in zip(parts, constants, strict=True)
    ]
    return torch.cat(columns, -1).mul_(layer.scale / gain).to(x.dtype)
