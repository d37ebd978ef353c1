"""What is left of a fit, cell by cell in the place that each has on its array."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

PLACE = re.compile(r"(.*?)\brow (\d+) column (\d+)")
"""A device that a table tells by row and column, as reading names it; before it what else tells
devices apart."""
LEAST = 4
"""Cells from which on there is something to see, in two rows and two columns or more."""
MOST = 4096
"""Rows, and columns, of a map."""


@dataclass(frozen=True)
class ArrayMap:
    """Cells in their places."""

    rows: np.ndarray
    """Numbers of the rows, all from the first to the last that has a cell."""
    columns: np.ndarray
    """The same of columns."""
    mean: np.ndarray
    """(rows, columns) mean residual of each cell, in standard deviations of one; nan: no cell."""


def map_of(device: np.ndarray, residual: np.ndarray) -> ArrayMap | None:
    """The map of one array; None: devices are not told by row and column, are of several arrays, or
    lie in one row or column.

    Args:
        device: (n,) names.
        residual: (n,) in standard deviations.
    """
    found = [PLACE.fullmatch(str(name)) for name in device]
    told = [each for each in found if each is not None]
    if not told or len(told) < len(found) or len({each[1] for each in told}) > 1:
        return None
    row, column = (np.array([int(each[k]) for each in told]) for k in (2, 3))
    rows, columns = (np.arange(x.min(), x.max() + 1) for x in (row, column))
    if min(len(rows), len(columns)) < 2 or max(len(rows), len(columns)) > MOST:
        return None
    if len(set(zip(row.tolist(), column.tolist(), strict=True))) < LEAST:
        return None
    at = (row - rows[0], column - columns[0])
    shape, seen = (len(rows), len(columns)), np.isfinite(residual)
    total, count = np.zeros(shape), np.zeros(shape)
    np.add.at(total, (at[0][seen], at[1][seen]), residual[seen])
    np.add.at(count, (at[0][seen], at[1][seen]), 1)
    return ArrayMap(rows, columns, np.where(count > 0, total / np.maximum(count, 1), np.nan))
