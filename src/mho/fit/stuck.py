"""Cells that do not follow what is asked of them: stuck, open, short, or in another unit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from mho.fit.outcome import CONFIDENCE, Parameter

FAR = 5.0
"""How much farther from its targets such a cell lies than the middle one of the others."""
BENT = 0.5
"""Its slope, read over target, lies farther than this from 1."""
TARGETS = 3
"""Targets that show a slope."""


@dataclass(frozen=True)
class Stuck:
    """Which rows are of such cells."""

    rows: np.ndarray
    """(n,) bool."""
    devices: int
    """How many cells there are."""
    off: tuple[int, ...]
    """Cells that stand at the lower end of the window or below, whatever is asked."""
    on: tuple[int, ...]
    """Those at the upper end or above."""
    other: tuple[int, ...]
    """All others of them."""

    @property
    def any(self) -> bool:
        """Whether there is one."""
        return bool(self.off or self.on or self.other)

    def shares(self) -> list[Parameter]:
        """`stuck_off` and `stuck_on` with exact intervals (Clopper and Pearson 1934)."""
        out = []
        for name, some in (("stuck_off", self.off), ("stuck_on", self.on)):
            if some:
                k, n, tail = len(some), self.devices, (1 - CONFIDENCE) / 2
                high = 1.0 if k == n else float(stats.beta.isf(tail, k + 1, n - k))
                low = float(stats.beta.ppf(tail, k, n - k + 1))
                out.append(Parameter(name, k / n, low, high))
        return out


def stuck(x: np.ndarray, read: np.ndarray, device: np.ndarray) -> Stuck:
    """Find the cells whose reads do not follow their targets while those of others do.

    Args:
        x: targets (n,), 0 to 1 over the window.
        read: what was read (n,), in the same unit.
        device: cell of each (n,), from 0.
    """
    count = int(device.max()) + 1
    slope, far, level = np.ones(count), np.zeros(count), np.zeros(count)
    for d in range(count):
        mine = device == d
        level[d] = np.median(read[mine])
        far[d] = np.median(np.abs(read[mine] - x[mine]))
        if len(np.unique(x[mine])) >= TARGETS:
            slope[d] = _slope(x[mine], read[mine])
    middle = np.sort(far)[(count - 1) // 2]
    bad = np.flatnonzero((np.abs(slope - 1) > BENT) & (far > FAR * middle)) if count > 1 else []
    still = [d for d in bad if abs(slope[d]) < BENT]
    off = tuple(int(d) for d in still if level[d] < 0.25)
    on = tuple(int(d) for d in still if level[d] > 0.75)
    other = tuple(int(d) for d in bad if d not in (*off, *on))
    return Stuck(np.isin(device, bad), count, off, on, other)


def _slope(x: np.ndarray, y: np.ndarray) -> float:
    """Median slope of all pairs (Theil 1950, Sen 1968)."""
    run, rise = x[:, None] - x, y[:, None] - y
    return float(np.median(rise[run > 0] / run[run > 0]))
