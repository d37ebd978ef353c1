"""A measured file as columns in SI units, each row with its line number."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mho.arguments import checked
from mho.errors import invalid
from mho.fit.heading import Heading, check_unit, read_heading, unit_of, with_unit
from mho.fit.text import Rows, rows_of, separator_of, text_of

GAPS = frozenset({"", "-", "--", "nan", "na", "n/a", "none", "null", "ol", "overflow", "inf",
                  "+inf", "-inf", "#n/a", "?", "9.91e37", "9.91e+37"})  # fmt: skip
"""What instruments and spreadsheets write where there is no value (9.91e37: SCPI's NAN)."""

WORDS = ("device", "cycle", "polarity", "state")
"""Columns that may hold words."""

MEASURED = ("conductance", "resistance", "current")

_DECIMAL_COMMA = re.compile(r"^[+-]?\d*,\d+(?:[eE][+-]?\d+)?$")


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
    rows = list(rows_of(text, separator_of(text)))
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
    table = _table(path, header, headings, rows)
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
        if len(best[1]) >= 2 and any(map(_is_number, cells)):
            break
    if len(best[1]) < 2:
        line, cells = rows[0] if rows else (1, [])
        allowed = "a line of headings such as pulse, polarity, G [uS]; none was found"
        raise invalid(f"{path}, line {line}", " | ".join(cells)[:60], allowed)
    return best


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _table(path: str, header: int, headings: dict[int, Heading], rows: Rows) -> Table:
    """Cells as numbers and words; columns of one quantity are stacked, each as a device."""
    single, stacked = _sorted_out(path, header, headings)
    lines = np.array([line for line, _ in rows])
    numbers: dict[str, np.ndarray] = {}
    words: dict[str, np.ndarray] = {}
    resolution: dict[str, float] = {}
    copies = max(1, len(stacked))
    for column, heading in single.items():
        texts = [cells[column] if column < len(cells) else "" for _, cells in rows]
        name = heading.quantity
        if name in WORDS:
            words[name] = np.array(texts * copies)
        else:
            values, digit = _numbers(path, lines, texts, heading)
            numbers[name], resolution[name] = np.tile(values, copies), digit
    if stacked:
        name = next(iter(stacked.values())).quantity
        parts = []
        for column, heading in stacked.items():
            texts = [cells[column] if column < len(cells) else "" for _, cells in rows]
            parts.append(_numbers(path, lines, texts, heading))
        numbers[name] = np.concatenate([values for values, _ in parts])
        resolution[name] = min(digit for _, digit in parts)
        tags = np.repeat([h.tag or h.text for h in stacked.values()], len(rows))
        cycles = all(re.search(r"cycle|run|sweep", h.text.lower()) for h in stacked.values())
        words["cycle" if cycles or "device" in words else "device"] = tags
    return Table(path, np.tile(lines, copies), header, numbers, words, resolution)


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


def _numbers(
    path: str, lines: np.ndarray, texts: Sequence[str], heading: Heading
) -> tuple[np.ndarray, float]:
    """Numbers in SI units, gaps nan, and the finest last digit among them."""
    values = np.full(len(texts), np.nan)
    digits: list[int] = []
    for i, text in enumerate(texts):
        if text.lower() in GAPS:
            continue
        plain = text.replace("\N{MINUS SIGN}", "-")
        if _DECIMAL_COMMA.match(plain):
            plain = plain.replace(",", ".")
        try:
            values[i] = float(plain)
        except ValueError:
            where = f"{path}, line {lines[i]}, column {heading.text.strip()!r}"
            raise invalid(where, text, "a number, or nothing for a gap") from None
        mantissa, _, power = plain.lower().partition("e")
        decimals = len(mantissa.partition(".")[2])
        digits.append(int(power or 0) - decimals)
    digit = 10.0 ** min(digits) if digits else 0.0
    values, digit = values * heading.factor, digit * heading.factor
    if heading.quantity == "target" and heading.unit == "ohm":
        bad = np.flatnonzero(values <= 0)
        if len(bad):
            where = f"{path}, line {lines[bad[0]]}, column {heading.text.strip()!r}"
            raise invalid(where, texts[bad[0]], "a resistance above 0")
        values = 1 / values
    return values, digit
