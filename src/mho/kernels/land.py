"""Programming cells that land afresh, without a look at them."""

from __future__ import annotations

from typing import Any

import numpy as np

from mho.kernels.compiled import compiled
from mho.kernels.write import fold_weights, keep_broken, record_writes


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
def land_cells(
    cells: np.ndarray,
    wanted: np.ndarray,
    z: np.ndarray,
    offset: np.ndarray,
    line: tuple[float, float],
    sigma: np.ndarray,
    fault: np.ndarray,
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
    """One open-loop event of one pulse a cell: `land`, `keep_broken`, `record_writes`.

    Args:
        cells, wanted: flat positions (n,) and new levels of the cells to program.
        offset: of each device (chips, ...), or empty.

    Raises:
        IndexError: a cell does not exist, or has no level; then nothing is programmed.
    """
    chips, n = z.shape
    held, present = np.empty(n, np.int16), level.reshape(-1)
    offsets, own = offset.reshape(-1), np.empty((chips, n if offset.size else 0), np.float32)
    if cells.size != n:
        raise IndexError("as many levels as cells are needed")
    for k in range(n):
        if not 0 <= cells[k] < present.size:
            raise IndexError("a cell to program is not on the chip")
        held[k] = present[cells[k]]
        if offset.size:
            for chip in range(chips):
                own[chip, k] = offsets[chip * present.size + cells[k]]
    landed = np.empty((chips, n), np.float32)
    land(z, wanted, own, line, sigma, landed)
    keep_broken(cells, fault, conductance, landed)
    ones, none = np.ones((chips, n), np.int32), np.zeros((chips, n), np.int32)
    record_writes(
        *(cells, wanted, held, landed, ones, none),
        *(conductance, level, writes, pulses),
        *(set_pulses, row_pulses, cell_reads, row_reads, width),
    )


@compiled
def land_planned(
    count: int,
    kept: np.ndarray,
    index: np.ndarray,
    cells: np.ndarray,
    wanted: np.ndarray,
    z: np.ndarray,
    fold: tuple[Any, ...],
    landing: tuple[Any, ...],
) -> None:
    """`land_cells` of what `plan_where_apart` wrote down for so many weights, and `fold_weights`.

    Args:
        z: noise (chips, k) of the cells that take part.
        fold, landing: what the two take besides weights and index, cells, levels and noise.
    """
    n = z.shape[1]
    land_cells(cells[:n], wanted[:n], z, *landing)
    fold_weights(kept[:count], index[:count], *fold)
