"""Which measurement a table is, told from its columns; or what it lacks to be one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mho.arguments import checked
from mho.errors import InvalidInput, invalid, unknown
from mho.fit.reading.table import Table

READ = ("conductance", "resistance", "current")


@dataclass(frozen=True)
class Kind:
    """A kind of measurement: columns it needs, of each group one, and those that rule it out."""

    what: str
    needs: tuple[tuple[str, ...], ...]
    without: tuple[str, ...] = ()
    swept: bool | None = None
    """Whether the voltage must vary, or must not; None: either."""


KINDS = {
    "pulses": Kind("pulse trains", (("pulse",), ("polarity", "v_pulse"), READ), ("target",)),
    "levels": Kind("program-and-read table", (("target",), READ)),
    "iv": Kind("I-V sweeps", (("voltage",), ("current",)), ("pulse", "target"), swept=True),
    "retention": Kind("retention traces", (("time",), READ), ("pulse", "target"), swept=False),
    "states": Kind(
        "reads of two states", (("state",), READ), ("pulse", "target", "time"), swept=False
    ),
}
"""In the order in which they are tried."""

SWEPT = 5
"""Voltages from which on a column of them is a sweep, not a read voltage."""


@checked
def recognise(table: Table, kind: str | None = None) -> str:
    """The kind of measurement; a kind that is asked for is checked.

    Raises:
        ValueError: it is none, or lacks a column; the message names what is missing.
    """
    if kind is not None:
        if kind not in KINDS:
            raise unknown("kind", kind, KINDS)
        if lacking := _lacking(table, KINDS[kind]):
            raise _refusal(table, kind, lacking)
        return kind
    swept = "voltage" in table and len(np.unique(table.numbers["voltage"])) >= SWEPT
    open_ = {
        name: each
        for name, each in KINDS.items()
        if not any(column in table for column in each.without)
        and (each.swept in (None, swept) or "voltage" not in table)
    }
    for name, each in open_.items():
        if not _lacking(table, each):
            return name
    nearest = min(open_, key=lambda n: (len(_lacking(table, KINDS[n])), -len(KINDS[n].needs)))
    raise _refusal(table, nearest, _lacking(table, KINDS[nearest]))


def _lacking(table: Table, kind: Kind) -> list[str]:
    """Columns that are missing."""
    return [" or ".join(group) for group in kind.needs if not any(name in table for name in group)]


def _refusal(table: Table, name: str, lacking: list[str]) -> InvalidInput:
    where = f"{table.path}, line {table.header}"
    allowed = f"for {KINDS[name].what} ({name}) also a column of " + " and of ".join(lacking)
    return invalid(where, ", ".join(table.columns), allowed)
