"""Devices of a table: the rows of each, those that lie apart from the others, and their names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from scipy import stats

from mho.fit.outcome import far_out
from mho.fit.reading.table import Table

SHOWN = 6
"""Names that a remark lists."""
LEAST = 8
"""Devices from which on one can be told from the others."""


def rows_of(device: np.ndarray) -> list[np.ndarray]:
    """Rows of each device (n,), which are numbered from 0, in their order."""
    order = np.argsort(device, kind="stable")
    return np.split(order, np.cumsum(np.bincount(device))[:-1])


def medians(y: np.ndarray, device: np.ndarray) -> np.ndarray:
    """Median (devices,) of each device's values (n,), gaps left out; nan where it has none."""
    out = []
    for rows in rows_of(device):
        values = y[rows]
        values = values[np.isfinite(values)]
        out.append(np.median(values) if len(values) else np.nan)
    return np.array(out)


def apart(y: np.ndarray, *, above: bool = False) -> np.ndarray:
    """Which devices lie apart from the others, by a number of each (devices,); nan: it has none.

    The scale is that of `far_out`, an estimate of few devices: a median tells about as much as 0.37
    of the values, so that Student's t of as many degrees of freedom gives the limit.

    Args:
        above: only those with a larger one.
    """
    known = np.isfinite(y)
    n = int(known.sum())
    if n < LEAST:
        return np.zeros(len(y), dtype=bool)
    normal, few = (law.isf(0.01 / (2 * n)) for law in (stats.norm, stats.t(0.37 * (n - 1))))
    off = y - np.median(y[known])
    far = far_out(off, times=1.5 * float(few / normal))
    return far & (off > 0) if above else far


def names_of(table: Table, device: np.ndarray) -> list[str]:
    """Name of each device: by the column that tells it, or by its number from 1."""
    if "device" not in table.words:
        return [str(k + 1) for k in range(int(device.max()) + 1)]
    first = np.unique(device, return_index=True)[1]
    return [str(name) for name in table.words["device"][first]]


def listed(names: Sequence[str], some: Iterable[int]) -> str:
    """Names of some devices as a remark has them: "device A", "devices A, B and 3 more"."""
    chosen = [names[k] for k in some]
    word = "device" if len(chosen) == 1 else "devices"
    more = f" and {len(chosen) - SHOWN} more" if len(chosen) > SHOWN else ""
    return f"{word} {', '.join(chosen[:SHOWN])}{more}"
