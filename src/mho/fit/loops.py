"""Where a cell switches in I-V loops: excursions of the voltage, out and back, and what differs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mho.fit.reading.table import Table

CHANGE = math.log(1.5)
"""Least change of ln(current) at a voltage that is switching."""
TURN = 0.05
"""Share of the largest voltage by which a sweep has to come back to have turned."""
POINTS = 4
"""Points of a run, at least."""


@dataclass(frozen=True)
class Excursion:
    """The voltage on its way out from 0 and back, of one sign."""

    device: int
    sign: int
    out: np.ndarray
    """Rows of the table, in the order of |V|; none where the file begins later."""
    back: np.ndarray
    """The same of the way back."""


@dataclass(frozen=True)
class Event:
    """What one excursion did to the cell."""

    excursion: Excursion
    change: float
    """ln of the current after over that before, at voltages below switching; 0: it held."""
    voltage: float
    """Where half of that change was done, with its sign [V]; nan: it held."""


def excursions(table: Table) -> list[Excursion]:
    """All of a table of voltage and current, in the order of its rows."""
    v, i = table.numbers["voltage"], table.numbers["current"]
    told = np.isfinite(v) & np.isfinite(i)
    group = table.labels("device", "state")
    found: list[Excursion] = []
    for g in range(int(group.max(initial=-1)) + 1):
        rows = np.flatnonzero(told & (group == g))
        if len(rows) >= 2 * POINTS:
            found += _of_device(v[rows], rows, g)
    return found


def _of_device(v: np.ndarray, rows: np.ndarray, device: int) -> list[Excursion]:
    """Excursions of one device; one that the file begins and ends in is put together."""
    none = np.empty(0, dtype=int)
    found: list[Excursion] = []
    waiting: tuple[int, np.ndarray] | None = None
    for sign, rising, part in _runs(v):
        part = part[np.argsort(np.abs(v[part]), kind="stable")]
        if rising:
            if waiting is not None:
                found.append(Excursion(device, waiting[0], rows[waiting[1]], none))
            waiting = sign, part
        elif waiting is not None and waiting[0] == sign:
            found.append(Excursion(device, sign, rows[waiting[1]], rows[part]))
            waiting = None
        else:
            found.append(Excursion(device, sign, none, rows[part]))
    if waiting is not None:
        found.append(Excursion(device, waiting[0], rows[waiting[1]], none))
    first, last = (found[0], found[-1]) if len(found) > 1 else (None, None)
    if first and last and first.sign == last.sign and not len(first.out) and not len(last.back):
        found = [*found[1:-1], Excursion(device, first.sign, last.out, first.back)]
    return found


def _runs(v: np.ndarray) -> list[tuple[int, bool, np.ndarray]]:
    """Stretches of one sign along which |V| rises or falls: sign, rising, positions."""
    turn = TURN * float(np.abs(v).max(initial=0.0))
    sign = np.sign(v).astype(int)
    edges = np.flatnonzero(np.diff(sign)) + 1
    out: list[tuple[int, bool, np.ndarray]] = []
    for part in np.split(np.arange(len(v)), edges):
        if not len(part) or sign[part[0]] == 0:
            continue
        a = np.abs(v[part])
        begin, far, rising = 0, 0, len(a) < 2 or a[min(len(a) - 1, POINTS)] >= a[0]
        for k in range(len(a)):
            ahead = a[k] - a[far] if rising else a[far] - a[k]
            if ahead >= 0:
                far = k
            elif -ahead > turn:
                out.append((int(sign[part[0]]), bool(rising), part[begin : far + 1]))
                begin, far, rising = far, k, not rising
        out.append((int(sign[part[0]]), bool(rising), part[begin:]))
    return [(s, r, rows) for s, r, rows in out if len(rows) >= POINTS]


def event(table: Table, one: Excursion) -> Event:
    """What an excursion did, from the currents on both ways at the same voltages."""
    held = Event(one, 0.0, math.nan)
    if not (len(one.out) and len(one.back)):
        return held
    out, back = (_logs(table, rows, one.sign) for rows in (one.out, one.back))
    if min(len(out[0]), len(back[0])) < POINTS:
        return held
    low, high = max(out[0][0], back[0][0]), min(out[0][-1], back[0][-1])
    if high <= low:
        return held
    at = np.linspace(low, high, 4 * max(len(out[0]), len(back[0])))
    apart = np.interp(at, *back) - np.interp(at, *out)
    change = float(np.median(apart[at <= low + (high - low) / 2]))
    if abs(change) < CHANGE:
        # a cell may switch early on the way: what the wider half says
        change = float(np.median(apart[at <= low + (high - low) / 4]))
    if abs(change) < CHANGE:
        return held
    there = np.flatnonzero(apart * np.sign(change) >= abs(change) / 2)
    return Event(one, change, one.sign * float(at[there[-1]]))


def _logs(table: Table, rows: np.ndarray, sign: int) -> tuple[np.ndarray, np.ndarray]:
    """|V| and ln|I| of a run, where the current has the sign of the voltage or is its size."""
    v, i = np.abs(table.numbers["voltage"][rows]), table.numbers["current"][rows]
    i = np.abs(i) if np.median(np.sign(i)) != sign else i * sign
    some = (i > 0) & (v > 0)
    v, at = np.unique(v[some], return_inverse=True)
    return v, np.bincount(at, np.log(i[some])) / np.bincount(at)


def current_at(table: Table, rows: np.ndarray, sign: int, voltage: float) -> float:
    """|I| of a run at |V| [A], between its points; nan beyond them."""
    v, log = _logs(table, rows, sign)
    if not len(v) or not v[0] <= voltage <= v[-1]:
        return math.nan
    return math.exp(float(np.interp(voltage, v, log)))


def switches(table: Table) -> bool:
    """Whether a table of I-V sweeps holds loops in which a cell switches."""
    if "voltage" not in table.numbers or "current" not in table.numbers:
        return False
    found = [event(table, one) for one in excursions(table)]
    whole = [each for each in found if len(each.excursion.out) and len(each.excursion.back)]
    return sum(each.change != 0 for each in whole) * 5 >= max(1, len(whole))
