"""What every write step runs: which weights left their level, which cells that changes, where the
cells land, what befell them, and what the weights are then.

All arrays are flat views: of weights `(out * in,)`, of cells `(chips * cells,)`, chip after chip.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mho.kernels.compiled import compiled

BLOCK = 256
"""Weights compared at a time."""


class Cells(NamedTuple):
    """The buffers of a crossbar that an event changes."""

    fault: np.ndarray
    """(chips * cells,) int8, 0 is healthy."""
    conductance: np.ndarray
    """(chips * cells,) float32 [S]."""
    level: np.ndarray
    """(cells,) int16, the same on all chips."""
    writes: np.ndarray
    """(chips * cells,) int32."""
    pulses: np.ndarray
    """(chips * cells,) int32."""
    set_pulses: np.ndarray
    """(chips,) int64, as are all that follow."""
    row_pulses: np.ndarray
    reads: np.ndarray
    row_reads: np.ndarray
    width: int
    """Cells in a row."""


class Layout(NamedTuple):
    """How weights sit on cells; see `mho.hardware.Mapping`."""

    table: np.ndarray
    """(weights, terms) int32: flat positions of the cells that enter a weight, its own first."""
    cell_levels: np.ndarray
    """(levels, own cells) int16: levels of a weight's own cells at each of its levels."""
    values: np.ndarray
    """(levels,) float32: what the levels stand for, in shares of the full scale."""
    own: np.ndarray
    """Coefficients of the own cells of a group, float32."""
    shared: np.ndarray
    """Coefficients of the reference cells of a group, float32."""
    constant: float
    """What is added to each group [S]; 0: nothing."""
    factors: np.ndarray
    """(digits,) float32."""
    copies: int
    """Groups that each digit is the mean of."""


class Weights(NamedTuple):
    """What a layer's weights are, besides the shadow."""

    target: np.ndarray
    """(weights,) float32."""
    effective: np.ndarray
    """(chips * weights,) float32."""
    digits: np.ndarray
    """(chips * digits * weights,) float32, or empty."""
    seen: np.ndarray
    """(chips * cells,) float32 [S]: what is seen of the cells."""


class Plan(NamedTuple):
    """Memory for a plan, which kernels fill from the start."""

    weights: np.ndarray
    """Flat positions of the weights to write, int64."""
    to: np.ndarray
    """Level that each of them gets, int64."""
    cells: np.ndarray
    """Flat positions of the cells to program, int64."""
    levels: np.ndarray
    """Their new levels, int16."""


@compiled
def find_stale(
    shadow: np.ndarray,
    target: np.ndarray,
    bound: float,
    edge: float,
    found: np.ndarray,
    values: np.ndarray,
) -> tuple[int, bool]:
    """Weights (n,) whose shadow is more than `bound` from their target, nan among them.

    Args:
        edge: a shadow beyond it counts as standing there.
        found, values: receive as many flat positions, int64, and shadows as they hold.

    Returns:
        How many there are; and whether all of them are finite.
    """
    most, far = np.float32(edge), np.float32(bound)
    far_off = np.empty(BLOCK, np.uint8)
    eight = far_off.view(np.uint64)
    count, finite = 0, True
    for begin in range(0, shadow.size, BLOCK):
        some, goal = shadow[begin : begin + BLOCK], target[begin : begin + BLOCK]
        if some.size < BLOCK:
            far_off[:] = 0
        for k in range(some.size):
            far_off[k] = not abs(some[k] - goal[k]) <= far
        for group in range(eight.size):
            if eight[group] == 0:
                continue
            for k in range(8 * group, 8 * group + 8):
                if not far_off[k]:
                    continue
                finite = finite and np.isfinite(some[k])
                value = some[k]
                if value > most:
                    value = most
                if value < -most:
                    value = -most
                if not abs(value - goal[k]) <= far:
                    if count < found.size:
                        found[count], values[count] = begin + k, some[k]
                    count += 1
    return count, finite


@compiled
def plan_writes(
    weights: np.ndarray,
    shadow: np.ndarray,
    full_scale: float,
    layout: Layout,
    level: np.ndarray,
    rewrite: bool,
    plan: Plan,
) -> tuple[int, int]:
    """Cells that bring weights to the level nearest to their shadow.

    Args:
        weights, shadow: flat positions (n,) and shadows (n,) of the weights.
        level: present levels of all cells.
        rewrite: program all own cells of a weight none of whose levels changes.
        plan: receives what to do; room for n weights.

    Returns:
        How many weights, and how many cells.

    Raises:
        IndexError: a weight does not exist.
    """
    to, table = layout.cell_levels, layout.table
    last, own = to.shape[0] - 1, to.shape[1]
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
            if to[nearest, c] != level[cell]:
                plan.cells[k], plan.levels[k] = cell, to[nearest, c]
                k += 1
        if k == before:
            if not rewrite:
                continue
            for c in range(own):
                cell = table[weight, c]
                plan.cells[k], plan.levels[k] = cell, level[cell]
                k += 1
        plan.weights[m], plan.to[m] = weight, nearest
        m += 1
    return m, k


@compiled
def plan_stale(
    shadow: np.ndarray,
    target: np.ndarray,
    bound: float,
    full_scale: float,
    layout: Layout,
    level: np.ndarray,
    rewrite: bool,
    plan: Plan,
) -> tuple[int, bool, int, int]:
    """`find_stale`, then `plan_writes` of what was found if there is room for it.

    Returns:
        What both return.
    """
    values = np.empty(plan.weights.size, np.float32)
    count, finite = find_stale(shadow, target, bound, full_scale, plan.weights, values)
    if count > plan.weights.size or not finite:
        return count, finite, 0, 0
    found = plan.weights[:count]
    m, k = plan_writes(found, values[:count], full_scale, layout, level, rewrite, plan)
    return count, finite, m, k


@compiled
def land(
    z: np.ndarray,
    level: np.ndarray,
    offset: np.ndarray,
    line: tuple[float, float],
    sigma: np.ndarray,
    landed: np.ndarray,
) -> None:
    """`landed = max(g + offset + s(g) z, 0)` with `g = line[0] + line[1] level`, s a polynomial.

    Args:
        z, landed: (chips, n).
        level: (n,).
        offset: of each device (chips, n), or empty.
        sigma: coefficients of s, the constant first, float32.
    """
    chips, n = z.shape
    low, step = np.float32(line[0]), np.float32(line[1])
    for chip in range(chips):
        for k in range(n):
            g = low + step * np.float32(level[k])
            spread = sigma[sigma.size - 1]
            if sigma.size > 1:
                for power in range(sigma.size - 2, -1, -1):
                    spread = spread * g + sigma[power]
                spread = max(spread, np.float32(0))
            centre = g + offset[chip, k] if offset.size else g
            landed[chip, k] = max(centre + spread * z[chip, k], np.float32(0))


@compiled
def program_open_loop(
    cells: np.ndarray,
    levels: np.ndarray,
    z: np.ndarray,
    offset: np.ndarray,
    line: tuple[float, float],
    sigma: np.ndarray,
    state: Cells,
) -> None:
    """One event of one pulse a cell that lands as in `land`, faults seen to, and recorded.

    Args:
        cells, levels: flat positions (n,) and new levels of the cells to program.
        z: (chips, n).
        offset: of each device (chips * cells,), or empty.

    Raises:
        IndexError: a cell does not exist, or has no level; then nothing is programmed.
    """
    chips, n = z.shape
    each = state.level.size
    held, own = np.empty(n, np.int16), np.empty((chips, n if offset.size else 0), np.float32)
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
    land(z, levels, own, line, sigma, landed)
    for chip in range(chips):
        for k in range(n):
            at = chip * each + cells[k]
            if state.fault[at] != 0:
                landed[chip, k] = state.conductance[at]
    ones, none = np.ones((chips, n), np.int32), np.zeros((chips, n), np.int32)
    record(cells, levels, held, landed, ones, none, state)


@compiled
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
def fold(
    weights: np.ndarray,
    index: np.ndarray,
    full_scale: float,
    scale: float,
    layout: Layout,
    state: Weights,
) -> None:
    """What some weights realize and stand for, from what is seen of their cells.

    Sums run in the order of `mho.hardware.Mapping`, so that both give the same bits.

    Args:
        weights, index: flat positions (n,) and new levels.
        scale: weight per siemens.
    """
    table, own, shared = layout.table, layout.own, layout.shared
    digits, copies, constant = layout.factors.size, layout.copies, np.float32(layout.constant)
    references = digits * copies * own.size  # column of the first one in the table
    total, factor, most = state.target.size, np.float32(scale), np.float32(full_scale)
    chips = state.effective.size // total
    cells = state.seen.size // chips
    for i in range(weights.size):
        weight = weights[i]
        state.target[weight] = layout.values[index[i]] * most
        for chip in range(chips):
            first = chip * cells
            signed = np.float32(0)
            for digit in range(digits):
                mean = np.float32(0)
                for copy in range(copies):
                    group = digit * copies + copy
                    sum_of = np.float32(0)
                    for t in range(shared.size - 1, -1, -1):
                        at = table[weight, references + group * shared.size + t]
                        sum_of += shared[t] * state.seen[first + at]
                    for t in range(own.size - 1, -1, -1):
                        at = table[weight, group * own.size + t]
                        sum_of += own[t] * state.seen[first + at]
                    if constant != 0:
                        sum_of += constant
                    mean += sum_of
                if copies > 1:
                    mean /= np.float32(copies)
                if digits > 1:
                    if state.digits.size:
                        state.digits[(chip * digits + digit) * total + weight] = mean * factor
                    mean *= layout.factors[digit]
                signed += mean
            state.effective[chip * total + weight] = signed * factor


@compiled
def write_open_loop(
    plan: Plan,
    counts: tuple[int, int],
    z: np.ndarray,
    offset: np.ndarray,
    line: tuple[float, float],
    sigma: np.ndarray,
    cells: Cells,
    full_scale: float,
    scale: float,
    layout: Layout,
    weights: Weights,
) -> None:
    """`program_open_loop` and `fold` of the first weights and cells of a plan, `counts` of each."""
    m, k = counts
    program_open_loop(plan.cells[:k], plan.levels[:k], z, offset, line, sigma, cells)
    fold(plan.weights[:m], plan.to[:m], full_scale, scale, layout, weights)
