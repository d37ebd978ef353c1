"""Text of a measured file, and the cells of its lines, whatever separates them."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from itertools import islice

from mho.errors import invalid
from mho.files.numbers import is_number

MOST_CHARACTERS = 1_000_000
"""Longest line."""
MOST_COLUMNS = 20_000
MOST_ROWS = 2_000_000
MOST_CELLS = 20_000_000

COMMENTS = ("#", "%", "//", "!", "*")
"""What a line of comment may start with."""
SEPARATORS = {";": "semicolons", "\t": "tabs", ",": "commas", " ": "blanks", "|": "bars"}


@dataclass(frozen=True)
class Row:
    """A line that is not blank."""

    line: int
    """Its number in the file, from 1."""
    cells: list[str]
    comment: bool = False
    text: str = ""
    """All of it, without the mark of a comment."""


Rows = list[tuple[int, list[str]]]
"""Number of a line, from 1, and its cells."""

_DIGITS_APART = re.compile(r"[0-9]\s+[-+.]?[0-9]")


def decoded(raw: bytes) -> tuple[str, str] | None:
    """Text of a file, and the name of its encoding: UTF-8, UTF-16, or else Latin-1.

    None: it is no text.
    """
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16", errors="replace"), "UTF-16"
    if b"\x00" in raw:
        even, odd = raw[:4000:2].count(0), raw[1:4000:2].count(0)
        if min(even, odd) * 10 < max(even, odd) and max(even, odd) > min(len(raw), 4000) // 4:
            name = "utf-16-le" if odd > even else "utf-16-be"
            return raw.decode(name, errors="replace"), "UTF-16"
        return None
    try:
        return raw.decode("utf-8-sig"), "UTF-8"
    except UnicodeDecodeError:
        return raw.decode("latin-1"), "Latin-1"


def separator_of(text: str) -> str:
    """The separator of which most lines have the same number, and clean cells between."""
    lines = [line for line in islice(text.splitlines(), 10_000) if not is_comment(line)]
    lines = [line[:MOST_CHARACTERS] for line in lines if line.strip()][:300]
    best, score = " ", 0.0
    for separator in (";", "\t", "|", ","):
        agree = _agree([line.split(separator) for line in lines if separator in line])
        if agree > score and (separator != "," or best == " " or agree > 1.5 * score):
            best, score = separator, agree
    rows = [line.split() for line in lines]
    numbers = [row for row in rows if len(row) > 1 and all(map(is_number, row))]
    return " " if _agree(numbers) > 2 * score else best


def _agree(rows: list[list[str]]) -> float:
    """How many rows have the usual number of cells, and none that holds two numbers."""
    counts = [len(row) for row in rows if not any(map(_DIGITS_APART.search, row[:50]))]
    if not counts:
        return len(rows) / 100
    usual = max(sorted(set(counts), reverse=True), key=counts.count)
    return float(counts.count(usual))


def is_comment(line: str) -> bool:
    """Whether a line starts with the mark of a comment."""
    line = line.lstrip(" ").lstrip('"')
    if line.startswith(("!", "*")):
        return not is_number(re.split(r"[\s,;]", line[1:].strip())[0])
    if line.startswith("#") and re.match(r"#(?:[A-Z]{2,}|N/A|DIV|REF|VALUE|NUM)", line):
        return bool(re.match(r"#[A-Za-z][^,;\t]*[a-z ]", line))
    return line.startswith(("#", "%", "//"))


def split(line: str, separator: str) -> list[str]:
    """Cells of a line."""
    if separator == " ":
        return line.split()
    if '"' not in line:
        return [cell.strip() for cell in line.split(separator)]
    cells = next(csv.reader(io.StringIO(line), delimiter=separator, skipinitialspace=True), [])
    return [cell.strip() for cell in cells]


def rows_of(text: str, separator: str, path: str = "text") -> list[Row]:
    """Each line that is not blank, comments with the cells that they hold behind their mark.

    Raises:
        ValueError: a line, or the number of lines or of columns, is longer than any table's;
            `path` names the file.
    """
    found: list[Row] = []
    total = 0
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        if len(line) > MOST_CHARACTERS:
            allowed = f"lines of at most {MOST_CHARACTERS} characters"
            raise invalid(f"{path}, line {number}", f"{len(line)} characters", allowed)
        comment = is_comment(line)
        plain = line.strip().strip('"').lstrip("#%/!* ").strip() if comment else line
        cells = split(plain, separator)
        if len(cells) > MOST_COLUMNS:
            allowed = f"at most {MOST_COLUMNS} columns"
            raise invalid(f"{path}, line {number}", f"{len(cells)} columns", allowed)
        if any(cells):
            found.append(Row(number, cells, comment, plain))
            total += len(cells)
            if len(found) > MOST_ROWS or total > MOST_CELLS:
                raise invalid(path, f"over {MOST_ROWS} lines or {MOST_CELLS} cells",
                              f"at most {MOST_ROWS} lines and {MOST_CELLS} cells")  # fmt: skip
    return found
