"""Many runs on one page, as data: tables, and figures by what they are of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mho.results.figures import Figure
from mho.results.tables import Table


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """Figures and tables of one thing."""

    title: str
    figures: Sequence[Figure] = ()
    tables: Sequence[Table] = ()
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Overview:
    """What a page on many runs shows, from its top to its end."""

    title: str
    lead: Sequence[str] = ()
    """Paragraphs under the title."""
    notices: Sequence[str] = ()
    """What a reader should know before the numbers."""
    tables: Sequence[Table] = ()
    chapters: Sequence[Chapter] = ()
    heading: str = "Claims along the axes"
    """Of the chapters."""
    closing: Sequence[Table] = ()
    """Tables after the chapters."""
    made: Sequence[tuple[str, str]] = ()
    """Where the runs came from: names and values."""
    command: str = ""
    """Writes the page again."""
    settings: str = ""
    """What the runs have in common, as TOML."""
