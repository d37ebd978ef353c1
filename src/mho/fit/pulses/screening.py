"""What reads of pulse trains tell before any model: can they be fitted, and what is wild."""

from __future__ import annotations

import numpy as np

from mho.errors import invalid
from mho.fit.outcome import far_out
from mho.fit.pulses.trains import Trains
from mho.fit.reading.table import Table


def check(table: Table, chains: Trains) -> None:
    """Refuse what cannot be fitted."""
    if (chains.g < 0).any():
        c, k = np.argwhere(chains.g < 0)[0]
        where = table.where(int(chains.row[c, k]))
        raise invalid(f"{where}, conductance", float(chains.g[c, k]), "0 S or more")
    before, after, pulses, up, device, _, _ = chains.transitions()
    for sign, name in ((True, "SET"), (False, "RESET")):
        found = int((up == sign).sum())
        if found < 5:
            allowed = f"at least 5 reads after {name} pulses; there are {found}"
            raise invalid(f"{table.path}, polarity", f"{name} missing" * (not found), allowed)
    step = (after - before) / pulses
    if not np.median(step[~up]) <= 0 <= np.median(step[up]):
        found = f"a SET pulse moves by {np.median(step[up]):.3g} S"
        allowed = "SET that raises the conductance, RESET that lowers it; is the sign swapped?"
        raise invalid(f"{table.path}, polarity", found, allowed)
    counts = np.bincount(device[up], minlength=chains.devices)
    if counts.min() < 3:
        name = f"device {np.argmin(counts) + 1}"
        raise invalid(f"{table.path}, {name}", int(counts.min()), "at least 3 reads after SET")


def screen(chains: Trains) -> np.ndarray:
    """Reads far off the middle of their neighbours, which no pulse explains."""
    g = chains.g
    off = np.full(g.shape, np.nan)
    off[:, 1:-1] = g[:, 1:-1] - 0.5 * (g[:, :-2] + g[:, 2:])
    turn = np.zeros(g.shape, dtype=bool)
    turn[:, 1:-1] = (chains.up[:, 2:] != chains.up[:, 1:-1]) | (
        chains.up[:, 1:-1] != chains.up[:, :-2]
    )
    turn[:, 1:-1] |= chains.pulses[:, 2:] != chains.pulses[:, 1:-1]
    off[turn] = np.nan
    size = np.abs(np.nan_to_num(off))
    peak = np.ones(g.shape, dtype=bool)
    peak[:, 1:] &= size[:, 1:] >= size[:, :-1]
    peak[:, :-1] &= size[:, :-1] >= size[:, 1:]
    return far_out(off.ravel(), times=2.0).reshape(g.shape) & peak


def heaped(g: np.ndarray) -> bool:
    """Whether the least or largest read comes again and again: an end, and reads without error."""
    seen = g[np.isfinite(g)]
    values, counts = np.unique(seen, return_counts=True)
    usual = float(np.median(counts))
    return bool(max(counts[0], counts[-1]) >= max(4.0, 4 * usual) and len(values) > 8)


def reference(chains: Trains, at_ends: bool) -> tuple[float, float]:
    """Low end and width of the window that conductances are scaled by [S]."""
    if at_ends:
        low, high = float(np.nanmin(chains.g)), float(np.nanmax(chains.g))
    else:
        low, high = (float(end.mean()) for end in chains.ends())
    if high <= low:
        found = f"{low:.4g} S after RESET, {high:.4g} S after SET"
        allowed = "trains in which SET raises the conductance; is the sign swapped?"
        raise invalid("polarity", found, allowed)
    return low, high - low
