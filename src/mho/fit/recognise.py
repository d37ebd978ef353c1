"""Which measurement a table is, told from its columns; or what it lacks to be one."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np

from mho.arguments import checked
from mho.errors import InvalidInput, invalid, unknown
from mho.fit.endurance import cycles_of
from mho.fit.loops import switches
from mho.fit.reading.table import Table
from mho.fit.reading.vocabulary import QUANTITIES

READ = ("conductance", "resistance", "current")


@dataclass(frozen=True)
class Kind:
    """A kind of measurement: columns it needs, of each group one, and those that rule it out."""

    what: str
    needs: tuple[tuple[str, ...], ...]
    without: tuple[str, ...] = ()
    swept: bool | None = None
    """Whether the voltage must vary, or must not; None: either."""
    shows: Callable[[Table], bool] | None = None
    """Whether the data look like it, where columns alone do not tell; None: they do."""


LONG_LOG = 100
"""Cycles of both states from which on they are an endurance log."""
FAR = 1000.0
"""Number of a cycle from which on it is one, however few were read."""


def _is_log(table: Table) -> bool:
    """Whether cycles are numbered and so many that they tell of wear."""
    cycle = cycles_of(table)
    return bool(
        np.isfinite(cycle).all()
        and len(cycle)
        and (len(np.unique(cycle)) >= LONG_LOG or cycle.max() >= FAR)
        and len(cycle) >= 1.5 * len(set(zip(table.labels("device"), cycle, strict=True)))
    )


KINDS = {
    "pulses": Kind("pulse trains", (("pulse",), ("polarity", "v_pulse"), READ), ("target",)),
    "levels": Kind("program-and-read table", (("target",), READ)),
    "switching": Kind(
        "switching I-V loops",
        (("voltage",), ("current",)),
        ("pulse", "target", "state"),
        swept=True,
        shows=switches,
    ),
    "iv": Kind("I-V sweeps", (("voltage",), ("current",)), ("pulse", "target"), swept=True),
    "retention": Kind("retention traces", (("time",), READ), ("pulse", "target"), swept=False),
    "endurance": Kind(
        "an endurance log",
        (("cycle",), ("state",), READ),
        ("pulse", "target", "time"),
        swept=False,
        shows=_is_log,
    ),
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
        if lacking := _lacking(table.columns, KINDS[kind]):
            raise _unread(table, KINDS[kind]) or _refusal(table, kind, lacking)
        return kind
    there = {*table.columns, *table.refused}
    swept = "voltage" in table.refused or (
        "voltage" in table and len(np.unique(table.numbers["voltage"])) >= SWEPT
    )
    open_ = {
        name: each
        for name, each in KINDS.items()
        if not any(column in there for column in each.without)
        and (each.swept in (None, swept) or "voltage" not in there)
    }
    for name, each in open_.items():
        if not _lacking(there, each):
            if lacking := _lacking(table.columns, each):
                raise _unread(table, each) or _refusal(table, name, lacking)
            if each.shows is not None and not each.shows(table):
                continue
            _check_voltage(table, name, each)
            return name
    nearest = min(open_, key=lambda n: (len(_lacking(there, KINDS[n])), -_held(there, KINDS[n])))
    raise _refusal(table, nearest, _lacking(there, KINDS[nearest]))


@checked
def reason(table: Table, kind: str) -> str:
    """Why a table is of a kind: the columns that make it one."""
    held = [name for group in KINDS[kind].needs for name in group if name in table]
    return f"{KINDS[kind].what}, for its columns of {', '.join(dict.fromkeys(held))}"


def _lacking(there: Collection[str], kind: Kind) -> list[str]:
    """Columns that are missing."""
    return [" or ".join(group) for group in kind.needs if not any(name in there for name in group)]


def _held(there: Collection[str], kind: Kind) -> int:
    """How many of its columns are there."""
    return sum(any(name in there for name in group) for group in kind.needs)


def _unread(table: Table, kind: Kind) -> InvalidInput | None:
    """What to say of a column that is there, but not in a form to be used."""
    for group in kind.needs:
        if not any(name in table for name in group):
            return next((table.refused[name] for name in group if name in table.refused), None)
    return None


def _check_voltage(table: Table, name: str, kind: Kind) -> None:
    """Refuse to take a sweep for reads: a column like a voltage that was not understood."""
    if kind.swept is not False or "current" not in table or "voltage" in table:
        return
    if "conductance" in table or "resistance" in table or "v_read" in table:
        return
    like = [
        title for title, why in table.unused if why == "not understood" and _VOLTAGE.search(title)
    ]
    if like:
        command = _command(table, f"--columns 'voltage={like[0]} [V]'")
        allowed = f"for I-V sweeps {command}; for {kind.what} --kind {name}"
        raise invalid(f"{table.path}, line {table.header}, not understood", like[0], allowed)


_VOLTAGE = re.compile(
    r"volt|potential|bias|spannung|\bv(?=\b|[_\d\s])|\[m?v\]|\(m?v\)", re.IGNORECASE
)


def _refusal(table: Table, name: str, lacking: list[str]) -> InvalidInput:
    """What was understood, what was not, and a command that would do."""
    where = f"{table.path}, line {table.header}"
    free = [title[:60] for title, why in table.unused if why in ("not understood", "no unit")]
    allowed = f"for {KINDS[name].what} ({name}) also a column of " + " and of ".join(lacking)
    if not table.columns:
        allowed = "headings that say what the columns hold, or --columns"
    if free:
        more = f" and {len(free) - 8} more" if len(free) > 8 else ""
        allowed += f"; not understood: {', '.join(free[:8])}{more}"
        allowed += f"; if they hold it: {_command(table, _example(table, lacking, free))}"
    return invalid(where, ", ".join(table.columns) or "no column that is understood", allowed)


def _example(table: Table, lacking: list[str], free: list[str]) -> str:
    """An argument --columns that names the file's own columns."""
    needed = [group.split(" or ")[0] for group in lacking]
    if not table.columns:
        needed = ["voltage", "current"] if len(free) == 2 else ["conductance"]
    pairs = [f"{n}={t}{_IN.get(n, '')}" for n, t in zip(needed, free, strict=False)]
    if len(free) > 8 and needed[-1] in READ:
        pairs[-1] = f"{needed[-1]}={_several(free)}{_IN[needed[-1]]}"
    return f"--columns '{', '.join(pairs)}'"


_IN = {name: f" [{QUANTITIES[name].example}]" for name in QUANTITIES if QUANTITIES[name].example}


def _several(free: list[str]) -> str:
    """Many columns by one pattern."""
    first, last = min(free), max(free)
    stem = first[
        : next((k for k, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), 0)
    ]
    return f"{free[0]}.." if free[0].isdigit() else f"{stem}*"


def _command(table: Table, argument: str) -> str:
    return f"mho fit {shlex.quote(table.path)} {argument} --look"
