"""A measured file -> its table, with an account of how it was read."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from itertools import pairwise
from pathlib import Path

import numpy as np

from mho.arguments import checked
from mho.errors import InvalidInput, invalid, unknown
from mho.fit.reading.block import Block, block_of
from mho.fit.reading.cells import Cells
from mho.fit.reading.columns import Column, Said, columns_of
from mho.fit.reading.completion import complete, polarity_of
from mho.fit.reading.layout import Long, long_form
from mho.fit.reading.source import Sheet, sheets_of, text_sheet
from mho.fit.reading.table import Account, Table
from mho.fit.reading.text import Row
from mho.fit.reading.vocabulary import MEASURED, QUANTITIES, WORDS


@checked
def read(
    path: Path | Sequence[Path],
    *,
    columns: str = "",
    units: str = "",
    sheet: str = "",
) -> Table:
    """Read a measured file: text of any layout, .xlsx, .xls, .ods, .mat.

    Args:
        path: the file; of two, one holds SET and the other RESET; of several over time, each holds
            a cell of its own.
        columns: what columns are that do not say it, as "time=Time [s], current=AI [A]"; by
            number from 1 where there are no headings, as "G [S]=3.."; "unused=X" ignores one.
        units: units that headings do not say, as "I=uA, time=ms".
        sheet: name of the sheet of a spreadsheet; of several alike, as "Run*".

    Raises:
        ValueError: it cannot be read as a table; one line that says where and what would do.
    """
    paths = [path] if isinstance(path, Path) else list(path)
    if not paths:
        raise invalid("source", "none", "a file")
    said = Said(columns, units, sheet)
    tables = [_of_sheets(sheets_of(each), str(each), said) for each in paths]
    return tables[0] if len(tables) == 1 else _joined(tables)


@checked
def parse(text: str, path: str, *, columns: str = "", units: str = "") -> Table:
    """`read` of a text; `path` is for errors."""
    return _of_sheet(text_sheet(text, path), path, Said(columns, units))


def _of_sheets(sheets: list[Sheet], path: str, said: Said) -> Table:
    """The sheet that is asked for, else the first that holds most that is understood."""
    if said.sheet:
        chosen = [s for s in sheets if s.name == said.sheet or fnmatchcase(s.name, said.sheet)]
        if not chosen:
            raise unknown(f"sheet of {path}", said.sheet, [s.name for s in sheets])
        tables = [_of_sheet(s, path, said) for s in chosen]
        if len(tables) == 1:
            return tables[0]
        name = "cycle" if not any("cycle" in t for t in tables) else "device"
        for each, one in zip(tables, chosen, strict=True):
            each.words.setdefault(name, np.full(len(each), one.name))
        return _below(tables, f"{len(tables)} sheets below one another: each its own {name}")
    if len(sheets) == 1:
        return _of_sheet(sheets[0], path, said)
    found: list[tuple[int, Table, str]] = []
    errors: list[InvalidInput] = []
    for sheet in sheets[:50]:
        try:
            table = _of_sheet(sheet, path, said)
        except InvalidInput as error:
            errors.append(error)
            continue
        usable = bool(set(MEASURED) & set(table.numbers)) * 100 + len(table.columns)
        found.append((usable, table, sheet.name))
    if not found:
        raise errors[0]
    _, table, name = max(found, key=lambda each: each[0])
    others = ", ".join(s.name for s in sheets if s.name != name)
    table.remarks.append(f"sheet {name!r} is read; --sheet chooses another: {others[:300]}")
    return table


def _of_sheet(sheet: Sheet, path: str, said: Said) -> Table:
    """One sheet; lines become columns where it is the lines that have headings."""
    block = block_of(sheet.rows, sheet.separator)
    known = len(block.headings) if block else 0
    if known < 2:
        turned = _turned(sheet, path)
        if turned is not None and len(turned[1].headings) > known:
            return _of_block(turned[1], turned[0], path, said, ["lines are taken for columns"])
    if block is None:
        first = sheet.rows[0] if sheet.rows else Row(1, [])
        allowed = "a line of headings such as pulse, polarity, G [uS], and numbers below"
        raise invalid(f"{path}, line {first.line}", " | ".join(first.cells)[:60], allowed)
    return _of_block(block, sheet, path, said, [])


def _turned(sheet: Sheet, path: str) -> tuple[Sheet, Block] | None:
    """A sheet whose lines are columns; None: it is no such one."""
    rows = [row for row in sheet.rows if not row.comment]
    if not 2 <= len(rows) <= 2000 or max(len(row.cells) for row in rows) < 3:
        return None
    width = max(len(row.cells) for row in rows)
    texts = [[row.cells[k] if k < len(row.cells) else "" for row in rows] for k in range(width)]
    turned = Sheet(sheet.name, [Row(k, t) for k, t in enumerate(texts, 1) if any(t)], "\t",
                   sheet.format)  # fmt: skip
    block = block_of(turned.rows, "\t")
    if block is None or len(block.headings) < 2:
        return None
    return turned, block


def _of_block(block: Block, sheet: Sheet, path: str, said: Said, layout: list[str]) -> Table:
    """The table of a block of lines."""
    if any(block.titles):
        for row in block.data:
            if any(row.cells[len(block.titles) :]):
                allowed = (
                    f"at most {len(block.titles)}, as there are headings in line {block.header}"
                )
                raise invalid(f"{path}, line {row.line}", f"{len(row.cells)} columns", allowed)
    if not block.data:
        raise invalid(
            f"{path}, line {block.header}", "headings alone", "at least one line of values"
        )
    cells = Cells(path, sheet.separator, [(row.line, row.cells) for row in block.data])
    columns = columns_of(block, cells, said)
    long = long_form(columns, cells)
    complete(long, np.array(block.part), path)
    long.layout[:0] = layout
    table = Table(path, cells.lines[long.rows], block.header, long.numbers, long.words,
                  long.resolution, [], refused={}, unused=[])  # fmt: skip
    for column in columns:
        heading = column.heading
        if column.error is not None and heading and heading.quantity not in table:
            table.refused.setdefault(heading.quantity, column.error)
        if column.why:
            table.unused.append((column.title, column.why))
    table.remarks += _remarks(columns, block, long)
    table.account = _account(sheet, block, columns, long)
    return table


def _remarks(columns: list[Column], block: Block, long: Long) -> list[str]:
    """What was assumed, and what was left out."""
    out = [
        f"column {c.title!r}: {c.assumed}"
        for c in columns
        if c.quantity and c.assumed.startswith("no")
    ]
    if len(out) > 6:
        out = [*out[:5], f"and so of {len(out) - 5} more columns"]
    unknown_ = [c.title for c in columns if c.why == "not understood"]
    if unknown_:
        out.append(f"columns that mean nothing here: {_listed(unknown_)}")
    other = [f"{c.title} ({c.why})" for c in columns if c.why and c.why != "not understood"]
    if other:
        out.append(f"columns that are not used: {_listed(other)}")
    if block.skipped:
        out.append(f"lines without values are left out: {_listed(block.skipped)}")
    return [*out, *long.remarks]


def _listed(names: Sequence[object], most: int = 12) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(str, names[:most])) + more


def _account(sheet: Sheet, block: Block, columns: list[Column], long: Long) -> Account:
    """How a sheet was read."""
    name = f", sheet {sheet.name}" if sheet.name else ""
    lines = []
    if block.preamble:
        lines.append(("preamble", _spans([row.line for row in block.preamble])))
    lines.append(("headings", _spans(sorted(block.heading_lines)) or "none"))
    if block.units_line:
        lines.append(("units", str(block.units_line)))
    lines.append(("values", _spans([row.line for row in block.data])))
    told = []
    for c in columns:
        if c.why or c.heading is None:
            told.append((c.title, "unused", c.why))
            continue
        parts = [QUANTITIES[c.quantity].what if c.quantity in WORDS else c.quantity]
        parts += [f"{v}" for v in c.heading.words.values()]
        parts += [f"{k} {v:g}" for k, v in c.heading.at.items()]
        parts += [f"number {c.heading.tag}"] if c.heading.tag else []
        told.append((c.title, ", ".join(parts), _unit_text(c)))
    return Account(sheet.format + name, lines, told, long.layout or ["a row a line"])


def _unit_text(column: Column) -> str:
    unit = column.heading.unit if column.heading else None
    if unit is None or column.quantity in WORDS:
        return ""
    text = unit.si if unit.factor == 1 else f"x {unit.factor:g} {unit.si}"
    text = f"10^x, {text}" if unit.log else text
    text = f"{text}, + {unit.offset:g}" if unit.offset else text
    return f"{text} ({column.assumed})" if column.assumed else text


def _spans(lines: list[int]) -> str:
    """Lines as "1 to 5, 7"."""
    if not lines:
        return ""
    breaks = [k for k, (a, b) in enumerate(pairwise(lines), 1) if b != a + 1]
    spans = []
    for a, b in pairwise([0, *breaks, len(lines)]):
        first, last = lines[a], lines[b - 1]
        spans.append(str(first) if first == last else f"{first} to {last}")
    return _listed(spans, 6)


def _joined(tables: list[Table]) -> Table:
    """Files that belong together: SET in one, RESET in the other; or cells, temperatures."""
    if len(tables) == 2 and not any("polarity" in t or "v_pulse" in t for t in tables):
        names, remark = _polarities(tables)
        if names:
            for table, name in zip(tables, names, strict=True):
                table.words["polarity"] = np.full(len(table), name)
                if "pulse" not in table:
                    table.numbers["pulse"] = _order(table)
            tables[0].remarks.append(remark)
    other = {"device", "polarity", "v_pulse", "pulse", "voltage"}
    if all("time" in t for t in tables) and not any(other & set(t.columns) for t in tables):
        for each in tables:  # what is left alone in two files is two cells
            each.words["device"] = np.full(len(each), Path(each.path).stem)
    return _below(tables, f"{len(tables)} files below one another")


def _polarities(tables: list[Table]) -> tuple[list[str], str]:
    """SET and RESET of two files, by their names, by what they hold, or by their order."""
    if not all(set(MEASURED) & set(t.numbers) for t in tables):
        return [], ""
    if any({"time", "voltage", "target", "state"} & set(t.columns) for t in tables):
        return [], ""
    names = [polarity_of(t.path) for t in tables]
    if set(names) == {"SET", "RESET"}:
        return names, "the names of the files say which pulses are SET and which RESET"
    rises = []
    for table in tables:
        name = next(q for q in MEASURED if q in table.numbers)
        sign = -1 if name == "resistance" else 1
        values = np.abs(table.numbers[name]) * sign
        chains = table.labels("device", "cycle")
        steps = [np.nansum(np.diff(values[chains == k])) for k in range(int(chains.max()) + 1)]
        rises.append(float(np.sum(steps)) > 0)
    if rises[0] != rises[1]:
        names = ["SET" if up else "RESET" for up in rises]
        return names, f"{tables[names.index('SET')].path} rises: its pulses are taken for SET"
    return ["SET", "RESET"], f"the first file, {tables[0].path}, is taken for SET"


def _order(table: Table) -> np.ndarray:
    """The order of rows within their device and cycle, from 1."""
    chains = table.labels("device", "cycle")
    out = np.zeros(len(table))
    for k in range(int(chains.max()) + 1):
        rows = np.flatnonzero(chains == k)
        out[rows] = np.arange(1, len(rows) + 1)
    return out


def _below(tables: list[Table], layout: str) -> Table:
    """Tables as one; what one lacks is a gap."""
    first = tables[0]
    numbers = {k: None for t in tables for k in t.numbers}
    words = {k: None for t in tables for k in t.words}
    same = len({t.path for t in tables}) == 1
    out = Table(
        first.path if same else " + ".join(t.path for t in tables),
        np.concatenate([t.lines for t in tables]),
        first.header,
        {k: np.concatenate([t.numbers.get(k, np.full(len(t), np.nan)) for t in tables])
         for k in numbers},
        {k: np.concatenate([t.words.get(k, np.full(len(t), "")) for t in tables]) for k in words},
        {k: min(t.resolution[k] for t in tables if k in t.resolution)
         for k in {k for t in tables for k in t.resolution}},
        list(dict.fromkeys(r for t in tables for r in t.remarks)),
        {k: e for t in tables for k, e in t.refused.items()
         if not any(k in other for other in tables)},
        first.unused,
    )  # fmt: skip
    if first.account is not None:
        out.account = Account(first.account.format, first.account.lines, first.account.columns,
                              [*first.account.layout, layout])  # fmt: skip
    return out
