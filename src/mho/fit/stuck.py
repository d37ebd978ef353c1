"""Cells that do not follow what is asked of them: stuck, open, short, in another unit, or far off
all others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mho.fit.devices import apart, rows_of
from mho.fit.outcome import Parameter, share

FAR = 5.0
"""How much farther from its targets such a cell lies than the middle one of the others."""
BENT = 0.5
"""Its slope, read over target, lies farther than this from 1."""
TARGETS = 3
"""Targets that show a slope."""
MANY = 300
"""Reads of a cell that are enough for its slope."""
SCATTER = 5
"""Reads of a cell that show how far they scatter."""


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
    """All others that do not follow."""
    far: tuple[int, ...] = ()
    """Cells that follow, but lie much farther off their targets, or scatter much more, than any of
    the others."""

    @property
    def any(self) -> bool:
        """Whether there is one."""
        return bool(self.off or self.on or self.other or self.far)

    def shares(self) -> list[Parameter]:
        """`stuck_off` and `stuck_on` with exact intervals."""
        return [
            share(name, len(some), self.devices)
            for name, some in (("stuck_off", self.off), ("stuck_on", self.on))
            if some
        ]


def stuck(x: np.ndarray, read: np.ndarray, device: np.ndarray) -> Stuck:
    """Find the cells whose reads do not follow their targets while those of others do.

    Args:
        x: targets (n,), 0 to 1 over the window.
        read: what was read (n,), in the same unit.
        device: cell of each (n,), from 0.
    """
    cells = rows_of(device)
    count = len(cells)
    slope, far, level, shift = np.ones(count), np.zeros(count), np.zeros(count), np.zeros(count)
    scatter = np.full(count, np.nan)
    for d, mine in enumerate(cells):
        off = read[mine] - x[mine]
        level[d], shift[d] = np.median(read[mine]), np.median(off)
        far[d] = np.median(np.abs(off))
        if len(np.unique(x[mine])) >= TARGETS:
            slope[d] = _slope(x[mine], read[mine])
        rest = float(np.median(np.abs(off - shift[d])))
        if len(mine) >= SCATTER and rest > 0:
            scatter[d] = np.log(rest)
    middle = np.sort(far)[(count - 1) // 2]
    bad = (np.abs(slope - 1) > BENT) & (far > FAR * middle) & (count > 1)
    rest = np.flatnonzero(~bad)
    away = rest[apart(shift[rest]) | apart(scatter[rest], above=True)]
    still = [d for d in np.flatnonzero(bad) if abs(slope[d]) < BENT]
    off = tuple(int(d) for d in still if level[d] < 0.25)
    on = tuple(int(d) for d in still if level[d] > 0.75)
    other = tuple(int(d) for d in np.flatnonzero(bad) if d not in (*off, *on))
    bad[away] = True
    return Stuck(bad[device], count, off, on, other, tuple(int(d) for d in away))


def _slope(x: np.ndarray, y: np.ndarray) -> float:
    """Median slope of all pairs (Theil 1950, Sen 1968), of some reads where there are many."""
    if len(x) > MANY:
        some = np.linspace(0, len(x) - 1, MANY).astype(int)
        x, y = x[some], y[some]
    run, rise = x[:, None] - x, y[:, None] - y
    return float(np.median(rise[run > 0] / run[run > 0]))
