"""Help as plain text that fits the terminal, in which no name is broken over lines."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable
from typing import Any

import click

WIDEST = 80
"""Columns that a line takes at most."""
NARROW = 60
"""Columns below which a text stands under the name that it is of, not beside it."""


class HelpText(click.HelpFormatter):
    """Click's formatter, but for how lines are broken."""

    def __init__(self, indent_increment: int = 2, **_widths: Any) -> None:
        super().__init__(indent_increment)
        self.width = min(shutil.get_terminal_size().columns, WIDEST)

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """`usage: mho run [OPTIONS] NAME`."""
        self._write(f"{prefix or 'Usage: '}{prog} {args}", "", " " * 7)

    def write_text(self, text: str) -> None:
        """Paragraphs; lines that stand further in are kept as they are."""
        indent = " " * self.current_indent
        paragraphs = text.split("\n\n")
        for number, paragraph in enumerate(paragraphs):
            if number:
                self.write("\n")
            if paragraph.startswith("  "):
                self.write(textwrap.indent(f"{paragraph}\n", indent))
            else:
                self._write(paragraph, indent, indent)

    def write_dl(
        self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2
    ) -> None:
        """Names, and a text beside or under each."""
        rows, indent = list(rows), " " * self.current_indent
        widest = max((len(name) for name, _ in rows if len(name) <= col_max), default=0)
        column = self.current_indent + widest + col_spacing
        if self.width < NARROW:
            column, widest = 2 * self.current_indent + 2, 0
        for name, text in rows:
            if len(name) > widest:
                self.write(f"{indent}{name}\n")
                name = ""
            first = f"{indent}{name}".ljust(column)
            if text:
                self._write(text, first, " " * column)
            elif name:
                self.write(f"{first.rstrip()}\n")

    def _write(self, text: str, first: str, following: str) -> None:
        lines = textwrap.wrap(
            text, self.width, initial_indent=first, subsequent_indent=following,
            break_on_hyphens=False, break_long_words=False,
        )  # fmt: skip
        self.write("".join(f"{line}\n" for line in lines))


class Context(click.Context):
    """Where a command is understood; its help is as above."""

    formatter_class = HelpText
