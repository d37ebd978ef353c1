"""What each column is taken for: what its heading says, or what the user says of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

import numpy as np

from mho.errors import InvalidInput, invalid, unknown
from mho.fit.reading.block import LABELS, Block
from mho.fit.reading.cells import Cells
from mho.fit.reading.heading import Heading, example, read_heading, with_unit, wrong_unit
from mho.fit.reading.units import Unit, unit_of
from mho.fit.reading.vocabulary import QUANTITIES, UNITS, WORDS


@dataclass
class Column:
    """One column of a sheet."""

    index: int
    title: str
    """Its heading; its number, from 1, if it has none."""
    heading: Heading | None = None
    why: str = ""
    """Why it is not used; "": it is."""
    error: InvalidInput | None = None
    """What to say where what it holds is needed."""
    assumed: str = ""
    """What of it is not said by the file."""

    @property
    def quantity(self) -> str:
        """What it holds; "": nothing that is used."""
        return self.heading.quantity if self.heading and not self.why else ""

    def unused(self, why: str, error: InvalidInput | None = None) -> None:
        """Leave it out."""
        self.why, self.error = why, error


@dataclass(frozen=True)
class Said:
    """What the user says of a file that does not say it itself."""

    columns: str = ""
    """As 'time=Time [s], current=AI [A]': names or numbers of columns; "3..", "rmp*" for many."""
    units: str = ""
    """As 'I=uA, Time=ms': units of columns or of quantities."""
    sheet: str = ""
    """Name of the sheet of a spreadsheet, or of several, as 'Run*'."""
    given: frozenset[str] = field(default_factory=frozenset)


_NEXT = re.compile(r",(?=[^,=]*=)")
_OF = re.compile(r"\s+of\s+(device|cycle|repeat)s?\b")
_UNIT = re.compile(r"^(.*\S)\s*\[([^\[\]]+)\]$")
_SPAN = re.compile(r"([0-9]+)?\s*(?:\.\.|:|-)\s*([0-9]+)?")


def columns_of(block: Block, cells: Cells, said: Said) -> list[Column]:
    """All columns with what they are taken for; those without a use say why."""
    width = max(cells.width, len(block.titles))
    titles = [*block.titles, *[""] * (width - len(block.titles))]
    out = [Column(k, titles[k].strip() or str(k + 1), block.headings.get(k)) for k in range(width)]
    out = [c for c in out if titles[c.index].strip() or any(cells.texts(c.index))]
    for column in out:
        if column.title in LABELS:
            column.unused("")
        elif column.heading is None:
            column.unused("not understood")
    _as_said(out, said, cells.path)
    _in_units(out, said, cells.path)
    rows = max((cells.filled(c.index) for c in out if c.quantity), default=0)
    trains = any(c.quantity in ("polarity", "v_pulse") for c in out)
    for column in out:
        if not column.quantity:
            continue
        filled = cells.filled(column.index)
        if not filled and not (column.quantity == "pulse" and trains):
            column.unused("empty")
        elif rows >= 20 and filled < 0.05 * rows and column.quantity not in WORDS:
            column.unused(f"{filled} of {rows} lines hold a value")
        else:
            _unit(column, cells)
    return out


def _as_said(columns: list[Column], said: Said, path: str) -> None:
    """The roles that the user gives; each replaces what the heading says."""
    if not said.columns.strip():
        return
    for part in _NEXT.split(said.columns):
        name, equals, where = (each.strip() for each in part.partition("="))
        if not equals or not name or not where:
            raise invalid("columns", part.strip(), "QUANTITY=COLUMN, as in time=Time [s]")
        chosen, unit = _chosen(columns, where, path)
        if name.lower() in ("unused", "none", "ignore"):
            for column in chosen:
                column.unused("as --columns says")
            continue
        each = _OF.search(name)
        name = _OF.sub("", name)
        heading = read_heading(name)
        if heading is None and name in QUANTITIES:
            heading = Heading(name, name, None)
        if heading is None:
            raise unknown("quantity", name, QUANTITIES)
        if unit is not None:
            heading = with_unit(heading, unit)
        several = len(chosen) > 1
        if each:
            heading = replace(heading, numbered=each[1])
        for k, column in enumerate(chosen):
            own = column.heading
            found = replace(heading, text=column.title, sure=True)
            if unit is None and heading.unit is None and own and own.unit and (
                UNITS.get(found.quantity) == own.unit.si
            ):  # fmt: skip
                found = with_unit(found, own.unit)
            if several and not found.tag:
                number = re.search(r"([0-9]+)\D*$", column.title)
                stem = read_heading(f"{heading.quantity} {column.title}")
                numbered = stem.numbered if stem else ""
                tag = number[1] if number and not column.title.isdigit() else str(k + 1)
                found = replace(found, tag=tag[:9], numbered=found.numbered or numbered)
            if "every" in found.at:
                found = replace(found, at={"time": found.at["every"] * (k + 1)}, tag="")
            elif not found.at and (time := _time(column.title)) is not None and several:
                found = replace(found, at={"time": time}, tag="")
            column.heading, column.why, column.error = found, "", None
            column.assumed = "as --columns says"


def _time(title: str) -> float | None:
    """Time that a whole title is, as "10 s" [s]."""
    found = read_heading(f"R at {title} [ohm]")
    return found.at.get("time") if found and len(title.split()) <= 3 else None


def _chosen(columns: list[Column], where: str, path: str) -> tuple[list[Column], Unit | None]:
    """Columns by title, by pattern of titles, or by number, and the unit that is given."""
    for text, unit in ((where, None), *((m[1], m[2]) for m in [_UNIT.match(where)] if m)):
        found = [c for c in columns if c.title == text]
        found = found or [c for c in columns if c.title.lower() == text.lower()]
        found = found or _numbered(columns, text)
        if not found and any(mark in text for mark in "*?"):
            plain = text.replace("[", "[[]")
            found = [c for c in columns if fnmatchcase(c.title, plain)]
        found = found or [c for c in columns if re.split(r"\s*[\[(]", c.title)[0] == text]
        if found:
            if unit is None:
                return found, None
            if (known := unit_of(unit)) is None:
                raise invalid("columns", where, f"a unit that is known, as in {text} [uA]")
            return found, known
    name = _UNIT.match(where)
    raise unknown(f"column of {path}", name[1] if name else where, [c.title for c in columns][:30])


def _numbered(columns: list[Column], text: str) -> list[Column]:
    """Columns by number from 1: "3", "2..5", "4..", "2,4..", "1,3,7"."""
    if not re.fullmatch(r"[0-9.,:\s-]+", text):
        return []
    by = {c.index + 1: c for c in columns}
    last = max(by, default=0)
    parts = [part.strip() for part in text.split(",") if part.strip()]
    numbers: list[int] = []
    for k, part in enumerate(parts):
        span = _SPAN.fullmatch(part)
        if span and (span[1] or span[2]):
            start, stop = int(span[1] or 1), min(int(span[2] or last), last)
            step = max(1, start - numbers[-1]) if k and numbers and k == len(parts) - 1 else 1
            numbers += range(start, stop + 1, step)
        elif part.isdigit() and len(part) < 7:
            numbers.append(int(part))
        else:
            return []
    return [by[n] for n in numbers if n in by]


def _in_units(columns: list[Column], said: Said, path: str) -> None:
    """Units that the user gives, of columns or of quantities."""
    if not said.units.strip():
        return
    for part in said.units.split(","):
        name, _, text = (each.strip() for each in part.rpartition("="))
        unit = unit_of(text.strip("[]"))
        if unit is None or not name:
            raise invalid(
                "unit", part.strip(), "COLUMN=UNIT, as in I=uA, with a unit that is known"
            )
        found = [c for c in columns if c.heading and name in (c.quantity, c.heading.quantity)]
        if not found or any(c.title == name for c in columns):
            found = _chosen(columns, name, path)[0]
        for column in found:
            heading = column.heading or read_heading(f"{column.title} [{text.strip('[]')}]")
            if heading is None:
                allowed = f"also what it holds: --columns 'QUANTITY={column.title} [{text}]'"
                raise invalid("unit", part.strip(), allowed)
            column.heading = replace(with_unit(heading, unit), text=column.title)
            if column.why == "not understood":
                column.why = ""
            column.assumed = "as --unit says"


def _unit(column: Column, cells: Cells) -> None:
    """SI units where none are given and the numbers are as large as they are in those; or none."""
    heading = column.heading
    if heading is None or not (problem := wrong_unit(heading)):
        return
    if heading.unit is None and (unit := _assumed(column, cells)):
        column.heading = with_unit(heading, unit)
        shown = {"K": "K", "s": "s"}.get(unit.si, unit.si)
        shown = "degC" if unit.offset else shown
        column.assumed = f"no unit is given: taken in {shown}"
        return
    where = f"{cells.path}, {_line(cells)}column {column.index + 1}"
    unit = "" if heading.unit is None else " of its quantity"
    what = f"{problem}; or --unit '{column.title}={example(heading.quantity)}'"
    column.unused(f"no unit{unit}", invalid(where, column.title, what))


def _line(cells: Cells) -> str:
    return f"above line {cells.lines[0]}, " if len(cells) else ""


def _assumed(column: Column, cells: Cells) -> Unit | None:
    """The unit in which numbers are as large as they are in a cell; None: several may be it."""
    assert column.heading is not None
    quantity = column.heading.quantity
    texts = [
        text for text in cells.texts(column.index) if re.search(r"[0-9]\s*[A-Za-z\u00b5]+$", text)
    ]
    if texts and len(texts) >= 0.9 * cells.filled(column.index):
        return Unit(UNITS[quantity])  # each cell has its own
    if quantity == "time":
        return Unit("s")
    values = np.abs(cells.raw(column.index))
    values = values[np.isfinite(values) & (values > 0)]
    if not len(values):
        return Unit(UNITS[quantity]) if quantity in ("voltage", "current", "v_read") else None
    most, middle = float(values.max()), float(np.median(values))
    if quantity == "temperature":
        return Unit("K") if middle > 200 else Unit("K", 1.0, 273.15)
    if quantity == "resistance" or (quantity.startswith("target") and middle >= 1000):
        return Unit("ohm") if middle >= 1000 else None
    limit = {"current": 0.02, "conductance": 0.02, "compliance": 0.2, "pulse_width": 0.1}
    return (
        Unit(UNITS[quantity])
        if most <= limit.get(quantity, 50.0 if quantity[0] == "v" else 0.02)
        else None
    )
