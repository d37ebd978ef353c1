"""Errors of programming, drawn beforehand for each level of a weight."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from mho.errors import silent
from mho.hardware import Crossbar, Hardware, Tiling
from mho.hardware.mapping import level_value
from mho.hardware.programming import program_all
from mho.hardware.streams import derived_seed
from mho.physics import OfConductance

_ROWS = 1025
"""Most levels that have errors of their own."""

_CELLS = 1 << 22
"""Cells that are programmed at most to draw errors from."""

_DRAWN = 1 << 14
"""Most weights that are programmed to a level."""

_KEPT = 1 << 15
"""Errors of all levels together that are kept, 64 of a level at least: a table that stays in a
core's cache."""


class Errors(NamedTuple):
    """What weights are off their levels by, once they are programmed; shares of the full scale."""

    of_levels: Float[Tensor, "rows size"]
    """Errors of the levels nearest to `r (levels - 1) / (rows - 1)`, size a power of two."""
    levels: int
    """Number of levels."""
    read: float | Float[Tensor, " rows"]
    """Standard deviation of a weight from one read to the next; of each of those levels, where it
    depends on the conductance."""


@lru_cache(maxsize=8)
def errors_of(hardware: Hardware, amount: float, device: str) -> Errors:
    """Errors of one kind of chip, the same at every call.

    Cells are programmed as on any chip, with their spread between devices and between writes, their
    slow noise and defects; wires, placement and predistortion are left aside, for they depend on
    where a weight lies.

    Args:
        hardware: the kind of chip.
        amount: factor of the errors.
        device: where the errors are wanted.
    """
    alone = _without_places(hardware)
    n, cells, low_high = alone.levels, alone.cells, alone.device.window
    levels = _with_errors(n)
    rows = len(levels)
    width = cells.width(rows)
    size = 1 << max(4, min(_DRAWN, _CELLS // width).bit_length() - 1)
    tiling = Tiling(size, rows, (size * cells.lines, width), cells)
    crossbar = Crossbar(tiling, alone, range(1), derived_seed("noise-aware"))
    index = tiling.cut(levels.unsqueeze(1).expand(rows, size), 0)
    program_all(crossbar, cells.levels(index, n, alone.device.states))
    crossbar.solve_all()
    span = cells.span * (low_high[1] - low_high[0])
    off = crossbar.signed()[0].div_(span) - level_value(levels, 1.0, n).unsqueeze(1)
    off = _fewer(off, min(size, max(64, 1 << (_KEPT // rows).bit_length() - 1)))
    read = read_errors(alone)
    read = read.to(device) if isinstance(read, Tensor) else read
    return Errors(off.mul_(amount).contiguous().to(device), n, amount * read)


def read_errors(hardware: Hardware) -> float | Float[Tensor, " rows"]:
    """Standard deviation of a weight from one read to the next, in full scales: one for all, or,
    where it depends on the conductance, of each of the levels that have errors of their own, with
    cells at what the levels stand for."""
    cells, cell = hardware.cells, hardware.device
    if not isinstance(cell.read_noise, OfConductance):
        return cell.read_noise / cells.span * cells.read_variance**0.5
    index = _with_errors(hardware.levels)
    levels = cells.levels(index.unsqueeze(0), hardware.levels, cell.states)
    variances = cell.read_variance(cell.nominal(levels.double()))
    digits = cells.squared().fold_digits(variances, len(index), cell.window)
    return (cells.of_digits(digits)[0].sqrt() / cells.span).float()


def level_with_errors(w: Float[Tensor, "*n"], rows: int) -> Int64[Tensor, "*n"]:
    """Which of so many levels that have errors of their own is nearest to a share of the full
    scale."""
    return ((w + 1) * ((rows - 1) / 2)).round_().clamp_(0, rows - 1).long()


def _with_errors(levels: int) -> Int64[Tensor, " rows"]:
    """Levels of a weight that have errors of their own."""
    rows = min(levels, _ROWS)
    return torch.linspace(0, levels - 1, rows, dtype=torch.float64).round().long()


def _fewer(off: Float[Tensor, "rows drawn"], kept: int) -> Float[Tensor, "rows {kept}"]:
    """So many numbers with the distribution of all of a row: means of neighbours in size, with the
    mean and the standard deviation of the row."""
    mean, std = off.mean(1, keepdim=True), off.std(1, correction=0, keepdim=True)
    few = off.sort(1).values.unflatten(1, (kept, -1)).mean(2) - mean
    return few * (std / few.std(1, correction=0, keepdim=True).clamp(min=1e-30)) + mean


def _without_places(hardware: Hardware) -> Hardware:
    if not (hardware.wires or hardware.placement or hardware.predistortion):
        return hardware
    with silent():
        return hardware.replace(wire_resistance=0.0, placement=None, predistortion=0)
