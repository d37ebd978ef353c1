"""A sweep as a table in the terminal, once or as long as it runs; a line now and then in a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from mho.experiments.progress import clock
from mho.results.units import number
from mho.sweep.folder import SweepFolder
from mho.sweep.index import Index
from mho.sweep.records import Records, records_of
from mho.sweep.standing import best, counted, measured_text, running, settings_text, time_left

LINE_EVERY = 60.0
"""Seconds between two lines where there is no terminal."""

KEEP_EVERY = 60.0
"""Seconds between two times that the index is written."""

SHARE = 0.1
"""Of the time that may be spent with looking."""

ROWS = 12
"""Lines of running points, of claims, and of points that went wrong."""


class Watch:
    """Looks at a sweep again and again, as cheaply as can be.

    Args:
        sweep: its folder.
        console: where it is shown.
        told: takes a line now and then, where the console is no terminal.
    """

    def __init__(
        self, sweep: SweepFolder, console: Console, told: Callable[[str], None] | None = None
    ) -> None:
        self._index = Index(sweep)
        self._console, self._told = console, told
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._open = ExitStack()
        self._next = self._keep = self._line = 0.0
        self._said = ""

    def __enter__(self) -> Watch:
        if self._console.is_interactive:
            self._open.enter_context(self._live)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._open.close()
        self._index.keep()

    def look(self) -> Records:
        """The records as they are now."""
        return records_of(self._index.sweep.path, self._index.look())

    def glance(self, _standing: object = None) -> None:
        """Show it, if it can be looked at: for a driver, which goes on in any case."""
        with suppress(OSError):
            self.show()

    def show(self) -> Records | None:
        """Look and show it, unless that was done a moment ago; returns what was seen."""
        began = time.monotonic()
        if began < self._next:
            return None
        records = self.look()
        if self._console.is_interactive:
            self._live.update(table(records, self._console.height), refresh=True)
        elif self._told is not None and began >= self._line:
            self._line = began + LINE_EVERY
            if (said := line(records)) != self._said:
                self._said = said
                self._told(said)
        if began >= self._keep:
            self._keep = began + KEEP_EVERY
            self._index.keep()
        now = time.monotonic()
        self._next = now + (now - began) / SHARE
        return records


def line(records: Records) -> str:
    """How a sweep stands, in a line."""
    left = time_left(records)
    more = "" if left is None else f"; about {clock(left)} left"
    return f"{len(records)} points: {counted(records)}{more}"


def table(records: Records, height: int | None = None) -> RenderableType:
    """How a sweep stands: counts, what runs, what went wrong, the best so far.

    Args:
        height: lines that there are; None: any number.
    """
    parts: list[RenderableType] = [Text(line(records), "bold")]
    rows = ROWS if height is None else max(2, (height - 12) // 3)
    parts += [part for part in (_running(records, rows), _bad(records, rows)) if part is not None]
    claims = _best(records, None if height is None else rows)
    return Group(*parts, *([] if claims is None else [claims]))


def _table(title: str, *columns: str) -> Table:
    made = Table(box=SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left",
                 title_style="bold")  # fmt: skip
    for name in columns:
        made.add_column(name, justify="right" if name in ("steps", "rate", "left") else "left",
                        no_wrap=name in ("point", "steps", "rate", "left", "ours"))  # fmt: skip
    return made


def _running(records: Records, rows: int) -> Table | None:
    found = running(records)
    if not found:
        return None
    made = _table("running", "point", "settings", "stage", "steps", "rate", "left", "on")
    for each in found[:rows]:
        beat = each.point.beat
        assert beat is not None
        made.add_row(*map(Text, (
            each.point.id, _settings(records, each.point.settings), beat.stage,
            f"{beat.done}/{beat.total}" if beat.total else "",
            "" if each.rate is None else f"{number(each.rate, 3)}/s",
            "" if each.left is None else clock(each.left), beat.host,
        )))  # fmt: skip
    return _cut(made, len(found) - rows)


def _bad(records: Records, rows: int) -> Table | None:
    found = [point for point in records
             if point.problem or point.status in ("failed", "parked")]  # fmt: skip
    if not found:
        return None
    made = _table("went wrong", "point", "settings", "status", "what")
    for point in found[:rows]:
        said = point.failures[-1].said.strip().splitlines()[-1:] if point.failures else []
        words = "; ".join(filter(None, [point.problem, *said]))
        made.add_row(*map(Text, (point.id, _settings(records, point.settings), point.status,
                                 words)))  # fmt: skip
    return _cut(made, len(found) - rows)


def _best(records: Records, rows: int | None) -> Table | None:
    found = best(records)
    if not found:
        return None
    made = _table("best so far", "claim", "ours", "at")
    for each in found[:rows]:
        row = (each.claim.what, measured_text(each.value), settings_text(each.settings))
        made.add_row(*map(Text, row))
    return _cut(made, 0 if rows is None else len(found) - rows)


def _settings(records: Records, settings: Mapping[str, Any]) -> str:
    return settings_text({key: settings.get(key) for key in records.varied})


def _cut(made: Table, more: int) -> Table:
    if more > 0:
        made.caption, made.caption_justify = f"and {more} more", "left"
    return made
