"""Text of a measured file, and the cells of its lines, whatever separates them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from mho.errors import invalid
from mho.files import read_bytes

MOST_BYTES = 1 << 27
"""Largest file that is read [bytes]."""
MOST_CHARACTERS = 100_000
"""Longest line."""
MOST_COLUMNS = 1000
MOST_ROWS = 2_000_000

Rows = list[tuple[int, list[str]]]
"""Number of a line, from 1, and its cells."""


def text_of(path: Path) -> str:
    """Text of a file in UTF-8, UTF-16 with its mark, or else Latin-1."""
    raw = read_bytes(path, "source", most=MOST_BYTES, wanted="a readable file")
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16", errors="replace")
    if b"\x00" in raw:
        raise invalid("source", str(path), "a text file of columns, as .csv")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def separator_of(text: str) -> str:
    """The separator of which most lines have the same number."""
    lines = [line for line in islice(_lines(text), 10_000) if not _comment(line)]
    lines = [line[:MOST_CHARACTERS] for line in lines if line.strip()][:200]
    best, score = " ", 0
    for separator in (";", "\t", ","):
        counts = [line.count(separator) for line in lines]
        usual = max(set(counts), key=counts.count, default=0)
        agree = counts.count(usual) if usual else 0
        if agree > score and (separator != "," or best == " " or agree > 1.5 * score):
            best, score = separator, agree
    return best


def _comment(line: str) -> bool:
    return line.lstrip().startswith(("#", "%", "//"))


def rows_of(text: str, separator: str, path: str = "text") -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of each line that is neither blank nor a comment.

    Raises:
        ValueError: a line, or the number of lines or of columns, is longer than any table's;
            `path` names the file.
    """
    found = 0
    for number, line in enumerate(_lines(text), 1):
        if _comment(line) or not line.strip():
            continue
        if len(line) > MOST_CHARACTERS:
            allowed = f"lines of at most {MOST_CHARACTERS} characters"
            raise invalid(f"{path}, line {number}", f"{len(line)} characters", allowed)
        if separator == " ":
            cells = line.split()
        else:
            cells = next(csv.reader(io.StringIO(line), delimiter=separator), [])
        cells = [cell.strip() for cell in cells]
        if len(cells) > MOST_COLUMNS:
            allowed = f"at most {MOST_COLUMNS} columns"
            raise invalid(f"{path}, line {number}", f"{len(cells)} columns", allowed)
        if any(cells):
            found += 1
            if found > MOST_ROWS:
                raise invalid(path, f"over {MOST_ROWS} lines", f"at most {MOST_ROWS} lines")
            yield number, cells


def _lines(text: str) -> Iterator[str]:
    return iter(text.splitlines())
