"""Where cells land in one draw, and what a programming event leaves in their records."""

from __future__ import annotations

import numpy as np

from mho.kernels.compiled import compiled, exclusive
from mho.kernels.records import Cells


@compiled
def land(
    z: np.ndarray,
    level: np.ndarray,
    offset: np.ndarray,
    line: tuple[float, float],
    spread: np.ndarray,
    landed: np.ndarray,
) -> None:
    """`landed = max(g + offset + spread[level] z, 0)` with `g = line[0] + line[1] level`.

    Args:
        z, landed: (chips, n); they may be one.
        level: (n,).
        offset: of each device (chips, n), or empty.
        spread: standard deviation at each level [S], float32.

    Raises:
        IndexError: a level is not one of those.
    """
    chips, n = z.shape
    low, step = np.float32(line[0]), np.float32(line[1])
    for k in range(n):
        if not 0 <= level[k] < spread.size:
            raise IndexError("a cell cannot be programmed to a level that it does not have")
    for chip in range(chips):
        for k in range(n):
            g = low + step * np.float32(level[k])
            centre = g + offset[chip, k] if offset.size else g
            landed[chip, k] = max(centre + spread[level[k]] * z[chip, k], np.float32(0))


@exclusive
def program_landing(
    cells: np.ndarray,
    levels: np.ndarray,
    z: np.ndarray,
    offset: np.ndarray,
    line: tuple[float, float],
    spread: np.ndarray,
    spent: tuple[int, int],
    state: Cells,
) -> None:
    """One event in which each cell lands as in `land`, faults seen to, and recorded.

    Args:
        cells, levels: flat positions (n,) and new levels of the cells to program.
        z: (chips, n).
        offset: of each device (chips * cells,), or empty.
        spent: pulses and verify reads of each.

    Raises:
        IndexError: a cell does not exist, or has no such level; then nothing is programmed.
    """
    chips, n = z.shape
    each = state.level.size
    held, own = np.empty(n, np.int32), np.empty((chips, n if offset.size else 0), np.float32)
    if cells.size != n:
        raise IndexError("as many levels as cells are needed")
    for k in range(n):
        if not 0 <= cells[k] < each:
            raise IndexError("a cell to program is not on the chip")
        held[k] = state.level[cells[k]]
        if offset.size:
            for chip in range(chips):
                own[chip, k] = offset[chip * each + cells[k]]
    landed = np.empty((chips, n), np.float32)
    land(z, levels, own, line, spread, landed)
    for chip in range(chips):
        for k in range(n):
            at = chip * each + cells[k]
            if state.fault[at] != 0:
                landed[chip, k] = state.conductance[at]
    pulses, reads = np.empty((chips, n), np.int32), np.empty((chips, n), np.int32)
    pulses[:], reads[:] = spent
    record(cells, levels, held, landed, pulses, reads, state)


@exclusive
def record(
    cells: np.ndarray,
    levels: np.ndarray,
    held: np.ndarray,
    landed: np.ndarray,
    spent: np.ndarray,
    reads: np.ndarray,
    state: Cells,
) -> None:
    """Enter one programming event into the buffers of a crossbar.

    Args:
        cells, levels, held: flat positions (n,), new and former levels of the cells programmed.
        landed, spent, reads: conductance [S], pulses and reads (chips, n) of each.
    """
    chips, n = landed.shape
    each, width = state.level.size, state.width
    for k in range(n):
        state.level[cells[k]] = levels[k]
    of_row = np.zeros(each // width, np.int32)
    reads_of_row = np.zeros(each // width, np.int32)
    for chip in range(chips):
        for k in range(n):
            at, row, count = chip * each + cells[k], cells[k] // width, spent[chip, k]
            state.conductance[at] = landed[chip, k]
            state.pulses[at] += count
            if count > 0:
                state.writes[at] += 1
                if levels[k] > held[k] and levels[k] > 0:
                    state.set_pulses[chip] += count
                if count > of_row[row]:
                    state.row_pulses[chip] += count - of_row[row]
                    of_row[row] = count
            if reads[chip, k] > 0:
                state.reads[chip] += reads[chip, k]
                if reads[chip, k] > reads_of_row[row]:
                    state.row_reads[chip] += reads[chip, k] - reads_of_row[row]
                    reads_of_row[row] = reads[chip, k]
        for k in range(n):
            of_row[cells[k] // width] = 0
            reads_of_row[cells[k] // width] = 0


@compiled
def totals(
    raised: np.ndarray, pulses: np.ndarray, reads: np.ndarray, width: int, counts: np.ndarray
) -> None:
    """What an event that programs every cell of some chips adds to the counts of each.

    Args:
        raised: (n,) bool, cells that go to a higher level.
        pulses, reads: (chips, n) of each cell, int32.
        width: cells in a row.
        counts: receives (chips, 4), int64: pulses on raised cells; most pulses on any cell of a
            row, summed over rows; reads; most reads of any cell of a row, summed over rows.
    """
    chips, n = pulses.shape
    for chip in range(chips):
        sets = all_reads = most_pulses = most_reads = np.int64(0)
        for first in range(0, n, width):
            spent, read = pulses[chip, first : first + width], reads[chip, first : first + width]
            up = raised[first : first + width]
            most = most_read = sets_of = reads_of = np.int32(0)
            for k in range(spent.size):
                sets_of += spent[k] if up[k] else np.int32(0)
                reads_of += read[k]
                most = max(most, spent[k])
                most_read = max(most_read, read[k])
            sets += sets_of
            all_reads += reads_of
            most_pulses += most
            most_reads += most_read
        counts[chip, 0], counts[chip, 1] = sets, most_pulses
        counts[chip, 2], counts[chip, 3] = all_reads, most_reads
