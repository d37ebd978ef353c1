"""Conductances of a table, whatever it holds: siemens, ohms, or amperes at a read voltage."""

from __future__ import annotations

import numpy as np

from mho.errors import invalid
from mho.fit.reading.cells import POSSIBLE
from mho.fit.reading.table import Table

SIEMENS = POSSIBLE["conductance"]


def conductance(table: Table, v_read: float | None) -> np.ndarray:
    """Conductance of each row [S]; gaps are nan.

    Raises:
        ValueError: none is there; or an impossible value, named by its line.
    """
    if "conductance" in table:
        return table.numbers["conductance"]
    if "resistance" in table:
        return 1 / table.numbers["resistance"]
    if "current" not in table:
        for quantity in ("conductance", "resistance", "current"):
            if quantity in table.refused:
                raise table.refused[quantity]
        raise invalid(f"{table.path}, line {table.header}", ", ".join(table.columns),
                      "a column of conductance [S], resistance [ohm] or current [A]")  # fmt: skip
    name = next((n for n in ("v_read", "voltage") if n in table), None)
    if name is None and v_read is None and "v_read" in table.refused:
        raise table.refused["v_read"]
    if name is None and v_read is None:
        allowed = "--v-read V, or a column V_read [V]: the file gives a current"
        raise invalid("v_read", v_read, allowed)
    if v_read == 0:
        raise invalid("v_read", v_read, "a voltage other than 0")
    current = table.numbers["current"]
    if name is None or v_read is not None:
        return _possible(table, current / v_read)
    volts = table.numbers[name]
    zero = np.flatnonzero(volts == 0)
    if len(zero):
        raise invalid(f"{table.where(zero[0])}, {name}", 0.0, "a voltage other than 0")
    return _possible(table, current / volts)


def resolution(table: Table, g: np.ndarray, v_read: float | None) -> float:
    """Last digit of the conductances as the file gives them [S]; in the middle, if it varies."""
    if "conductance" in table:
        return table.resolution["conductance"]
    middle = float(np.nanmedian(np.abs(g))) if len(g) else 0.0
    if "resistance" in table:
        return table.resolution["resistance"] * middle**2
    current = float(np.nanmedian(np.abs(table.numbers["current"])))
    return table.resolution["current"] * middle / current if current else 0.0


def _possible(table: Table, g: np.ndarray) -> np.ndarray:
    """Conductances (n,) of currents [S], unless one is none that a cell has."""
    low, high = SIEMENS.least, SIEMENS.most
    bad = np.flatnonzero((g < low) | (g > high))
    if len(bad):
        allowed = f"a conductance that a cell can have, {SIEMENS} S"
        raise invalid(f"{table.where(bad[0])}, current / voltage", float(g[bad[0]]), allowed)
    return g
