"""Cells that an instrument holds: the host's record of them in a crossbar, and their currents."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int, Int64
from torch import Tensor

from mho.hardware.arrays import Arrays
from mho.hardware.crossbar import REFUSED, Crossbar
from mho.hardware.instrument import Outcome


def program(crossbar: Crossbar, cells: Int64[Tensor, " n"], levels: Int[Tensor, " n"]) -> None:
    """Program cells to levels through the instrument; each answer is recorded as it comes.

    A cell that the instrument gives up is tried `retries` times more, then it counts as REFUSED and
    is never programmed again. Its level is recorded as if it had got there, as that of a cell that
    is stuck unknown to the host.

    Raises:
        InstrumentError: the record is then that of what had been answered; ask again.
    """
    arrays = _arrays(crossbar)
    crossbar.counts.programmings += 1
    fault, level = crossbar.fault.view(-1), crossbar.level.view(-1)
    for some, wanted in zip(
        cells.split(arrays.together), levels.split(arrays.together), strict=True
    ):
        left = (fault[some] != REFUSED).nonzero().squeeze(1)
        for _ in range(1 + arrays.retries):
            if len(left) == 0:
                break
            at, to = some[left], wanted[left]
            outcome = arrays.program(at, crossbar.hardware.device.nominal(to))
            _record(crossbar, at, to, outcome)
            left = left[outcome.refused]
        fault[some[left]] = REFUSED
        level[some] = wanted.to(level)


def _record(crossbar: Crossbar, cells: Tensor, levels: Tensor, outcome: Outcome) -> None:
    """Enter one answer, about cells (n,) that were to get to levels (n,)."""
    level, conductance = crossbar.level.view(-1), crossbar.conductance.view(-1)
    nominal = crossbar.hardware.device.nominal(levels).to(conductance)
    believed = torch.where(outcome.refused, conductance[cells], nominal)
    conductance[cells] = torch.where(outcome.conductance.isnan(), believed, outcome.conductance)
    raised = (levels > level[cells]) & (levels > 0)
    level[cells] = levels.to(level)
    crossbar.make_room(int(outcome.pulses.max()))
    crossbar.writes.view(-1)[cells] += (outcome.pulses > 0).to(torch.int32)
    crossbar.pulses.view(-1)[cells] += outcome.pulses
    crossbar.set_pulses += (outcome.pulses * raised).sum()
    crossbar.row_pulses += crossbar.tiling.most_in_rows(cells, outcome.pulses.view(1, -1))
    crossbar.count_cell_reads(cells, outcome.reads.view(1, -1))


def look(crossbar: Crossbar, cells: Int64[Tensor, " n"]) -> None:
    """Read cells at flat positions and record what they hold; counted."""
    arrays = _arrays(crossbar)
    width, rows = crossbar.tiling.width, crossbar.tiling.rows
    # cell = (tile * rows + row) * width + column
    line = cells // width
    driven, which = (line % rows).unique(return_inverse=True)
    # (rows driven, tiles, width) -> (n,)
    read = arrays.conductances(driven)[which, line // rows, cells % width]
    crossbar.conductance.view(-1)[cells] = read
    crossbar.count_cell_reads(cells, torch.ones_like(cells).view(1, -1))


def survey(crossbar: Crossbar) -> None:
    """Read all cells in use; each then counts as standing at the level nearest to what was read."""
    used = crossbar.tiling.used().to(crossbar.level.device).flatten()
    cells = used.nonzero().squeeze(1)
    look(crossbar, cells)
    crossbar.stand_nearest()


def columns(
    crossbar: Crossbar,
    x: Float[Tensor, "n inputs"],
    edge: float | None,
    scale: float,
    by_digit: bool,
) -> Float[Tensor, "n tiles columns"]:
    """Measured columns of each tile along the inputs, in weights times inputs, without what a
    mapping adds digitally.

    Inputs become voltages, `v = v_max x / edge`. Vectors with nan or inf are not applied: their
    columns are nan.

    Args:
        x: digital inputs, of each group.
        edge: largest input that the DACs apply; None: the largest of x.
        scale: weight per siemens.
        by_digit: as in `Tiling.columns`.
    """
    arrays, tiling = _arrays(crossbar), crossbar.tiling
    fits = x.isfinite().all(-1, keepdim=True)  # (n, 1)
    x = torch.where(fits, x.detach().float(), 0.0)
    gain = arrays.chip.volts / ((x.abs().max().item() if edge is None else edge) or 1.0)
    volts = tiling.driven(x * gain)  # (n, tiles, rows)
    amps = arrays.currents(volts)  # (n, tiles, width)
    found = tiling.columns(amps, by_digit).mul_(scale / gain)
    return torch.where(fits.unsqueeze(-1), found, math.nan)


def _arrays(crossbar: Crossbar) -> Arrays:
    """Where the cells are."""
    assert crossbar.arrays is not None
    return crossbar.arrays
