"""Which weights left their level, and which cells that changes."""

from __future__ import annotations

import numpy as np

from mho.kernels.compiled import exclusive
from mho.kernels.records import Layout, Plan
from mho.kernels.ties import NEAR, direction

BLOCK = 256
"""Weights compared at a time."""


@exclusive
def find_stale(
    shadow: np.ndarray,
    target: np.ndarray,
    bound: float,
    edge: float,
    found: np.ndarray,
    values: np.ndarray,
) -> tuple[int, bool, int]:
    """Weights (n,) whose shadow is more than `bound` from their target, nan among them.

    Args:
        edge: a shadow beyond it counts as standing there.
        found, values: receive as many flat positions, int64, and shadows as they hold.

    Returns:
        How many there are; whether all of them are finite; and how many stand beyond the edge, by
        more than `bound` if their target is at it.
    """
    most, far = np.float32(edge), np.float32(bound)
    far_off = np.empty(BLOCK, np.uint8)
    eight = far_off.view(np.uint64)
    count, finite, outside = 0, True, 0
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
                if abs(value) > most:
                    outside += 1
                    value = most if value > 0 else -most
                if not abs(value - goal[k]) <= far:
                    if count < found.size:
                        found[count], values[count] = begin + k, some[k]
                    count += 1
    return count, finite, outside


@exclusive
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
    near = np.float32((last + 1) * NEAR)
    m = k = 0
    for i in range(weights.size):
        weight = weights[i]
        if not 0 <= weight < table.shape[0]:
            raise IndexError("a weight to write is not in the layer")
        toward = near * np.float32(direction(weight))
        place = np.rint((shadow[i] / scale + np.float32(1)) * half + toward)
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


@exclusive
def plan_stale(
    shadow: np.ndarray,
    target: np.ndarray,
    bound: float,
    full_scale: float,
    layout: Layout,
    level: np.ndarray,
    rewrite: bool,
    plan: Plan,
) -> tuple[int, bool, int, int, int]:
    """`find_stale`, then `plan_writes` of what was found if there is room for it.

    Returns:
        What both return.
    """
    values = np.empty(plan.weights.size, np.float32)
    count, finite, outside = find_stale(shadow, target, bound, full_scale, plan.weights, values)
    if count > plan.weights.size or not finite:
        return count, finite, outside, 0, 0
    found = plan.weights[:count]
    m, k = plan_writes(found, values[:count], full_scale, layout, level, rewrite, plan)
    return count, finite, outside, m, k
