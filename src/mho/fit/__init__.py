"""Fits of cells, conduction and retention to measured files.

table = mho.fit.read(Path("pulses.csv"))
found = mho.fit.fit(table)                     # kind, record, parameters with intervals, rivals
found["pulses"].low, found.record              # a mho.cells.PulseResponse
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mho.arguments import checked
from mho.errors import InvalidInput, invalid
from mho.fit.endurance import fit_endurance
from mho.fit.free_run import FreeRun
from mho.fit.iv import fit_iv
from mho.fit.levels import fit_levels
from mho.fit.outcome import Fit, Goodness, Parameter, Picture, Rival, Series
from mho.fit.pulses.fit_pulses import Bar, fit_pulses
from mho.fit.reading.read import parse, read
from mho.fit.reading.table import Table
from mho.fit.recognise import KINDS, recognise
from mho.fit.retention import fit_retention
from mho.fit.states import fit_states
from mho.fit.switching import fit_switching
from mho.physics import SourceWrite


@checked
def fit(
    table: Table,
    kind: str | None = None,
    *,
    v_read: float | None = None,
    levels: int | None = None,
    family: str | None = None,
    amplitude: tuple[float, float] | None = None,
    bar: Bar | None = None,
) -> Fit:
    """Fit what a table holds.

    Args:
        kind: one of `KINDS`; None: recognised from the columns.
        v_read: read voltage of currents [V]; None: the table's own.
        levels: levels of the cell, for pulses and levels; None: as the data say.
        family: of the cell, for pulses: pulse-response or pulse-table; None: as the data say.
        amplitude: of the SET and RESET pulses to fit [V], where a file of pulses has several.
        bar: shows progress where a fit takes long: what, of how many, how many are done -> a
            context that gives what is to be called with the number of steps made.

    Raises:
        ValueError: the table is no such measurement, or cannot be fitted; one line.
    """
    kind = recognise(table, kind)
    if family is not None and kind != "pulses":
        raise invalid("family", family, f"none for {kind}; it is for pulses")
    if amplitude is not None and kind != "pulses":
        raise invalid("amplitude", amplitude, f"none for {kind}; it is for pulses")
    try:
        with np.errstate(all="ignore"):  # what overflows on the way is worse, not wrong
            found = _fit(table, kind, v_read, levels, family, amplitude, bar)
    except (InvalidInput, MemoryError):
        raise
    except Exception as error:  # whatever numbers do to the arithmetic: no message of its own
        allowed = (
            f"rows that determine what is fitted ({KINDS[kind].what}): more of them, of more "
            "devices or targets, all in the units of their headings, without reads that stand "
            "still or jump"
        )
        raise invalid(table.path, f"{len(table)} rows as {kind}", allowed) from error
    return _as_written(replace(found, remarks=[*table.remarks, *found.remarks]))


def _as_written(found: Fit) -> Fit:
    """The fit, its spread said to be of whole writes: that is what reads of finished cells show."""
    if found.kind not in ("levels", "states"):
        return found
    written = SourceWrite()
    remark = (
        "the spread is that of cells as they were read, whatever pulses had written them; that a "
        f"write takes {written.pulses} is assumed: [device.written] pulses"
    )
    record = found.record.replace(written=written)
    return replace(found, record=record, remarks=[*found.remarks, remark])


def _fit(
    table: Table,
    kind: str,
    v_read: float | None,
    levels: int | None,
    family: str | None,
    amplitude: tuple[float, float] | None,
    bar: Bar | None,
) -> Fit:
    if kind == "pulses":
        return fit_pulses(table, v_read, levels, family, amplitude=amplitude, bar=bar)
    if kind == "levels":
        return fit_levels(table, v_read, levels)
    if kind == "states":
        return fit_states(table, v_read)
    if kind == "endurance":
        return fit_endurance(table, v_read)
    if kind == "switching":
        return fit_switching(table, v_read)
    if kind == "iv":
        return fit_iv(table)
    return fit_retention(table, v_read)


__all__ = [
    "KINDS",
    "Fit",
    "FreeRun",
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
