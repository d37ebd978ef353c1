"""A table of a result as text: one unit a column, and digits that suit what stands in it."""

import math
from dataclasses import dataclass

from mho.results import Cell, MeanStd, Table
from mho.results.units import (
    NBSP,
    decimals_for,
    decimals_needed,
    decimals_of_percent,
    fixed,
    number,
    prefixed,
)

_PERCENT = ("%", "pp")
_FAR_APART = 1e4  # numbers further apart than this do not share a prefix
_DASH = "\N{EN DASH}"


@dataclass(frozen=True, kw_only=True)
class Head:
    """The head of a column; `unit` is empty where there is none, or where each cell says it.

    `tail` counts the characters of the longest spread and unit that follow a number.
    """

    name: str
    unit: str
    numeric: bool
    tail: int


@dataclass(frozen=True, kw_only=True)
class Printed:
    """A cell as it is shown; `tail` is what follows the text of a number: spread and unit."""

    text: str
    tail: str = ""
    numeric: bool = False
    value: float | None = None
    """The number, in the unit of the table."""


@dataclass(frozen=True, kw_only=True)
class PrintedTable:
    id: str
    title: str
    note: str
    heads: list[Head]
    rows: list[list[Printed]]


@dataclass(frozen=True, kw_only=True)
class Format:
    """How the numbers of a column are printed: all divided by `factor`, or each by its own."""

    factor: float | None
    unit: str
    decimals: int | None


def print_table(table: Table) -> PrintedTable:
    """Every cell as text; numbers with the prefix and the decimals of their column."""
    heads, columns = [], []
    for i, column in enumerate(table.columns):
        cells = [_number_or_text(row[i]) for row in table.rows]
        values = [each for each in cells if isinstance(each, MeanStd)]
        form = choose_format(values, column.unit)
        printed = [print_cell(each, form) for each in cells]
        shown = form.factor is not None and form.unit not in ("", "1")
        heads.append(
            Head(
                name=column.name,
                unit=form.unit if shown else "",
                numeric=2 * len(values) > sum(each is not None for each in cells),
                tail=max((len(each.tail) for each in printed), default=0),
            )
        )
        columns.append(printed)
    rows = [list(row) for row in zip(*columns, strict=True)]
    return PrintedTable(id=table.id, title=table.title, note=table.note, heads=heads, rows=rows)


def choose_format(values: list[MeanStd], unit: str) -> Format:
    """One prefix for all where they lie close enough; decimals only where they line up well."""
    sizes = [abs(each.mean) for each in values if each.mean]
    if not sizes:
        return Format(factor=1.0, unit=prefixed(0, unit)[1], decimals=None)
    least, most = min(sizes), max(sizes)
    if most > _FAR_APART * least and prefixed(least, unit) != prefixed(most, unit):
        return Format(factor=None, unit=unit, decimals=None)
    factor, label = prefixed(math.sqrt(least) * math.sqrt(most), unit)
    alone = [each.mean / factor for each in values if not each.std]
    far = most > 100 * least or not _plain(least / factor) or not _plain(most / factor)
    decimals = None if far else decimals_needed(alone, decimals_for(most / factor, 4))
    return Format(factor=factor, unit=label, decimals=2 if unit in _PERCENT else decimals)


def print_cell(cell: str | MeanStd | None, form: Format) -> Printed:
    """Text as it is, a dash for None; a spread sets the decimals of its mean, as in the claims."""
    if not isinstance(cell, MeanStd):
        return Printed(text=_DASH if cell is None else cell)
    factor, unit = form.factor, ""
    if factor is None:
        factor, unit = prefixed(cell.mean, form.unit)
    mean = cell.mean if factor == 1.0 else cell.mean / factor
    std = None if cell.std is None else cell.std / factor
    text, spread = _number(mean, std, form)
    tail = NBSP.join(filter(None, [f"±{NBSP}{spread}" if spread else "", unit]))
    return Printed(text=text, tail=tail, numeric=True, value=cell.mean)


def _number_or_text(cell: Cell) -> str | MeanStd | None:
    """A cell, a plain number as a mean without a spread."""
    return MeanStd(cell) if isinstance(cell, int | float) else cell


def _number(mean: float, std: float | None, form: Format) -> tuple[str, str]:
    """The digits of a mean and of its spread, which is empty for None."""
    if form.unit in _PERCENT and abs(mean) < 1e9:
        decimals = decimals_of_percent(mean)
    elif not _plain(mean):
        return number(mean), "" if std is None else number(std, 2)
    elif std:
        decimals = decimals_for(std, 2)
    elif isinstance(mean, int) or (form.decimals is None and mean % 1 == 0):
        decimals = 0
    elif form.decimals is None:
        return number(mean), "" if std is None else "0"
    else:
        decimals = form.decimals
    return fixed(mean, decimals), "" if std is None else fixed(std, decimals)


def _plain(value: float) -> bool:
    """Whether a number is printed without a power of ten."""
    return value == 0 or 1e-4 <= abs(value) < (1e15 if isinstance(value, int) else 1e9)
