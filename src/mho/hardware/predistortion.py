"""Levels that allow for the wires: what a cell loses on its lines, it is given beforehand."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mho.hardware.hardware import Hardware
from mho.hardware.tiling import Tiling


def predistorted(
    levels: Int[Tensor, "tiles rows width"], tiling: Tiling, hardware: Hardware
) -> tuple[Int[Tensor, "tiles rows width"], Float[Tensor, " out"]]:
    """Correct target levels so that, seen through the wires, weights are in proportion again.

    The signed conductances W that are wanted of an output are multiplied by one factor c, that of
    least squares; then each weight's own cells move, within the window, against what is left,

        g <- g + (c W - seen) g / seen, shared evenly among them,

    round after round. No chip is measured: cells count as nominal. The idea is that of mapping with
    a nonlinear solver in the loop (M. Hu et al., DAC 2016, 10.1145/2897937.2898010).

    Args:
        levels: target levels of cells, -1 where there is none.
        tiling: the arrays.
        hardware: with wires and rounds of predistortion.

    Returns:
        The corrected levels, and c of each output [1], which the read-out has to undo.
    """
    device, mapping, wires = hardware.device, tiling.mapping, hardware.wires
    low, high = device.window
    used = levels >= 0
    nominal = torch.where(used, device.nominal(levels), 0.0)
    # (tiles, rows, width) -> (tiles, rows, cols)
    wanted = mapping.fold(nominal, tiling.cols, device.window)
    own = torch.zeros(mapping.lines * tiling.width, dtype=torch.bool, device=levels.device)
    # (cols, terms)
    columns = mapping.columns(torch.arange(tiling.cols, device=levels.device), tiling.cols)
    own[columns[:, : mapping.cells_per_weight].flatten()] = True
    # (lines of an input, width) -> (lines, width)
    free = used & own.view(mapping.lines, -1).repeat(tiling.rows, 1)

    g, share = nominal, nominal.new_ones(tiling.out_features)
    for _ in range(hardware.predistortion):
        seen = wires.seen(g)
        # (tiles, rows, cols)
        got = mapping.fold(seen, tiling.cols, device.window)
        share = _least_squares(tiling, wanted, got)
        missing = _by_tile(tiling, share) * wanted - got
        # (tiles, rows, cols) -> (tiles, rows, width)
        step = _to_cells(tiling, missing, device.window) / mapping.read_variance
        step = torch.where(seen > 0, step * g / seen, 0.0)
        g = torch.where(free, (g + step).clamp(low, high), g)
    nearest = ((g - low) / device.step).round().to(levels.dtype)
    nearest = torch.where(free, nearest, levels)
    g = torch.where(used, device.nominal(nearest), 0.0)
    got = mapping.fold(wires.seen(g), tiling.cols, device.window)
    return nearest, _least_squares(tiling, wanted, got)


def _least_squares(tiling: Tiling, wanted: Tensor, got: Tensor) -> Tensor:
    """Factor (out,) from what is wanted (tiles, rows, cols) to what there is."""
    # (out, in)
    wanted, got = tiling.join(wanted), tiling.join(got)
    energy = wanted.square().sum(1)
    share = (wanted * got).sum(1) / energy
    return torch.where(share > 0, share, 1.0)


def _by_tile(tiling: Tiling, share: Tensor) -> Tensor:
    """A number for each output (out,) as one for each weight (tiles, rows, cols)."""
    # (out,) -> (out, in) -> (tiles, rows, cols)
    return tiling.cut(share.unsqueeze(1).expand(-1, tiling.in_features), 0.0)


def _to_cells(tiling: Tiling, by_weight: Tensor, window: tuple[float, float]) -> Tensor:
    """Transpose of the mapping's fold: (tiles, rows, cols) to (tiles, rows, width)."""
    with torch.enable_grad():
        cells = by_weight.new_zeros(tiling.shape).requires_grad_()
        folded = tiling.mapping.fold(cells, tiling.cols, window)
        (out,) = torch.autograd.grad(folded, cells, by_weight)
    return out
