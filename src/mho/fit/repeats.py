"""Repeated reads of one write: their mean counts once, their scatter is noise of a read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mho.fit.devices import medians
from mho.fit.outcome import Parameter, far_out
from mho.fit.random_effects import deviation
from mho.fit.reading.table import Table


@dataclass(frozen=True)
class Writes:
    """One row a write."""

    table: Table
    read: np.ndarray
    """(n,) mean of its reads [S]."""
    target: np.ndarray
    """(n,) [S]"""
    variance: np.ndarray
    """(n,) of the mean, by the noise of reads [S^2]; 0: not known."""
    noise: Parameter | None
    """Standard deviation of one read [S]; None: no write was read twice."""
    lines: list[int]
    """Reads that were set aside, far off the others of their write."""


def writes_of(table: Table, read: np.ndarray, target: np.ndarray, least: float = 0.0) -> Writes:
    """The writes of a table with a column `repeat`; without one each row is a write.

    A write is of one device, cycle and target; where a number of a read comes again, it is of the
    next write.

    Args:
        read: (n,) [S], without gaps.
        target: (n,) [S], without gaps.
        least: last digit of a read [S].
    """
    if "repeat" not in table.words:
        return Writes(table, read, target, np.zeros(len(read)), None, [])
    of = table.labels("device", "cycle")
    _, level = np.unique(target, return_inverse=True)
    _, number = np.unique(table.words["repeat"], return_inverse=True)
    write = of * (int(level.max()) + 1) + level
    again = _occurrence(write * (int(number.max()) + 1) + number)
    _, first, write = np.unique(
        write * (int(again.max()) + 1) + again, return_index=True, return_inverse=True
    )
    wild = far_out(read - medians(read, write)[write], least)
    kept = ~wild
    size = np.bincount(write[kept], minlength=len(first))
    some = size > 0
    mean = np.bincount(write[kept], read[kept], len(first))[some] / size[some]
    free = int(kept.sum()) - int(some.sum())
    noise, variance = None, np.zeros(int(some.sum()))
    if free > 0:
        place = np.cumsum(some) - 1
        squares = float(np.sum((read[kept] - mean[place[write[kept]]]) ** 2))
        noise = Parameter("noise of a read", *deviation(squares, free), "S")
        variance = noise.value**2 / size[some]
    first = first[some]
    order = np.argsort(first)
    lines = sorted({int(n) for n in table.lines[wild]})
    first = first[order]
    return Writes(table.kept(first), mean[order], target[first], variance[order], noise, lines)


def _occurrence(key: np.ndarray) -> np.ndarray:
    """How many rows before each have its key (n,)."""
    order = np.argsort(key, kind="stable")
    starts = np.flatnonzero(np.diff(key[order], prepend=-1))
    count = np.arange(len(key)) - np.repeat(starts, np.diff(np.append(starts, len(key))))
    out = np.empty(len(key), dtype=int)
    out[order] = count
    return out
