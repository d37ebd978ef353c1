"""Which lines of a sheet are preamble, headings, units and values."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace

import numpy as np

from mho.files.numbers import is_number
from mho.fit.reading.cells import is_gap, is_value
from mho.fit.reading.heading import Heading, read_heading, with_unit
from mho.fit.reading.text import Row, split
from mho.fit.reading.units import unit_of

ABOVE = 6
"""Lines above the values among which headings and units are looked for."""
LABELS = frozenset({"DataName", "DataValue", "Dimension1", "Dimension2"})
"""What EasyEXPERT writes before each line."""


@dataclass
class Block:
    """A table among the lines of a sheet."""

    titles: list[str]
    """Heading of each column; empty where it has none."""
    headings: dict[int, Heading]
    """What was understood of them, by column."""
    header: int
    """Line of the headings; of the first values, if there are none."""
    data: list[Row]
    preamble: list[Row] = field(default_factory=list)
    heading_lines: list[int] = field(default_factory=list)
    units_line: int = 0
    """0: none."""
    skipped: list[int] = field(default_factory=list)
    """Lines below the headings that hold no values."""
    part: list[int] = field(default_factory=list)
    """Of each row of values: which of the parts that a preamble stands between, from 0."""


def block_of(rows: list[Row], separator: str) -> Block | None:
    """The table that holds most values; None: no line holds any."""
    start, stop = _run(rows)
    if start == stop:
        return None
    width = _width(rows[start:stop])
    if _numbers_across(rows, start, stop):
        rows = [*rows[:start], _across(rows[start], rows[start + 1]), *rows[start + 1 :]]
        heads, units, start = [start], None, start + 1
    else:
        heads, units = _heads(rows, start, width, separator)
    cells = {at: _fitted(rows[at], width, separator) for at in heads}
    titles, headings = _titles([cells[at] for at in heads], width)
    if units is not None:
        headings = _in_units(headings, titles, _fitted(rows[units], width, separator))
    first = min([start, *heads] if units is None else [start, units, *heads])
    lines = [rows[at].line for at in heads]
    block = Block(titles, headings, lines[0] if lines else rows[start].line, [], rows[:first],
                  lines, 0 if units is None else rows[units].line)  # fmt: skip
    _collect(block, rows, start, [tuple(rows[at].cells) for at in heads])
    return block


def _is_data(cells: list[str]) -> bool:
    """Whether a line holds a value, or nothing but gaps."""
    seen = [cell for cell in cells if cell]
    return any(map(is_value, seen)) or (len(seen) > 1 and all(map(is_gap, seen)))


def _run(rows: list[Row]) -> tuple[int, int]:
    """The run of lines with most values: from and to."""
    runs: list[tuple[float, int, int]] = []
    start, score, label = None, 0.0, ""
    for at, row in enumerate([*rows, Row(0, [""])]):
        values = sum(map(is_value, row.cells[:200])) if not row.comment else 0
        first = row.cells[0] if row.cells[0] in LABELS else ""
        if values and start is not None and first != label:
            runs.append((score, start, at))
            start, score = None, 0.0
        if values:
            start, score = at if start is None else start, score + values - 0.5
            label = first
        elif start is not None and not (at < len(rows) and _goes_on(row)):
            runs.append((score, start, at))
            start, score = None, 0.0
    runs = [(s + 0.25 * s * _above(rows, a), a, b) for s, a, b in runs]
    best = max(runs, key=lambda run: run[0], default=(0.0, 0, 0))
    alike = [run for run in runs if _same_kind(rows, run, best)]
    return (alike[0][1], alike[0][2]) if alike else (0, 0)


def _goes_on(row: Row) -> bool:
    """Whether values may follow below a line as they stood above it."""
    if row.comment:
        return sum(read_heading(cell) is not None for cell in row.cells[:50]) < 2
    return _is_data(row.cells)


def _same_kind(rows: list[Row], run: tuple[float, int, int], best: tuple[float, int, int]) -> bool:
    """Whether a run is the best one, or one before it under the same headings."""
    if run == best or run[1] == 0 or best[1] == 0:
        return run == best
    return rows[run[1] - 1].cells == rows[best[1] - 1].cells and run[1] < best[1]


def _above(rows: list[Row], start: int) -> int:
    """Columns that the line above is understood to head, at most 4."""
    if not start:
        return 0
    return min(4, sum(read_heading(c) is not None for c in rows[start - 1].cells[:50]))


def _width(rows: list[Row]) -> int:
    """Columns that most lines have, empty ones at the end left out."""
    counts = Counter(_used(row.cells) for row in rows[:2000] if not row.comment)
    usual = counts.most_common(1)[0][0]
    return max(usual, max(n for n, k in counts.items() if k > 0.02 * counts.total() or n == usual))


def _used(cells: list[str]) -> int:
    """Cells up to the last that is not empty."""
    return max((k + 1 for k, cell in enumerate(cells) if cell), default=0)


def _numbers_across(rows: list[Row], start: int, stop: int) -> bool:
    """Whether the first line of values heads columns by numbers that rise: times, voltages."""
    cells = [c for c in rows[start].cells if c]
    if (
        stop - start < 2
        or len(cells) < 4
        or is_value(cells[0])
        or not all(map(is_number, cells[1:]))
    ):
        return False
    below = rows[start + 1].cells
    try:
        numbers = np.array([float(c.replace(",", ".")) for c in cells[1:]])
    except ValueError:
        return False
    title = read_heading(cells[0]) is not None or any(mark in cells[0] for mark in "\\/|")
    return (
        bool((np.diff(numbers) > 0).all())
        and (title or is_value(below[0]))
        and (below[0] != cells[0])
    )


def _across(row: Row, below: Row) -> Row:
    """A line of numbers as headings: of times, where its corner says so."""
    corner = [part.strip() for part in re.split(r"[\\|]", row.cells[0])]
    found = read_heading(corner[-1])
    first = corner[0]
    if found is None or found.quantity != "time":
        return replace(row, cells=[first, *row.cells[1:]])
    if len(corner) == 1:
        if is_value(below.cells[0]):
            return row
        first = "device"
    unit = re.search(r"[\[(]([^\])]*)[\])]", corner[-1])
    text = unit[1] if unit else "s"
    return replace(row, cells=[first, *(f"{c} {text}" if c else c for c in row.cells[1:])])


def _fitted(row: Row, width: int, separator: str) -> list[str]:
    """Cells of a line of headings, as many as there are columns if it can be."""
    if _used(row.cells) in (width, width + 1) and separator != " ":
        return row.cells
    if separator == " ":
        merged = _merged(row.cells, width)
        if len(merged) == width:
            return merged
        gaps = [c.strip() for c in row.text.replace("\t", "  ").split("  ") if c.strip()]
        if len(gaps) == width:
            return gaps
    for other in ("\t", ";", ","):
        cells = split(row.text, other)
        if other != separator and _used(cells) == width > 1:
            return cells
    return row.cells


def _merged(cells: list[str], width: int) -> list[str]:
    """Words that blanks took apart, put together: "V [V]"."""
    out: list[str] = []
    for k, cell in enumerate(cells):
        left = len(out) + len(cells) - k > width
        if out and left and (cell[0] in "[({" or out[-1].count("(") > out[-1].count(")")):
            out[-1] = f"{out[-1]} {cell}"
        else:
            out.append(cell)
    while len(out) > width:
        pair = next(
            (k for k in range(len(out) - 1) if read_heading(f"{out[k]} {out[k + 1]}")), None
        )
        if pair is None:
            return out
        out[pair : pair + 2] = [f"{out[pair]} {out[pair + 1]}"]
    return out


def _heads(rows: list[Row], start: int, width: int, separator: str) -> tuple[list[int], int | None]:
    """Lines of headings, the chief one first, and the line of units."""
    known: dict[int, int] = {}
    units: int | None = None
    for at in range(start - 1, max(-1, start - 1 - ABOVE), -1):
        cells = _fitted(rows[at], width, separator)
        if not 1 <= _used(cells) <= width + 1 or (_used(cells) < 2 <= width and not _sure(cells)):
            continue
        if units is None and _are_units(cells):
            units = at
            continue
        if any(map(is_number, cells)) and sum(map(is_number, cells)) * 2 >= len(cells):
            continue
        known[at] = sum(read_heading(c) is not None for c in cells)
    best = max(known, key=lambda at: (known[at], at), default=None)
    if best is None or known[best] == 0:
        for at in range(start - 1, max(-1, start - 200), -1):
            cells = _fitted(rows[at], width, separator)
            count = sum(read_heading(c) is not None for c in cells)
            if count >= 2 and width >= 2 and _used(cells) <= width + 1:
                return [at], units
    if best is None:
        return ([units], None) if units is not None else ([], None)
    if known[best] == 0:
        full = [at for at in known if _used(_fitted(rows[at], width, separator)) >= width - 1]
        if not full:
            return [], units
        best = full[0]
    if units is not None and units < best - 2:
        units = None
    near = [at for at in known if at != best and abs(at - best) <= 2 and not rows[at].comment]
    others = [at for at in near if sum(map(bool, rows[at].cells)) * 3 >= width]
    return [best, *others], units


def _sure(cells: list[str]) -> bool:
    found = [read_heading(c) for c in cells]
    return any(each is not None and each.sure for each in found)


def _are_units(cells: list[str]) -> bool:
    """Whether a line holds units alone."""
    seen = [c.strip("[]() ") for c in cells if c]
    found = [c for c in seen if unit_of(c)]
    plain = all(unit_of(c) or c in ("1", "-", "#", "", "a.u.", "%", "N/A") for c in seen)
    return bool(found) and plain


def _titles(lines: list[list[str]], width: int) -> tuple[list[str], dict[int, Heading]]:
    """Title and meaning of each column, from its chief heading and those beside it."""
    if not lines:
        return [""] * width, {}
    chief, *others = [[*cells, *[""] * width] for cells in lines]
    count = _used(lines[0])
    repeated = Counter(c for c in chief[:count] if c)
    titles, headings = chief[:count], {}
    for k in range(count):
        groups = [_group(other, k) for other in others]
        found = read_heading(chief[k])
        if found and repeated[chief[k]] == 1:
            headings[k] = found
            continue
        tries = [f"{group} {chief[k]}".strip() for group in groups if group]
        if found is None:
            tries += [group for group in groups if group]
        for text in tries:
            better = read_heading(text)
            if better and (found is None or better.quantity == found.quantity):
                found, titles[k] = better, text
                break
        if found:
            headings[k] = found
        elif repeated[chief[k]] > 1 and tries:
            titles[k] = tries[0]
    return titles, headings


def _group(cells: list[str], column: int) -> str:
    """The title over a group of columns, which stands over the first of them."""
    return next((cells[k] for k in range(column, -1, -1) if cells[k]), "")


def _in_units(
    headings: dict[int, Heading], titles: list[str], cells: list[str]
) -> dict[int, Heading]:
    """Headings in the units of a line of their own."""
    out = dict(headings)
    for column, text in enumerate(cells):
        unit = unit_of(text.strip("[](){} "))
        if not unit or column >= len(titles):
            continue
        if column in out and out[column].unit is None:
            out[column] = with_unit(out[column], unit)
        elif column not in out:
            found = read_heading(f"{titles[column]} [{text.strip('[](){} ')}]")
            if found:
                out[column] = replace(found, text=titles[column] or found.text)
    return out


def _collect(block: Block, rows: list[Row], start: int, heads: list[tuple[str, ...]]) -> None:
    """Lines of values from `start` on, up to where another table begins."""
    part, between = 0, False
    label = rows[start].cells[0] if rows[start].cells[0] in LABELS else ""
    for row in rows[start:]:
        if row.comment:
            between |= bool(block.data) and not _is_blank(row)
            continue
        if tuple(row.cells) in heads:
            if tuple(row.cells) != heads[0]:
                between = bool(block.data)
            else:
                part, between = part + between, False
            continue
        if (label and row.cells[0] != label) or not _is_data(row.cells):
            known = sum(h is not None and h.sure for h in map(read_heading, row.cells[:50]))
            if known >= 2 and not label and _used(row.cells) >= 2 and block.headings:
                block.skipped.append(row.line)
                break
            if block.data:
                between = between or bool(label) or len(row.cells) != len(block.titles)
                block.skipped.append(row.line)
            continue
        block.data.append(row)
        block.part.append(part)


def _is_blank(row: Row) -> bool:
    return not any(row.cells)
