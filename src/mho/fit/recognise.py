"""Which measurement a table is, told from its columns; or what it lacks to be one."""

from __future__ import annotations

from dataclasses import dataclass

from mho.errors import invalid, unknown
from mho.fit.table import Table

READ = ("conductance", "resistance", "current")


@dataclass(frozen=True)
class Kind:
    """A kind of measurement: columns it needs, of each group one, and those that rule it out."""

    what: str
    needs: tuple[tuple[str, ...], ...]
    without: tuple[str, ...] = ()


KINDS = {
    "pulses": Kind(
        "pulse trains", (("pulse",), ("polarity", "v_pulse"), READ), ("target", "time")
    ),
    "levels": Kind("program-and-read table", (("target",), READ)),
    "retention": Kind("retention traces", (("time",), READ), ("pulse", "target")),
    "iv": Kind("I-V sweeps", (("voltage",), ("current",)), ("pulse", "target", "time")),
    "states": Kind("reads of two states", (("state",), READ), ("pulse", "target", "time",
                                                             "voltage")),
}  # fmt: skip
"""In the order in which they are tried."""


def recognise(table: Table, kind: str | None = None) -> str:
    """The kind of measurement; a kind that is asked for is checked.

    Raises:
        ValueError: it is none, or lacks a column; the message names what is missing.
    """
    if kind is not None:
        if kind not in KINDS:
            raise unknown("kind", kind, KINDS)
        if lacking := _lacking(table, KINDS[kind]):
            _refuse(table, kind, lacking)
        return kind
    for name, each in KINDS.items():
        if not _lacking(table, each) and not any(column in table for column in each.without):
            return name
    nearest = min(KINDS, key=lambda name: (len(_lacking(table, KINDS[name])),
                                           -len(KINDS[name].needs)))  # fmt: skip
    lacking = _lacking(table, KINDS[nearest])
    if not lacking:
        where = f"{table.path}, line {table.header}"
        allowed = "one kind of measurement; --kind says which of " + ", ".join(KINDS)
        raise invalid(where, ", ".join(table.columns), allowed)
    return _refuse(table, nearest, lacking)


def _lacking(table: Table, kind: Kind) -> list[str]:
    """Columns that are missing."""
    return [" or ".join(group) for group in kind.needs if not any(name in table for name in group)]


def _refuse(table: Table, name: str, lacking: list[str]) -> str:
    where = f"{table.path}, line {table.header}"
    allowed = f"for {KINDS[name].what} ({name}) also a column of " + " and of ".join(lacking)
    raise invalid(where, ", ".join(table.columns), allowed)
