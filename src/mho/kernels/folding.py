"""What weights are after their cells were programmed."""

from __future__ import annotations

import numpy as np

from mho.kernels.compiled import exclusive
from mho.kernels.programming import program_landing
from mho.kernels.records import Cells, Layout, Plan, Weights


@exclusive
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


@exclusive
def write_landing(
    plan: Plan,
    counts: tuple[int, int],
    z: np.ndarray,
    offset: np.ndarray,
    line: tuple[float, float],
    spread: np.ndarray,
    spent: tuple[int, int],
    cells: Cells,
    full_scale: float,
    scale: float,
    layout: Layout,
    weights: Weights,
) -> None:
    """`program_landing` and `fold` of the first weights and cells of a plan, `counts` of each."""
    m, k = counts
    program_landing(plan.cells[:k], plan.levels[:k], z, offset, line, spread, spent, cells)
    fold(plan.weights[:m], plan.to[:m], full_scale, scale, layout, weights)
