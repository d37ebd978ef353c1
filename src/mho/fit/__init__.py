"""Fits of cells, conduction and retention to measured files.

table = mho.fit.read(Path("pulses.csv"))
found = mho.fit.fit(table)                     # kind, record, parameters with intervals, rivals
found["pulses"].low, found.record              # a mho.PulseResponse
"""

from __future__ import annotations

from dataclasses import replace

from mho.fit.iv import fit_iv
from mho.fit.levels import fit_levels
from mho.fit.outcome import Fit, Goodness, Parameter, Picture, Rival, Series
from mho.fit.pulses import fit_pulses
from mho.fit.recognise import KINDS, recognise
from mho.fit.retention import fit_retention
from mho.fit.states import fit_states
from mho.fit.table import Table, parse, read


def fit(
    table: Table,
    kind: str | None = None,
    *,
    v_read: float | None = None,
    levels: int | None = None,
) -> Fit:
    """Fit what a table holds.

    Args:
        kind: one of `KINDS`; None: recognised from the columns.
        v_read: read voltage of currents [V]; None: the table's own.
        levels: levels of the cell, for pulses and levels; None: as the data say.

    Raises:
        ValueError: the table is no such measurement, or cannot be fitted; one line.
    """
    kind = recognise(table, kind)
    if kind == "pulses":
        found = fit_pulses(table, v_read, levels)
    elif kind == "levels":
        found = fit_levels(table, v_read, levels)
    elif kind == "states":
        found = fit_states(table, v_read)
    elif kind == "iv":
        found = fit_iv(table)
    else:
        found = fit_retention(table, v_read)
    return replace(found, remarks=[*table.remarks, *found.remarks])


__all__ = [
    "KINDS",
    "Fit",
    "Goodness",
    "Parameter",
    "Picture",
    "Rival",
    "Series",
    "Table",
    "fit",
    "parse",
    "read",
    "recognise",
]
