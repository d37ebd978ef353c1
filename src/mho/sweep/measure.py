"""What one point costs, measured before the sweep."""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mho import experiments
from mho.errors import Failed
from mho.sweep.folder import Beat, SweepFolder
from mho.sweep.points import Point
from mho.sweep.process import DONE, PATIENCE, Worker

LIMIT = 120.0
"""Seconds after which a point is stopped."""

POLL = 0.2
"""Seconds between two looks at it."""


@dataclass(frozen=True)
class Cost:
    """What a point took, or will take."""

    point: Point
    seconds: float
    """Until it was done, or was stopped [s]."""
    memory: int
    """Largest memory of its process until then [bytes]."""
    whole: float | None
    """Time of all of it [s], extrapolated if it was stopped; None: it was too early to tell."""
    beat: Beat | None
    """Where it stood when it was stopped; None: it was done."""


def extrapolated(seconds: float, began: float, beat: Beat, trainings: int) -> float | None:
    """About how long the whole of a point takes [s], by what it has done so far; None: nothing.

    What is left of its stage goes on at the rate of that stage, and each training that is still to
    come takes as long as all so far did, divided by the trainings so far. What comes after the last
    training counts once it has begun.

    Args:
        seconds: that it has had [s].
        began: when its first stage began, by the clock of the beat [s].
        beat: how far it is.
        trainings: that it makes in all [1].
    """
    took, made = beat.at - beat.since, beat.done - beat.start
    if took <= 0 or made <= 0:
        return None
    left = (beat.total - beat.done) * took / made
    passed = beat.trained + (beat.done / beat.total if beat.trains else 0.0)
    ahead = max(0, trainings - beat.trained - beat.trains)
    if ahead:
        if not passed:
            return None
        left += ahead * (beat.at - began) / passed
    return seconds + left


def largest(points: Sequence[Point]) -> Point:
    """The point that needs most memory, by the settings; the first of several."""

    def size(point: Point) -> int:
        return max(experiments.get(point.experiment).memory(point.config).values())

    return max(points, key=size)


def measure(
    point: Point,
    *,
    threads: int = 1,
    limit: float | None = None,
    shown: Callable[[Beat], None] = lambda _beat: None,
) -> Cost:
    """Work on a point in a folder that is thrown away, until it is done or the time is over.

    Args:
        point: is worked on.
        threads: of torch [1].
        limit: time that it has [s]; None: `LIMIT`.
        shown: called with each sign of life.

    Raises:
        RuntimeError: the point fails.
    """
    limit = LIMIT if limit is None else limit
    with tempfile.TemporaryDirectory(prefix="mho-") as folder:
        (work,) = SweepFolder(Path(folder)).add([point])
        begin, beat, began = time.monotonic(), None, 0.0
        worker = Worker(work.path, threads)
        try:
            while not worker.ended:
                if (now := work.beat) is not None:
                    beat, began = now, began or now.since
                    shown(now)
                if time.monotonic() - begin > limit:
                    worker.ask_to_stop()
                    worker.await_end(PATIENCE)
                time.sleep(POLL)
        finally:
            worker.await_end(0.0)
            status, said = worker.outcome()
        seconds, done = time.monotonic() - begin, status == DONE
        if not done and seconds < limit:
            last = (said or "nothing").splitlines()[-1]
            raise Failed(f"the point that was measured failed; it said: {last}")
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        memory *= 1 if sys.platform == "darwin" else 1024
        if done:
            return Cost(point, seconds, memory, seconds, None)
        count = len(experiments.get(point.experiment).trainings(point.config))
        whole = None if beat is None else extrapolated(seconds, began, beat, count)
        return Cost(point, seconds, memory, whole, beat)
