"""Rows by name, as a table that fits the terminal, in full, or as JSON."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

LEAST = 14
"""Columns that the last column of a table needs; below that, texts stand under their names."""
GAP = "  "


@dataclass(frozen=True)
class Listing:
    """Rows of texts; the first of each is its name.

    No word is ever broken, so that names can be copied, whatever the width.
    """

    columns: Sequence[str]
    """What the rows say; the last may be long."""
    rows: Sequence[Sequence[str]]
    records: Sequence[dict[str, Any]] = ()
    """The same and more, for programs, a record for each row; none: the rows themselves."""
    after: Sequence[str] = ()
    """Remarks."""
    cut: bool = False
    """Whether a table has one line for each row, and the last column is cut to fit."""
    short: Sequence[str] = field(default=())
    """Columns of a table; the others are shown in full alone. Empty: all."""

    def with_word(self, word: str) -> Listing:
        """The rows that have a word in their name, or else anywhere, in any case."""
        word = word.lower()
        named = [n for n, row in enumerate(self.rows) if word in row[0].lower()]
        anywhere = (n for n, row in enumerate(self.rows) if word in " ".join(row).lower())
        kept = named or list(anywhere)
        records = [self.records[n] for n in kept] if self.records else ()
        return replace(self, rows=[self.rows[n] for n in kept], records=records)

    def json(self) -> str:
        """A list of records."""
        plain = [dict(zip(self.columns, row, strict=True)) for row in self.rows]
        return json.dumps(list(self.records) or plain, indent=2, ensure_ascii=False)

    def table(self, width: int | None) -> str:
        """Columns beside each other; None: lines as long as they come."""
        shown = [self.columns.index(name) for name in self.short or self.columns]
        rows = [[row[n] for n in shown] for row in (self.columns, *self.rows)]
        widths = [max(len(row[n]) for row in rows) for n in range(len(shown))]
        before = sum(each + len(GAP) for each in widths[:-1])
        if width is not None and before + min(widths[-1], LEAST) > width:
            return self.in_full(width, [self.columns[n] for n in shown])
        lines: list[str] = []
        for row in rows:
            first = "".join(cell.ljust(each) + GAP for cell, each in zip(row, widths, strict=False))
            first = first[:before]
            if self.cut and width is not None:
                text = textwrap.shorten(row[-1], width - before, placeholder=" ...")
                lines.append((first + text).rstrip())
            else:
                lines += _wrapped(row[-1], width, first, " " * before)
        return "\n".join([*lines, *self._after(width)])

    def in_full(self, width: int | None, columns: Sequence[str] = ()) -> str:
        """Each row as its name and what is said of it, line by line."""
        lines: list[str] = []
        for row in self.rows:
            lines.append(row[0])
            for name, text in zip(self.columns[1:], row[1:], strict=True):
                if text and (not columns or name in columns):
                    lines += _wrapped(f"{name}: {text}", width, GAP, 2 * GAP)
        return "\n".join([*lines, *self._after(width)])

    def _after(self, width: int | None) -> Iterator[str]:
        for text in self.after:
            yield ""
            yield from _wrapped(text, width, "", "")


def _wrapped(text: str, width: int | None, first: str, following: str) -> list[str]:
    lines = textwrap.wrap(
        text, width or 100_000, initial_indent=first, subsequent_indent=following,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return [line.rstrip() for line in lines] or [first.rstrip()]
