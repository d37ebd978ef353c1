"""Text of a measured file, and the cells of its lines, whatever separates them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from mho.errors import invalid

Rows = list[tuple[int, list[str]]]
"""Number of a line, from 1, and its cells."""


def text_of(path: Path) -> str:
    """Text of a file in UTF-8, UTF-16 with its mark, or else Latin-1."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise invalid("source", str(path), f"a readable file ({error.strerror})") from error
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
    lines = [line for line in text.splitlines() if line.strip() and not _comment(line)][:200]
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


def rows_of(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of each line that is neither blank nor a comment."""
    for number, line in enumerate(text.splitlines(), 1):
        if _comment(line) or not line.strip():
            continue
        if separator == " ":
            cells = line.split()
        else:
            cells = next(csv.reader(io.StringIO(line), delimiter=separator), [])
        cells = [cell.strip() for cell in cells]
        if any(cells):
            yield number, cells
