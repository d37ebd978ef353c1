"""Reads of cells that are left alone, as traces: what each was, when, and how hot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mho.errors import invalid
from mho.fit.devices import rows_of
from mho.fit.electrical import conductance
from mho.fit.reading.table import Table

ROOM = 300.0
"""Temperature that laws are written for, and that of reads whose temperature is not told [K]."""
APART = 10.0
"""Temperatures that are to tell an activation energy differ by this, at least [K]."""
SAME = 1.0
"""Temperatures closer than this are one [K]."""


@dataclass(frozen=True)
class Traces:
    """Reads at times of 0 or above, each trace in the order of its times."""

    table: Table
    """The rows that are used, in their order."""
    g: np.ndarray
    """(n,) [S]"""
    time: np.ndarray
    """(n,) since programming, or the start of the bake [s]; 0: before it."""
    kelvin: np.ndarray
    """(n,) temperature since the read before; nan: not told."""
    trace: np.ndarray
    """(n,) number of each trace, from 0."""
    remarks: list[str]

    @property
    def warm(self) -> np.ndarray:
        """Temperatures of the reads after time 0 that are told [K]."""
        kelvin = self.kelvin[self.time > 0]
        return kelvin[np.isfinite(kelvin)]

    @property
    def several(self) -> bool:
        """Whether temperatures are far enough apart to tell an activation energy."""
        return len(self.warm) > 0 and float(np.ptp(self.warm)) >= APART

    def kept(self, rows: np.ndarray) -> Traces:
        """Some of the reads (n,) bool; traces are numbered anew."""
        trace = np.unique(self.trace[rows], return_inverse=True)[1]
        return Traces(self.table.kept(rows), self.g[rows], self.time[rows], self.kelvin[rows],
                      trace, self.remarks)  # fmt: skip

    @property
    def names(self) -> list[str]:
        """What tells each trace: its device, cycle, state; or its number."""
        first = np.unique(self.trace, return_index=True)[1]
        told = [name for name in ("device", "cycle", "state") if name in self.table.words]
        words = [" ".join(str(self.table.words[name][k]) for name in told) for k in first]
        return [word or f"cell {k + 1}" for k, word in enumerate(words)]

    def labels(self, *names: str) -> np.ndarray:
        """Group of each trace (traces,), numbered from 0: alike in columns of words or numbers."""
        first = np.unique(self.trace, return_index=True)[1]
        out = self.table.labels(*names)[first]
        for name in ("level", "target") if "level" in names else ():
            if name in self.table:
                value = np.nan_to_num(self.table.numbers[name][first], nan=-1.0)
                out = _both(out, np.unique(value, return_inverse=True)[1])
        return np.unique(out, return_inverse=True)[1]


def traces_of(table: Table, v_read: float | None) -> Traces:
    """The traces of a table.

    A trace is of one device, cycle, state, level and target. One that was measured at several
    temperatures is one course if its times go on from line to line, and else one at each.

    Args:
        table: time after programming and conductance; perhaps temperature, device, cycle, state,
            level, target.
        v_read: read voltage [V], where the file has currents.
    """
    g, time = conductance(table, v_read), table.numbers["time"]
    kelvin = table.numbers.get("temperature", np.full(len(g), np.nan))
    told = np.isfinite(g) & np.isfinite(time)
    remarks = []
    early = told & (time < 0)
    if early.any():
        lines = ", ".join(map(str, sorted(set(table.lines[early].tolist()))[:8]))
        remarks.append(f"reads before time 0 are left out: line {lines}")
    bad = np.flatnonzero(told & (g <= 0))
    if len(bad):
        raise invalid(f"{table.where(bad[0])}, conductance", float(g[bad[0]]), "above 0 S")
    told &= ~early
    table, g, time, kelvin = table.kept(told), g[told], time[told], kelvin[told]
    if not (time > 0).any():
        raise invalid(f"{table.path}, time", "none", "reads at times above 0")
    trace = table.labels("device", "cycle", "state")
    for name in ("level", "target"):
        if name in table:
            value = np.nan_to_num(table.numbers[name], nan=-1.0)
            trace = _both(trace, np.unique(value, return_inverse=True)[1])
    trace = np.unique(trace, return_inverse=True)[1]
    if np.isfinite(kelvin).any():
        trace = _split(table, trace, time, kelvin)
    order = np.lexsort((time, trace))
    return Traces(table.kept(order), g[order], time[order], kelvin[order], trace[order], remarks)


def _both(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Groups that are alike in both."""
    return np.unique(one * (int(other.max()) + 1) + other, return_inverse=True)[1]


def _split(table: Table, trace: np.ndarray, time: np.ndarray, kelvin: np.ndarray) -> np.ndarray:
    """Traces at several temperatures whose times do not go on are one at each temperature."""
    out, count = trace.copy(), int(trace.max()) + 1
    for rows in rows_of(trace):
        hot = rows[np.isfinite(kelvin[rows]) & (time[rows] > 0)]
        if not len(hot) or np.ptp(kelvin[hot]) < SAME:
            continue
        order = hot[np.argsort(time[hot], kind="stable")]
        moves = np.abs(np.diff(kelvin[order])) >= SAME
        goes_on = (np.diff(time[hot]) >= 0).all()
        if goes_on and (np.diff(time[order])[moves] > 0).all():
            continue
        unknown = rows[~np.isfinite(kelvin[rows])]
        if len(unknown):
            where = f"{table.where(unknown[0])}, one read of no temperature"
            raise invalid(
                where,
                "beside several temperatures at one time",
                "a read before each bake and its own cycle, if cells were programmed anew; or "
                "times counted from the first bake, if one bake followed another",
            )
        of = np.unique(np.round(kelvin[rows] / SAME), return_inverse=True)[1]
        out[rows] = np.where(of == 0, trace[rows], count + of - 1)
        count += int(of.max())
    return np.unique(out, return_inverse=True)[1]
