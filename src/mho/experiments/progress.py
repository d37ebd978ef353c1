"""Progress on stderr: one line, rewritten on a terminal, now and then a new one in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.console import Console
from rich.live import Live
from rich.text import Text

if TYPE_CHECKING:
    from mho.experiments.trainings import Training

LINE_EVERY = 10.0
"""Seconds between lines where there is no terminal, at the beginning."""

SHARE = 0.1
"""Of the time so far that passes at least between two such lines."""

REWRITE_EVERY = 0.2
"""Seconds between two changes of the line on a terminal."""

SOON = 2.0
"""Seconds before which nothing is said of the time left."""


class Place(NamedTuple):
    """Where a training stands among those of a run."""

    number: int
    """From 1."""
    before: float
    """Work of those before it, in passes over training data."""
    work: float
    """Its own."""


class Progress:
    """Progress of one run: what is done, how far it is, how good it is so far, the time left.

    Args:
        title: what runs.
        shown: False: nothing is.
    """

    def __init__(self, title: str, *, shown: bool = True) -> None:
        self.title, self._shown = title, shown
        self._console = Console(stderr=True, markup=False, highlight=False)
        self._open = not shown
        self._places: dict[str, Place] = {}
        self._whole, self._in_all = 0.0, False
        self._count = 0
        self._accuracy: float | None = None
        self._first: tuple[float, float] | None = None
        self._began, self._last = time.monotonic(), 0.0

    def plan(self, trainings: Sequence[Training], *, in_all: bool) -> None:
        """Say beforehand which trainings there are, in order.

        Args:
            trainings: each once.
            in_all: they take nearly all the time of the run.
        """
        before = 0.0
        for number, each in enumerate(trainings, 1):
            tasks = each.settings.get("tasks")
            own = float(each.settings.get("epochs", 1)) * len(tasks if tasks else "1")
            self._places.setdefault(each.id, Place(number, before, own))
            before += own
        self._whole, self._in_all, self._count = before, in_all, len(trainings)

    def note(self, text: str) -> None:
        """Say something between two bars."""
        if not self._shown:
            return
        with suppress(OSError):
            self._console.print(f"[{self.title}] {text}", soft_wrap=True)

    def logged(self, values: Mapping[str, Any]) -> None:
        """Take what a run has logged: its accuracy on held-out data [%] is shown."""
        found = values.get("validation")
        numbers = [found] if isinstance(found, float) else found or []
        known = [each for each in numbers if each is not None]
        self._accuracy = sum(known) / len(known) if known else self._accuracy

    @contextmanager
    def bar(
        self, what: str, total: int, done: int, *, trains: bool = False, of: Training | None = None
    ) -> Iterator[Callable[[int], None]]:
        """Show progress from `done` to `total`; call the result with the number of steps made.

        A bar within another one is not shown: the outer one says when all is done. `trains` says
        that it is a training, which a point of a sweep counts, and `of` which one.
        """
        if self._open:
            yield lambda _n: None
            return
        self._open, self._accuracy = True, None
        place = None if of is None else self._places.get(of.id)
        stage = Stage(self, what, total, done, place)
        try:
            if self._console.is_interactive:
                with Live(console=self._console, auto_refresh=False, transient=True) as live:
                    yield stage.advances(REWRITE_EVERY, lambda text: self._rewrite(live, text))
            else:
                yield stage.advances(LINE_EVERY, self._print)
        finally:
            self._open = False

    def left(self, place: Place, share: float) -> float | None:
        """Time until the last training is over [s], where so much of one is done; None: not known
        yet."""
        done, now = place.before + share * place.work, time.monotonic()
        if self._first is None:
            self._first = (now, done)
        since, from_ = self._first
        if now - since < SOON or done <= from_:
            return None
        return (now - since) / (done - from_) * (self._whole - done)

    def sentence(self, stage: Stage, done: int) -> str:
        """How a stage stands."""
        place, share = stage.place, done / max(stage.total, 1)
        name = stage.what.removesuffix("/train")
        if place is None:
            parts = [f"{name}, {done} of {stage.total}"]
            left, of = stage.left(done), "here"
        else:
            parts = [f"training {place.number} of {self._count}, {name}, {share:.0%}"]
            left, of = self.left(place, share), "in all" if self._in_all else "for training"
        if self._accuracy is not None:
            parts.append(f"accuracy {self._accuracy:.1f} %")
        if left is not None:
            parts.append(f"{spoken(left)} left {of}")
        return ", ".join(parts)

    def _rewrite(self, live: Live, text: str) -> None:
        line = Text(f"{self.title}: {text}", no_wrap=True, overflow="ellipsis")
        live.update(line, refresh=True)

    def _print(self, text: str) -> None:
        """A line in a log, unless there was one just before."""
        now = time.monotonic()
        if now - self._last < max(LINE_EVERY, SHARE * (now - self._began) * (LINE_EVERY > 0)):
            return
        self._last = now
        with suppress(OSError):  # whoever listens may be gone, or the disk of a log full
            print(f"[{self.title}] {text}", file=sys.stderr, flush=True)


class Stage:
    """One bar."""

    def __init__(
        self, progress: Progress, what: str, total: int, done: int, place: Place | None
    ) -> None:
        self._progress, self.what, self.total, self.place = progress, what, total, place
        self._from = self._done = done
        self._began = time.monotonic()
        self._shown = self._began

    def advances(self, every: float, show: Callable[[str], None]) -> Callable[[int], None]:
        """What counts steps, and shows them so often [s]."""
        if self.place is not None:  # the time of all trainings is counted from here on
            self._progress.left(self.place, self._done / max(self.total, 1))

        def advance(n: int) -> None:
            self._done += n
            now = time.monotonic()
            if now - self._shown >= every or self._done >= self.total:
                self._shown = now
                show(self._progress.sentence(self, self._done))

        return advance

    def left(self, done: int) -> float | None:
        """Time until it is over [s]; None: not known yet."""
        passed, made = time.monotonic() - self._began, done - self._from
        return None if passed < SOON or made <= 0 else passed / made * (self.total - done)


def clock(seconds: float) -> str:
    """A time as hours, minutes and seconds: 1:02:03, or 2:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def spoken(seconds: float) -> str:
    """About how long something takes, in words: 20 s, 4 min, 2 h 10 min."""
    if seconds < 90:
        return f"{max(1, round(seconds)) if seconds < 5 else 5 * round(seconds / 5)} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, rest = divmod(10 * round(minutes / 10), 60)
    return f"{hours} h {rest} min" if rest and hours < 10 else f"{hours} h"
