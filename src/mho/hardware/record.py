"""The host's record of cells that an instrument holds: a crossbar filled with what it reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from jaxtyping import Int, Int64
from torch import Tensor

from mho.hardware.instrument import Outcome

if TYPE_CHECKING:
    from mho.hardware.crossbar import Crossbar

REFUSED = 4
"""Value of `Crossbar.fault`, beside HEALTHY and others: the instrument gave the cell up so often
that it is left alone."""


def program(crossbar: Crossbar, cells: Int64[Tensor, " n"], levels: Int[Tensor, " n"]) -> None:
    """Program cells to levels through the instrument; each answer is recorded as it comes.

    A cell that the instrument gives up is tried `retries` times more, then it counts as REFUSED and
    is never programmed again. Its level is recorded as if it had got there, as that of a cell that
    is stuck unknown to the host.

    Raises:
        InstrumentError: the record is then that of what had been answered; ask again.
    """
    arrays = crossbar.arrays
    assert arrays is not None
    crossbar.programmings += 1
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
            _take(crossbar, at, to, outcome)
            left = left[outcome.refused]
        fault[some[left]] = REFUSED
        level[some] = wanted.to(level)


def _take(crossbar: Crossbar, cells: Tensor, levels: Tensor, outcome: Outcome) -> None:
    """Record one answer."""
    level, conductance = crossbar.level.view(-1), crossbar.conductance.view(-1)
    nominal = crossbar.hardware.device.nominal(levels).to(conductance)
    believed = torch.where(outcome.refused, conductance[cells], nominal)
    conductance[cells] = torch.where(outcome.conductance.isnan(), believed, outcome.conductance)
    raised = (levels > level[cells]) & (levels > 0)
    level[cells] = levels.to(level)
    crossbar.writes.view(-1)[cells] += (outcome.pulses > 0).to(torch.int32)
    crossbar.pulses.view(-1)[cells] += outcome.pulses
    crossbar.set_pulses += (outcome.pulses * raised).sum()
    crossbar.reads += outcome.reads.sum()
    crossbar.row_pulses += crossbar.tiling.most_in_rows(cells, outcome.pulses.view(1, -1))
    crossbar.row_reads += crossbar.tiling.most_in_rows(cells, outcome.reads.view(1, -1))


def look(crossbar: Crossbar, cells: Int64[Tensor, " n"]) -> None:
    """Read cells at flat positions and record what they hold; counted."""
    arrays = crossbar.arrays
    assert arrays is not None
    width, rows = crossbar.tiling.width, crossbar.tiling.rows
    line = cells // width
    driven, which = (line % rows).unique(return_inverse=True)
    read = arrays.conductances(driven)[which, line // rows, cells % width]
    crossbar.conductance.view(-1)[cells] = read
    crossbar.reads += len(cells)
    crossbar.row_reads += crossbar.tiling.most_in_rows(cells, torch.ones_like(cells).view(1, -1))


def survey(crossbar: Crossbar) -> None:
    """Read all cells in use; each then counts as standing at the level nearest to what was read."""
    used = crossbar.tiling.used().to(crossbar.level.device).flatten()
    cells = used.nonzero().squeeze(1)
    look(crossbar, cells)
    device = crossbar.hardware.device
    index = ((crossbar.conductance.view(-1)[cells] - device.window[0]) / device.step).round()
    crossbar.level.view(-1)[cells] = index.clamp(0, device.states - 1).to(torch.int16)
