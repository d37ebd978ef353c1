"""What the command says: text as it is, on any terminal."""

from __future__ import annotations

import os
import shutil
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from rich.console import Console, RenderableType
from rich.text import Text

from mho.files import naming


def say(*what: RenderableType) -> None:
    """Print texts and tables; nothing in a text is markup.

    Raises:
        OSError: the output cannot be written.
    """
    console, parts = Console(markup=False, emoji=False, highlight=False), []
    for each in what:
        if isinstance(each, str):  # to the letter
            parts.append(f"{each}\n")
        else:
            with console.capture() as captured:
                console.print(each)
            parts.append(captured.get())
    with naming(Path("standard output")):
        sys.stdout.write("".join(parts))
        sys.stdout.flush()


def tell(text: str) -> None:
    """Print a line on standard error, if that can be written."""
    with suppress(OSError):
        print(f"mho: {text}", file=sys.stderr, flush=True)


@contextmanager
def waiting(text: str) -> Iterator[None]:
    """Show on a terminal, as long as it lasts, what the command does."""
    console = Console(stderr=True, markup=False, highlight=False)
    with console.status(Text(text)) if console.is_interactive else nullcontext():
        yield


@contextmanager
def any_characters() -> Iterator[None]:
    """Have characters that the terminal lacks replaced, instead of refused."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started the command
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 - for the rest of the process
    streams = [each for each in (sys.stdout, sys.stderr) if hasattr(each, "reconfigure")]
    before = [each.errors for each in streams]
    for each in streams:
        each.reconfigure(errors="replace")  # type: ignore[union-attr]
    try:
        yield
    finally:
        for each, errors in zip(streams, before, strict=True):
            with suppress(ValueError):  # closed meanwhile
                each.reconfigure(errors=errors)  # type: ignore[union-attr]


@contextmanager
def plain_warnings() -> Iterator[None]:
    """Have each warning told in one line, once, whatever line of Python it comes from."""
    told: set[str] = set()

    def show(message: Warning | str, *_where: object) -> None:
        text = " ".join(str(message).split())
        if text not in told:
            told.add(text)
            tell(f"warning: {text}")

    before, warnings.showwarning = warnings.showwarning, show
    try:
        yield
    finally:
        warnings.showwarning = before


def columns() -> int | None:
    """Columns of the terminal, or of the environment variable COLUMNS; None: what is printed goes
    to a file or a program, which takes lines of any length."""
    if sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdecimal():
        return max(shutil.get_terminal_size().columns, 1)
    return None
