"""What the command says: text as it is, on any terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rich.console import Console, RenderableType
from rich.text import Text

from mho.files import naming


def say(*what: RenderableType) -> None:
    """Print texts and tables; nothing in a text is markup.

    Raises:
        OSError: the output cannot be written.
    """
    console = Console(markup=False, emoji=False, highlight=False, soft_wrap=True)
    with naming(Path("standard output")):
        for each in what:
            if isinstance(each, str):
                sys.stdout.write(f"{each}\n")
            else:
                console.print(each, soft_wrap=False)
        sys.stdout.flush()


def tell(text: str) -> None:
    """Print a line on standard error, if that can be written."""
    with suppress(OSError):
        print(f"mho: {text}", file=sys.stderr, flush=True)


def bold(text: str) -> Text:
    """A text that stands out on a terminal."""
    return Text(text, "bold")


@contextmanager
def any_characters() -> Iterator[None]:
    """Have characters that the terminal lacks replaced, instead of refused."""
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
