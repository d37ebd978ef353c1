"""The write step: which weights left their level, which cells that changes, what befell these."""

from __future__ import annotations

import numpy as np

from mho.kernels.compiled import compiled

BLOCK = 256
"""Weights compared at a time."""


@compiled
def find_apart(
    w: np.ndarray,
    target: np.ndarray,
    bound: float,
    edge: float,
    found: np.ndarray,
    shadow: np.ndarray,
) -> tuple[int, bool]:
    """Weights w (...) more than `bound` from their target (...), nan among them.

    Args:
        edge: a weight beyond it counts as standing there.
        found, shadow: receive as many flat positions (n,), int64, and values (n,) as they hold.

    Returns:
        How many there are; and whether all of them are finite.
    """
    every, goals = w.reshape(-1), target.reshape(-1)
    most, far = np.float32(edge), np.float32(bound)
    apart = np.empty(BLOCK, np.uint8)
    eight = apart.view(np.uint64)
    count, finite = 0, True
    for begin in range(0, every.size, BLOCK):
        some, goal = every[begin : begin + BLOCK], goals[begin : begin + BLOCK]
        if some.size < BLOCK:
            apart[:] = 0
        for k in range(some.size):
            apart[k] = not abs(some[k] - goal[k]) <= far
        for group in range(eight.size):
            if eight[group] == 0:
                continue
            for k in range(8 * group, 8 * group + 8):
                if not apart[k]:
                    continue
                finite = finite and np.isfinite(some[k])
                value = some[k]
                if value > most:
                    value = most
                if value < -most:
                    value = -most
                if not abs(value - goal[k]) <= far:
                    if count < found.size:
                        found[count], shadow[count] = begin + k, some[k]
                    count += 1
    return count, finite


@compiled
def plan_writes(
    weights: np.ndarray,
    shadow: np.ndarray,
    full_scale: float,
    codes: np.ndarray,
    table: np.ndarray,
    level: np.ndarray,
    rewrite: bool,
    kept: np.ndarray,
    index: np.ndarray,
    cells: np.ndarray,
    wanted: np.ndarray,
) -> tuple[int, int]:
    """Cells that bring weights to the level nearest to their shadow.

    Args:
        weights, shadow: flat positions (n,) and shadows (n,) of the weights.
        codes: levels of a weight's own cells at each of its levels (levels, own), int16.
        table: flat positions (weights, terms) of the cells that enter each weight, its own first.
        level: present levels of all cells (...), int16.
        rewrite: program all own cells of a weight none of whose levels changes.
        kept, index: receive the position and the level index of each weight written (n,), int64.
        cells, wanted: receive the position, int64, and the new level, int16, of each cell that
            changes (n * own,).

    Returns:
        How many weights, and how many cells.

    Raises:
        IndexError: a weight does not exist.
    """
    last, own, present = codes.shape[0] - 1, codes.shape[1], level.reshape(-1)
    scale, half = np.float32(full_scale), np.float32(last / 2)
    m = k = 0
    for i in range(weights.size):
        weight = weights[i]
        if not 0 <= weight < table.shape[0]:
            raise IndexError("a weight to write is not in the layer")
        place = np.floor((shadow[i] / scale + np.float32(1)) * half + np.float32(0.5))
        nearest = int(min(max(place, np.float32(0)), np.float32(last)))
        before = k
        for c in range(own):
            cell = table[weight, c]
            if codes[nearest, c] != present[cell]:
                cells[k], wanted[k] = cell, codes[nearest, c]
                k += 1
        if k == before:
            if not rewrite:
                continue
            for c in range(own):
                cell = table[weight, c]
                cells[k], wanted[k] = cell, present[cell]
                k += 1
        kept[m], index[m] = weight, nearest
        m += 1
    return m, k


@compiled
def plan_where_apart(
    w: np.ndarray,
    target: np.ndarray,
    bound: float,
    full_scale: float,
    codes: np.ndarray,
    table: np.ndarray,
    level: np.ndarray,
    rewrite: bool,
    kept: np.ndarray,
    index: np.ndarray,
    cells: np.ndarray,
    wanted: np.ndarray,
) -> tuple[int, bool, int, int]:
    """`find_apart`, then `plan_writes` of what was found if there is room for it."""
    shadow = np.empty(kept.size, np.float32)
    count, finite = find_apart(w, target, bound, full_scale, kept, shadow)
    if count > kept.size or not finite:
        return count, finite, 0, 0
    found, stands = kept[:count], shadow[:count]
    m, k = plan_writes(
        found, stands, full_scale, codes, table, level, rewrite, kept, index, cells, wanted
    )
    return count, finite, m, k


@compiled
def record_writes(
    cells: np.ndarray,
    wanted: np.ndarray,
    held: np.ndarray,
    landed: np.ndarray,
    spent: np.ndarray,
    reads: np.ndarray,
    conductance: np.ndarray,
    level: np.ndarray,
    writes: np.ndarray,
    pulses: np.ndarray,
    set_pulses: np.ndarray,
    row_pulses: np.ndarray,
    cell_reads: np.ndarray,
    row_reads: np.ndarray,
    width: int,
) -> None:
    """Enter one programming event into the buffers of a crossbar.

    Args:
        cells, wanted, held: flat positions (n,), new and former levels of the cells programmed.
        landed, spent, reads: conductance [S], pulses and reads (chips, n) of each.
        conductance, writes, pulses: buffers (chips, ...); level: (...).
        set_pulses, row_pulses, cell_reads, row_reads: counters (chips,).
        width: cells in a row.
    """
    chips, n = landed.shape
    each, stands = level.size, level.reshape(-1)
    for k in range(n):
        stands[cells[k]] = wanted[k]
    of_row = np.zeros(each // width, np.int32)
    reads_of_row = np.zeros(each // width, np.int32)
    g, events, total = conductance.reshape(-1), writes.reshape(-1), pulses.reshape(-1)
    for chip in range(chips):
        for k in range(n):
            at, row, count = chip * each + cells[k], cells[k] // width, spent[chip, k]
            g[at] = landed[chip, k]
            total[at] += count
            if count > 0:
                events[at] += 1
                if wanted[k] > held[k] and wanted[k] > 0:
                    set_pulses[chip] += count
                if count > of_row[row]:
                    row_pulses[chip] += count - of_row[row]
                    of_row[row] = count
            if reads[chip, k] > 0:
                cell_reads[chip] += reads[chip, k]
                if reads[chip, k] > reads_of_row[row]:
                    row_reads[chip] += reads[chip, k] - reads_of_row[row]
                    reads_of_row[row] = reads[chip, k]
        for k in range(n):
            of_row[cells[k] // width] = 0
            reads_of_row[cells[k] // width] = 0


@compiled
def fold_weights(
    weights: np.ndarray,
    index: np.ndarray,
    value: np.ndarray,
    full_scale: float,
    table: np.ndarray,
    seen: np.ndarray,
    line: np.ndarray,
    scale: float,
    effective: np.ndarray,
    target: np.ndarray,
) -> None:
    """What some weights realize and stand for, from what is seen of their cells.

    Args:
        weights, index: flat positions and level indices (n,).
        value: what the levels stand for, in shares of the full scale.
        table: as in `plan_writes`.
        seen: conductances (chips, ...) [S] of all cells.
        line: signed conductance per conductance of each cell that enters a weight, the last one
            first, then the constant added [S]: (terms + 1,).
        scale: weight per siemens.
        effective, target: receive both, (chips, ...) and (...).
    """
    terms, factor, most = table.shape[1], np.float32(scale), np.float32(full_scale)
    goal, realized, g = target.reshape(-1), effective.reshape(-1), seen.reshape(-1)
    chips = seen.shape[0]
    for i in range(weights.size):
        goal[weights[i]] = value[index[i]] * most
        for chip in range(chips):
            first, signed = chip * (g.size // chips), line[terms]
            for t in range(terms):
                signed += line[t] * g[first + table[weights[i], terms - 1 - t]]
            realized[chip * goal.size + weights[i]] = signed * factor


@compiled
def keep_broken(
    cells: np.ndarray, fault: np.ndarray, conductance: np.ndarray, landed: np.ndarray
) -> None:
    """Have broken cells stay where they are.

    Args:
        cells: flat positions (n,) of the cells programmed.
        fault, conductance: of all cells (chips, ...); 0 is healthy.
        landed: where each ends (chips, n), changed for broken cells.
    """
    chips, n = landed.shape
    faults, g = fault.reshape(-1), conductance.reshape(-1)
    for chip in range(chips):
        for k in range(n):
            at = chip * (g.size // chips) + cells[k]
            if faults[at] != 0:
                landed[chip, k] = g[at]
