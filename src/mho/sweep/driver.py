"""Going through the points of a sweep: which is started when, and what becomes of one that fails.

The driver keeps nothing. What it knows it reads from the folders, so that another one, later or on
another machine, goes on where it ended.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from mho.sweep.engines.engine import Ended, Engine
from mho.sweep.folder import TRIES, PointFolder
from mho.sweep.process import DONE, FAILED, INTERRUPTED, STORAGE, TAKEN
from mho.sweep.sharing import Order

LOOK_EVERY = 1.0
"""Seconds between two looks at what has ended."""

ELSEWHERE_EVERY = 10.0
"""Seconds between two tries at a point that another process works on."""


@dataclass
class Standing:
    """How a sweep stands."""

    waiting: deque[PointFolder] = field(default_factory=deque)
    running: list[PointFolder] = field(default_factory=list)
    elsewhere: list[PointFolder] = field(default_factory=list)
    """Worked on by processes that this driver did not start."""
    done: list[PointFolder] = field(default_factory=list)
    parked: list[PointFolder] = field(default_factory=list)


def drive(
    points: Iterable[PointFolder],
    engine: Engine,
    more: Callable[[Standing], Iterable[PointFolder]] = lambda _standing: (),
    shown: Callable[[Standing], None] = lambda _standing: None,
    told: Callable[[str], None] = lambda _note: None,
) -> Standing:
    """Have all points worked on until each is done or parked.

    Args:
        points: of the sweep.
        engine: works on them.
        more: asked for further points while there is room for one; none: that is all, as long as
            nothing has ended since.
        shown: called about every second.
        told: takes notes on what went wrong.

    Returns:
        How it stands at the end: all points are `done` or `parked`.

    Raises:
        OSError: the disk is full or cannot be written; points that were running have stopped.
        KeyboardInterrupt: so have they then.
    """
    standing, order = Standing(), Order()
    for point in points:
        _file(point, standing, engine)
    looked = time.monotonic()
    try:
        while _more(standing, engine, more) or standing.running or standing.elsewhere:
            while (
                engine.room() > 0
                and _more(standing, engine, more)
                and (point := order.next(standing.waiting, standing.running))
            ):
                standing.waiting.remove(point)
                engine.start(point)
                standing.running.append(point)
            shown(standing)
            for ended in engine.ended(LOOK_EVERY):
                standing.running.remove(ended.folder)
                _after(ended, standing, told)
            if not standing.running and not standing.waiting:
                time.sleep(LOOK_EVERY)
            if time.monotonic() - looked > ELSEWHERE_EVERY:
                looked = time.monotonic()
                again, standing.elsewhere = standing.elsewhere, []
                for point in again:
                    _file(point, standing, engine)
    finally:
        for ended in engine.stop():
            if ended.folder in standing.running:
                standing.running.remove(ended.folder)
    shown(standing)
    return standing


def _more(
    standing: Standing, engine: Engine, more: Callable[[Standing], Iterable[PointFolder]]
) -> bool:
    """Whether a point waits; if none does and there is room, more are asked for."""
    while not standing.waiting and engine.room() > 0:
        if not (further := list(more(standing))):
            break
        for point in further:  # some may be done
            _file(point, standing, engine)
    return bool(standing.waiting)


def _file(point: PointFolder, standing: Standing, engine: Engine) -> None:
    """Put a point where it belongs."""
    status = point.status
    if status == "done" and point.whole:
        standing.done.append(point)
    elif engine.found(point):
        standing.running.append(point)
    elif status == "parked":
        standing.parked.append(point)
    elif status == "running":
        standing.elsewhere.append(point)
    else:
        standing.waiting.append(point)


def _after(ended: Ended, standing: Standing, told: Callable[[str], None]) -> None:
    """What comes after the end of a worker."""
    point, name = ended.folder, ended.folder.path.name
    if ended.status == DONE or point.whole:  # a shared file system may show the result later
        standing.done.append(point)
    elif ended.status == TAKEN:
        standing.elsewhere.append(point)
    elif ended.status == INTERRUPTED:
        standing.waiting.append(point)
    elif ended.status == STORAGE:
        last = ended.said.splitlines()[-1:] or ["the folder cannot be written"]
        raise OSError(f"{last[0]}; points stopped with checkpoints, the same command goes on")
    else:
        if ended.status != FAILED:  # it could not write so itself
            said = f"{ended.said}\nthe process ended with status {ended.status}"
            point.failed(said.strip(), died=True)
        count = len(point.failures)
        last = point.failures[-1].said.splitlines()[-1]
        if count >= TRIES:
            told(f"{name} parked after {count} failures: {last}")
            standing.parked.append(point)
        else:
            told(f"{name} failed, try {count} of {TRIES}: {last}")
            standing.waiting.append(point)
