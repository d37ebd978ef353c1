"""A measured file as columns in SI units, each row with its line number."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mho.arguments import checked
from mho.config import Range
from mho.errors import InvalidInput, invalid
from mho.files.numbers import decimal_mark, is_number, marks_shown, number
from mho.fit.reading.heading import Heading, check_unit, read_heading, unit_of, with_unit
from mho.fit.reading.text import Rows, rows_of, separator_of, text_of

GAPS = frozenset({"", "-", "--", "nan", "na", "n/a", "none", "null", "ol", "overflow", "inf",
                  "+inf", "-inf", "#n/a", "?", "9.91e37", "9.91e+37"})  # fmt: skip
"""What instruments and spreadsheets write where there is no value (9.91e37: SCPI's NAN)."""

WORDS = ("device", "cycle", "polarity", "state")
"""Columns that may hold words."""

MEASURED = ("conductance", "resistance", "current")

POSSIBLE = {
    "conductance": Range(least=1e-18, most=1e3),
    "resistance": Range(least=1e-3, most=1e18),
    "target": Range(least=0.0, most=1e3),
}
"""What a cell can have, of quantities that are its own [SI unit]."""


@dataclass
class Table:
    """Columns of equal length in SI units; gaps are nan, or "" in a column of words."""

    path: str
    lines: np.ndarray
    """Line of the file that each row stands in, from 1."""
    header: int
    """Line of the headings."""
    numbers: dict[str, np.ndarray]
    words: dict[str, np.ndarray]
    resolution: dict[str, float] = field(default_factory=dict)
    """Last digit given of each measured quantity [SI unit]."""
    remarks: list[str] = field(default_factory=list)

    def __contains__(self, name: str) -> bool:
        return name in self.numbers or name in self.words

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def columns(self) -> list[str]:
        """Names of what is there."""
        return [*self.numbers, *self.words]

    @checked
    def where(self, row: int) -> str:
        """A row, for errors."""
        return f"{self.path}, line {self.lines[row]}"

    def kept(self, rows: np.ndarray) -> Table:
        """Some of the rows, by a mask or by indices."""
        return Table(
            self.path,
            self.lines[rows],
            self.header,
            {k: v[rows] for k, v in self.numbers.items()},
            {k: v[rows] for k, v in self.words.items()},
            self.resolution,
            self.remarks,
        )

    def labels(self, *names: str) -> np.ndarray:
        """Group of each row, numbered as first met: rows alike in the columns that are there."""
        keys = list(zip(*(self.words[n].tolist() for n in names if n in self.words), strict=True))
        if not keys:
            return np.zeros(len(self), dtype=int)
        order = {key: i for i, key in enumerate(dict.fromkeys(keys))}
        return np.array([order[key] for key in keys])


@checked
def read(path: Path) -> Table:
    """Read a text table.

    Separators , ; tab or blanks; decimal points or commas; a byte-order mark; lines before the
    headings, comments (#, %, //), a line of units, headings that come again; several columns of
    one measured quantity, one a device or cycle.

    Raises:
        ValueError: it cannot be read as a table; one line that names the line of the file.
    """
    return parse(text_of(path), str(path))


@checked
def parse(text: str, path: str) -> Table:
    """`read` of a text; `path` is for errors."""
    separator = separator_of(text)
    rows = list(rows_of(text, separator, path))
    at, headings = _header(rows, path)
    header, titles = rows[at]
    rows = rows[at + 1 :]
    if (
        rows
        and all(unit_of(c) or not c or c in ("1", "-") for c in rows[0][1])
        and any(unit_of(c) for c in rows[0][1])
    ):
        units = dict(enumerate(rows[0][1]))
        headings = {
            k: with_unit(h, units[k]) if h.unit is None and unit_of(units.get(k, "")) else h
            for k, h in headings.items()
        }
        rows = rows[1:]
    for column, heading in headings.items():
        check_unit(heading, f"{path}, line {header}, column {column + 1}")
    rows = [(line, cells) for line, cells in rows if cells != titles]
    for line, cells in rows:
        if len(cells) > len(titles) and any(cells[len(titles) :]):
            allowed = f"at most {len(titles)}, as there are headings in line {header}"
            raise invalid(f"{path}, line {line}", f"{len(cells)} columns", allowed)
    if not rows:
        raise invalid(f"{path}, line {header}", "headings alone", "at least one line of values")
    table = _table(_Cells(path, header, separator, rows), headings)
    unused = [title for k, title in enumerate(titles) if title and k not in headings]
    if unused:
        table.remarks.append(f"columns that mean nothing here: {', '.join(unused)}")
    return table


def _header(rows: Rows, path: str) -> tuple[int, dict[int, Heading]]:
    """Which row holds the headings, and what they mean by column."""
    best: tuple[int, dict[int, Heading]] = (0, {})
    for at, (_, cells) in enumerate(rows[:200]):
        found = {k: h for k, c in enumerate(cells) if (h := read_heading(c))}
        if len(found) > len(best[1]):
            best = (at, found)
        if len(best[1]) >= 2 and any(map(is_number, cells)):
            break
    if len(best[1]) < 2:
        line, cells = rows[0] if rows else (1, [])
        allowed = "a line of headings such as pulse, polarity, G [uS]; none was found"
        raise invalid(f"{path}, line {line}", " | ".join(cells)[:60], allowed)
    return best


class _Cells:
    """The cells of a table below its headings, and how its numbers are written."""

    def __init__(self, path: str, header: int, separator: str, rows: Rows) -> None:
        self.path, self.header, self._separator = path, header, separator
        self.lines = np.array([line for line, _ in rows])
        """Line of each row."""
        self.remarks: list[str] = []
        """What was taken for granted about numbers."""
        self._rows = [cells for _, cells in rows]
        self._marks: set[str] = set()

    def texts(self, column: int) -> list[str]:
        """The cells of a column."""
        return [cells[column] if column < len(cells) else "" for cells in self._rows]

    def look(self, columns: Iterable[int]) -> None:
        """See from some columns of numbers which decimal mark they have."""
        for column in columns:
            self._marks |= marks_shown(_values(self.texts(column)))

    def numbers(self, column: int, heading: Heading) -> tuple[np.ndarray, float]:
        """Numbers in SI units, gaps nan, and the finest last digit among them."""
        texts = self.texts(column)
        title = f"column {heading.text.strip()!r}"
        try:
            mark = decimal_mark(_values(texts), self._marks, self._separator)
        except InvalidInput as error:
            raise InvalidInput(f"{self.path}, {title}: {error}") from None
        values = np.full(len(texts), np.nan)
        digits: list[int] = []
        grouped = False
        for i, text in enumerate(texts):
            if text.lower() in GAPS:
                continue
            where = f"{self.path}, line {self.lines[i]}, {title}"
            plain, groups = number(where, text, mark)
            values[i] = float(plain)
            grouped |= groups
            mantissa, _, power = plain.lower().partition("e")
            decimals = len(mantissa.partition(".")[2])
            digits.append(int(power or 0) - decimals)
            _check_possible(where, text, values[i] * heading.factor, heading)
        if grouped:
            decimals, thousands = ("points", "commas") if mark == "." else ("commas", "points")
            self.remarks.append(f"{title}: {thousands} are taken for separators of thousands, as "
                                f"{decimals} mark decimals")  # fmt: skip
        digit = 10.0 ** max(-400, min(digits)) if digits else 0.0
        values, digit = values * heading.factor, digit * heading.factor
        if heading.quantity == "target" and heading.unit == "ohm":
            values = 1 / values
        return values, digit


def _values(texts: Iterable[str]) -> list[str]:
    """Those that are no gaps."""
    return [text for text in texts if text.lower() not in GAPS]


def _check_possible(where: str, text: str, value: float, heading: Heading) -> None:
    """Refuse what no cell has."""
    quantity = "resistance" if heading.unit == "ohm" else heading.quantity
    if quantity in POSSIBLE and value not in (possible := POSSIBLE[quantity]):
        raise invalid(where, text, f"a {quantity} that a cell can have, {possible} {heading.unit}")


def _table(cells: _Cells, headings: dict[int, Heading]) -> Table:
    """Cells as numbers and words; columns of one quantity are stacked, each as a device."""
    single, stacked = _sorted_out(cells.path, cells.header, headings)
    cells.look(column for column, heading in headings.items() if heading.quantity not in WORDS)
    numbers: dict[str, np.ndarray] = {}
    words: dict[str, np.ndarray] = {}
    resolution: dict[str, float] = {}
    copies = max(1, len(stacked))
    for column, heading in single.items():
        name = heading.quantity
        if name in WORDS:
            words[name] = np.array(cells.texts(column) * copies)
        else:
            values, digit = cells.numbers(column, heading)
            numbers[name], resolution[name] = np.tile(values, copies), digit
    if stacked:
        name = next(iter(stacked.values())).quantity
        parts = [cells.numbers(column, heading) for column, heading in stacked.items()]
        numbers[name] = np.concatenate([values for values, _ in parts])
        resolution[name] = min(digit for _, digit in parts)
        tags = np.repeat([h.tag or h.text for h in stacked.values()], len(cells.lines))
        cycles = all(re.search(r"cycle|run|sweep", h.text.lower()) for h in stacked.values())
        words["cycle" if cycles or "device" in words else "device"] = tags
    lines = np.tile(cells.lines, copies)
    return Table(cells.path, lines, cells.header, numbers, words, resolution, cells.remarks)


def _sorted_out(
    path: str, header: int, headings: dict[int, Heading]
) -> tuple[dict[int, Heading], dict[int, Heading]]:
    """Columns that stand alone, and those of one measured quantity that are to be stacked."""
    by_name: dict[str, list[int]] = {}
    for column, heading in headings.items():
        by_name.setdefault(heading.quantity, []).append(column)
    stacked: dict[int, Heading] = {}
    for name, columns in by_name.items():
        if len(columns) < 2:
            continue
        titles = [headings[c].text for c in columns]
        if name not in MEASURED or stacked or ("device" in by_name and "cycle" in by_name):
            allowed = f"one column that means {name}; rename the others"
            raise invalid(f"{path}, line {header}", " | ".join(titles), allowed)
        if len(set(titles)) < len(titles):
            raise invalid(f"{path}, line {header}", " | ".join(titles), "headings that differ")
        stacked = {c: headings[c] for c in columns}
    return {c: h for c, h in headings.items() if c not in stacked}, stacked
