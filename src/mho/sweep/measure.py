"""What one point costs, measured before the sweep."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from mho import experiments
from mho.errors import Failed
from mho.sweep.engines.engine import DONE
from mho.sweep.engines.local import command
from mho.sweep.folder import Beat, SweepFolder
from mho.sweep.points import Point

LIMIT = 120.0
"""Seconds after which a point is stopped."""

POLL = 0.2
"""Seconds between two looks at it."""


@dataclass(frozen=True)
class Cost:
    """What a point took."""

    point: Point
    seconds: float
    memory: int
    """Largest memory of its process [bytes]."""
    beat: Beat | None
    """Where it stood when it was stopped; None: it was done."""


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
    with tempfile.TemporaryDirectory(prefix="mho-") as folder, tempfile.TemporaryFile() as said:
        (work,) = SweepFolder(Path(folder)).add([point])
        begin, beat = time.monotonic(), None
        process = subprocess.Popen(
            command(work, threads), stdin=subprocess.PIPE, stdout=said, stderr=said,
            env=os.environ | {"OMP_NUM_THREADS": str(threads)}, start_new_session=True,
        )  # fmt: skip
        try:
            while process.poll() is None:
                if (now := work.beat) is not None:
                    beat = now
                    shown(now)
                if time.monotonic() - begin > limit:
                    process.send_signal(signal.SIGTERM)
                    process.wait()
                time.sleep(POLL)
        finally:
            process.kill()
            process.communicate()
        seconds, done = time.monotonic() - begin, process.returncode == DONE
        if not done and seconds < limit:
            said.seek(0)
            text = said.read().decode("utf-8", "replace").strip() or "nothing"
            raise Failed(f"the point that was measured failed; it said: {text.splitlines()[-1]}")
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        scale = 1 if sys.platform == "darwin" else 1024
        return Cost(point, seconds, memory * scale, None if done else beat)
