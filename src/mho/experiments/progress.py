"""Progress on stderr: a live bar on a terminal, a line now and then in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

LINE_EVERY = 10.0
"""Seconds between lines where there is no terminal."""


class Progress:
    """Progress of one run, with rate and time left.

    Args:
        title: what runs.
        shown: False: nothing is.
    """

    def __init__(self, title: str, *, shown: bool = True) -> None:
        self.title, self._shown = title, shown
        self._console = Console(stderr=True)
        self._open = not shown

    def note(self, text: str) -> None:
        """Say something between two bars."""
        if not self._shown:
            return
        with suppress(OSError):
            self._console.print(f"[{self.title}] {text}", markup=False, highlight=False,
                                soft_wrap=True)  # fmt: skip

    @contextmanager
    def bar(
        self, what: str, total: int, done: int, *, trains: bool = False
    ) -> Iterator[Callable[[int], None]]:
        """Show progress from `done` to `total`; call the result with the number of steps made.

        A bar within another one is not shown: the outer one says when all is done. `trains` says
        that it is a training, which a point of a sweep counts.
        """
        if self._open:
            yield lambda _n: None
            return
        self._open = True
        try:
            if self._console.is_terminal:
                with self._live(what, total, done) as advance:
                    yield advance
            else:
                yield self._lines(what, total, done)
        finally:
            self._open = False

    @contextmanager
    def _live(self, what: str, total: int, done: int) -> Iterator[Callable[[int], None]]:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
        )
        with RichProgress(*columns, console=self._console, transient=True) as live:
            task = live.add_task(f"{self.title} {what}", total=total, completed=done, rate="")
            began = time.monotonic()
            state = {"done": 0, "shown": 0.0}

            def advance(n: int) -> None:
                state["done"] += n
                now = time.monotonic()
                if now - state["shown"] > 0.2 or state["done"] + done >= total:
                    state["shown"] = now
                    rate = f"{state['done'] / max(now - began, 1e-9):.1f}/s"
                    live.update(task, completed=done + state["done"], rate=rate)

            yield advance

    def _lines(self, what: str, total: int, done: int) -> Callable[[int], None]:
        began = last = time.monotonic()
        made = 0

        def advance(n: int) -> None:
            nonlocal made, last
            made += n
            now = time.monotonic()
            if now - last >= LINE_EVERY:
                last = now
                rate = made / (now - began)
                left = (total - done - made) / rate
                text = f"{what} {done + made}/{total}, {rate:.1f}/s, {clock(left)} left"
                with suppress(OSError):  # whoever listens may be gone, or the disk of a log full
                    print(f"[{self.title}] {text}", file=sys.stderr, flush=True)

        return advance


def clock(seconds: float) -> str:
    """A time as hours, minutes and seconds: 1:02:03, or 2:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
