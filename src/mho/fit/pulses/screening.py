"""What reads of pulse trains tell before any model: can they be fitted, and what is wild."""

from __future__ import annotations

from itertools import groupby, pairwise
from operator import itemgetter

import numpy as np

from mho.errors import invalid
from mho.fit.outcome import far_out
from mho.fit.pulses.trains import Trains, counts_each
from mho.fit.reading.table import Table

FEWEST = 5
"""Reads after pulses of each direction that a fit needs."""
UNLIKE = 0.5
"""Distance of the ends of trains that is remarked, as a share of the window."""


WAYS = ((True, "SET"), (False, "RESET"))


def check(table: Table, chains: Trains) -> None:
    """Refuse what cannot be fitted."""
    if (chains.g < 0).any():
        c, k = np.argwhere(chains.g < 0)[0]
        where = table.where(int(chains.row[c, k]))
        raise invalid(f"{where}, conductance", float(chains.g[c, k]), "0 S or more")
    _, _, _, up, device, _, _ = chains.transitions()
    rows = chains.up[chains.row >= 0]
    for sign, name in WAYS:
        found = int((up == sign).sum())
        if found >= FEWEST:
            continue
        allowed = f"at least {FEWEST} reads after {name} pulses; there are {found}"
        if not (rows == sign).any():
            allowed += f": a pulsed cell needs both; give the file of the {name} train too"
            raise invalid(f"{table.path}, polarity", f"{name} missing", allowed)
        if (rows == sign).sum() > FEWEST + found:
            allowed += ", as pulse does not count on from one read to the next"
        raise invalid(f"{table.path}, polarity", name, allowed)
    _moves(table, chains)
    counts = np.bincount(device[up], minlength=chains.devices)
    if counts.min() < 3:
        name = f"device {np.argmin(counts) + 1}"
        raise invalid(f"{table.path}, {name}", int(counts.min()), "at least 3 reads after SET")
    _one_window(table, chains)


def _moves(table: Table, chains: Trains) -> None:
    """Refuse trains whose SET pulses do not raise the conductance, or RESET not lower it."""
    before, after, _, up, _, _, _ = chains.transitions()
    moved = {}
    for sign, _ in WAYS:
        step = (after - before)[up == sign]
        noise = 1.4826 * float(np.median(np.abs(step - np.median(step))))
        trains_ = sum(bool(chains.up[c, k]) == sign for c, k, _ in chains.runs())
        mean = float(step.sum()) / max(1, trains_)
        moved[sign] = (mean, 3 * noise / np.sqrt(max(1, trains_)) + 1e-9 * np.abs(before).max())
    (rise, rises), (fall, falls) = moved[True], moved[False]
    where = f"{table.path}, polarity"
    if rise < -rises and fall > falls:
        allowed = "SET that raises the conductance, RESET that lowers it; is the sign swapped?"
        raise invalid(where, f"a SET train moves by {rise:.3g} S, RESET by {fall:.3g} S", allowed)
    for sign, name in WAYS:
        mean, least = moved[sign]
        if abs(mean) > least and (mean > 0) == sign:
            continue
        if abs(mean) > least:
            found = f"a {name} train moves by {mean:+.3g} S"
            allowed = "SET that raises the conductance, RESET that lowers it"
        else:
            found = f"{name} trains that end where they begin, within {least:.2g} S"
            allowed = (
                f"{name} trains that start at the other end and move the cell by more than its "
                "reads scatter; is it stuck, or saturated from the first read on?"
            )
        raise invalid(where, found, allowed)


def _one_window(table: Table, chains: Trains) -> None:
    """Refuse trains of one device, SET and RESET, that have no conductance in common with the next
    ones: those are of two cells."""
    for d in range(chains.devices):
        parted, back = (_parted(_ranges(chains, d, sign)) for sign, _ in WAYS)
        if parted is None or back is None:
            continue
        a, b = parted
        lines = [f"line {table.lines[row]}" for _, _, row in (a, b)]
        found = (
            f"SET from {a[0]:.3g} to {a[1]:.3g} S at {lines[0]}, "
            f"from {b[0]:.3g} to {b[1]:.3g} S at {lines[1]}"
        )
        allowed = "trains that share a window: several cells are told apart by a column device"
        raise invalid(f"{table.path}, trains of one device", found, allowed)


Range = tuple[float, float, int]
"""Least and largest conductance of a run [S], and its first row."""


def _ranges(chains: Trains, device: int, up: bool) -> list[Range]:
    """Of each train of one direction that has three reads, as they stand in the file: runs that
    follow one another in one direction are one train."""
    runs = [
        (int(chains.row[c, begin]), bool(chains.up[c, begin]), chains.g[c, begin:end])
        for c, begin, end in chains.runs()
        if chains.device[c] == device
    ]
    out = []
    for way, train in groupby(sorted(runs, key=itemgetter(0)), key=itemgetter(1)):
        parts = list(train)
        g = np.concatenate([g for _, _, g in parts])
        if way == up and np.isfinite(g).sum() >= 3:
            out.append((float(np.nanmin(g)), float(np.nanmax(g)), parts[0][0]))
    return out


def _parted(ranges: list[Range]) -> tuple[Range, Range] | None:
    """The first two neighbours that hardly overlap."""
    for a, b in pairwise(ranges):
        smaller = min(a[1] - a[0], b[1] - b[0])
        if min(a[1], b[1]) - max(a[0], b[0]) < 0.1 * smaller:
            return a, b
    return None


def noted(table: Table, chains: Trains) -> list[str]:
    """What was taken for granted, and what may be wrong with trains that can be fitted."""
    remarks = []
    number = table.numbers["pulse"]
    if counts_each(number):
        remarks.append(f"pulse is {number[0]:g} in each line: taken for the pulses before a read")
    for d in range(chains.devices):
        mine = np.flatnonzero(chains.device == d)
        one = Trains(*(getattr(chains, n)[mine] for n in ("g", "pulses", "up", "row", "device")))
        ends = [end for end in one.ends() if len(end) > 1]
        if len(ends) == 2 and max(map(np.ptp, ends)) > UNLIKE * (ends[1].mean() - ends[0].mean()):
            far = max(map(np.ptp, ends)) / (ends[1].mean() - ends[0].mean())
            remarks.append(
                f"trains{f' of device {d + 1}' * (chains.devices > 1)} end up to {far:.0%} of the "
                "window apart: of cells that a column device should tell apart, or of a cell that "
                "changes?"
            )
    return remarks


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
    if not high > low:
        found = f"RESET trains end at {low:.4g} S, SET trains at {high:.4g} S"
        allowed = "SET trains that end above RESET trains"
        raise invalid("polarity", found, allowed)
    return low, high - low
