"""The cells of one sheet, column by column, as numbers in SI units or as words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np

from mho.config import Range
from mho.errors import InvalidInput, invalid
from mho.files.numbers import decimal_mark, is_number, marks_shown, number
from mho.fit.reading import clock
from mho.fit.reading.heading import Heading
from mho.fit.reading.text import Rows
from mho.fit.reading.units import ALIKE, PREFIXES, Unit, unit_of

GAPS = frozenset({"", "-", "--", "---", "nan", "na", "n/a", "none", "null", "ol", "overflow", "inf",
                  "+inf", "-inf", "?", "ovrflw", "overload", "ovld", "undefined", "--.--",
                  "nan0", "-nan", "-nan(ind)", "1.#qnan", "1.#inf", "-1.#ind", "infinity",
                  "missing", "failed", "error", "err", "#"})  # fmt: skip
"""What instruments and spreadsheets write where there is no value."""

OVERFLOW = 9e37
"""From here on a number is SCPI's for an overflow or for none (9.9e37, 9.91e37)."""

POSSIBLE = {
    "conductance": Range(least=1e-18, most=1e3),
    "resistance": Range(least=1e-3, most=1e18),
    "target": Range(least=0.0, most=1e3),
}
"""What a cell can have, of quantities that are its own [SI unit]."""

_WITH_UNIT = re.compile(
    r"([+-]?[0-9.,]+(?:[eE][+-]?[0-9]{1,3})?)\s*([A-Za-z\u00b5\u03bc\u03a9\u2126].*)"
)
_RANGE = re.compile(
    r"[\[(]?\s*([0-9.,]+(?:[eE][+-]?[0-9]+)?)\s*(?:-|to|\.\.|~|:)\s*([0-9.,]+(?:[eE][+-]?[0-9]+)?)\s*[\])]?"
)
_FORTRAN = re.compile(r"([0-9.])[dD]([+-]?[0-9]{1,3})$")


def is_gap(text: str) -> bool:
    """Whether a cell holds no value."""
    lower = text.lower()
    return lower in GAPS or (lower.startswith("#") and len(lower) < 12)


def is_value(text: str) -> bool:
    """Whether a cell is a number, a time of day, or a number with its unit."""
    text = _plain(text)
    return is_number(text) or clock.is_clock(text) or _parts(text) is not None


class Cells:
    """The cells of a sheet below its headings, and how its numbers are written."""

    def __init__(self, path: str, separator: str, rows: Rows) -> None:
        self.path, self._separator = path, separator
        self.lines = np.array([line for line, _ in rows], dtype=int)
        """Line of each row."""
        self.remarks: list[str] = []
        """What was taken for granted about numbers."""
        self._rows = [cells for _, cells in rows]
        self._marks: set[str] = set()

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def width(self) -> int:
        """Columns of the widest row."""
        return max(map(len, self._rows), default=0)

    def texts(self, column: int) -> list[str]:
        """The cells of a column."""
        return [cells[column] if column < len(cells) else "" for cells in self._rows]

    def filled(self, column: int) -> int:
        """How many cells of a column hold a value."""
        return sum(not is_gap(text) for text in self.texts(column))

    def is_numeric(self, column: int) -> bool:
        """Whether all that a column holds are values."""
        texts = [text for text in self.texts(column) if not is_gap(text)]
        return bool(texts) and all(map(is_value, texts[:1000]))

    def look(self, columns: Iterable[int]) -> None:
        """See from some columns of numbers which decimal mark they have."""
        for column in columns:
            self._marks |= marks_shown(_values(map(_plain, self.texts(column))))

    def raw(self, column: int) -> np.ndarray:
        """Numbers as they stand; nan where there is none."""
        try:
            return self.numbers(column, Heading(f"column {column + 1}", "", None))[0]
        except InvalidInput:
            return np.full(len(self), np.nan)

    def numbers(self, column: int, heading: Heading) -> tuple[np.ndarray, float]:
        """Numbers in SI units, gaps nan, and the finest last digit among them."""
        texts = [_plain(text) for text in self.texts(column)]
        title = f"column {heading.name!r}"
        if heading.quantity == "time" and any(map(clock.is_clock, texts)):
            return clock.seconds(texts), 0.0
        units = [_parts(text) for text in texts]
        own = heading.unit or Unit("")
        if any(units):
            texts = [each[0] if each else text for each, text in zip(units, texts, strict=True)]
        try:
            mark = decimal_mark(_values(texts), self._marks, self._separator)
        except InvalidInput as error:
            raise InvalidInput(f"{self.path}, {title}: {error}") from None
        values = np.full(len(texts), np.nan)
        digits: list[int] = []
        grouped = False
        for i, text in enumerate(texts):
            if is_gap(text):
                continue
            where = f"{self.path}, line {self.lines[i]}, {title}"
            if heading.quantity == "target" and (span := _RANGE.fullmatch(text)):
                ends = [float(number(where, end, mark)[0]) for end in span.groups()]
                values[i] = _to_si(sum(ends) / 2, own)
                self._once("the middle of each range is taken for its target")
                continue
            plain, groups = number(where, text, mark)
            value = float(plain)
            if abs(value) >= OVERFLOW:
                continue
            grouped |= groups
            mantissa, _, power = plain.lower().partition("e")
            digits.append(int(power or 0) - len(mantissa.partition(".")[2]))
            each = units[i]
            unit = own if each is None else _same(where, self.texts(column)[i], each[1], own)
            values[i] = _to_si(value, unit)
            _check_possible(where, text, values[i], heading)
        if grouped:
            decimals, thousands = ("points", "commas") if mark == "." else ("commas", "points")
            self.remarks.append(f"{title}: {thousands} are taken for separators of thousands, as "
                                f"{decimals} mark decimals")  # fmt: skip
        digit = 10.0 ** max(-400, min(digits)) if digits else 0.0
        if own.log:
            seen = np.abs(values[np.isfinite(values)])
            digit = float(np.median(seen)) * 2.3 * digit if len(seen) else 0.0
        else:
            digit *= own.factor
        return values, digit

    def _once(self, remark: str) -> None:
        if remark not in self.remarks:
            self.remarks.append(remark)


def _to_si(value: float, unit: Unit) -> float:
    if unit.log:
        return 10.0 ** min(value, 300.0) * unit.factor
    return value * unit.factor + unit.offset


def _same(where: str, text: str, unit: Unit | None, own: Unit) -> Unit:
    """Unit of one cell; a prefix alone counts by that of the heading."""
    if unit is None or (own.si and unit.si and unit.si != own.si):
        raise invalid(where, text, f"a number{f' in {own.si}' if own.si else ''}, or nothing")
    return unit


def _parts(text: str) -> tuple[str, Unit | None] | None:
    """Number and unit of a cell: "10.5 uS", "1.2u"; None: it is not both."""
    found = _WITH_UNIT.fullmatch(text) if len(text) <= 60 else None
    if not found or not is_number(found[1]):
        return None
    if found[2] in PREFIXES:
        return found[1], Unit("", PREFIXES[found[2]])
    unit = unit_of(found[2])
    return (found[1], unit) if unit else None


def _plain(text: str) -> str:
    """A cell with ordinary signs and exponents."""
    text = text.translate(ALIKE) if not text.isascii() else text
    return _FORTRAN.sub(r"\1E\2", text) if text[-3:].lower().count("d") else text


def _values(texts: Iterable[str]) -> Sequence[str]:
    """Those that are no gaps."""
    return [text for text in texts if not is_gap(text)]


def _check_possible(where: str, text: str, value: float, heading: Heading) -> None:
    """Refuse what no cell has."""
    unit = heading.unit.si if heading.unit else ""
    quantity = "resistance" if unit == "ohm" else heading.quantity
    if quantity in POSSIBLE and value not in (possible := POSSIBLE[quantity]):
        raise invalid(where, text, f"a {quantity} that a cell can have, {possible} {unit}")
