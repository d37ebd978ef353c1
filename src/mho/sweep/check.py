"""Refusing the settings of a sweep before its first point starts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress

from mho import experiments
from mho.errors import InvalidInput
from mho.experiments.memory import check_memory
from mho.experiments.own_data import check_data, own_digests
from mho.experiments.provenance import check_same_data
from mho.results import Result
from mho.sweep.folder import SweepFolder
from mho.sweep.points import Point, varied


def check(points: Sequence[Point], sweep: SweepFolder, *, here: bool = True) -> list[Result]:
    """Refuse points that cannot work.

    Memory, data and what the settings alone tell are looked at for all points that are not in the
    folder yet. A run in small, which takes seconds, is made of so many of them that every value of
    every setting is in one. Data and code of the user's own that points use must be as they were
    for the points in the folder.

    Args:
        points: of the sweep.
        sweep: its folder.
        here: points are worked on by this machine, whose memory and devices are to do.

    Returns:
        Results of the runs in small, whose numbers mean nothing.

    Raises:
        ValueError: a point cannot work; the message names it.
    """
    new = [point for point in points if not sweep.of(point).has(point)]
    keys = varied(points)
    for point in new:
        with _naming(point, keys):
            experiment = experiments.get(point.experiment)
            if here:
                check_memory(experiment.memory(point.config), point.config.torch_device())
            experiment.refuse(point.config)
            check_data(point.config)
    _check_own(points, sweep)
    found = []
    for point in covering(new):
        with _naming(point, keys):
            found.append(experiments.get(point.experiment).check(point.config))
    return [each for each in found if isinstance(each, Result)]


def _check_own(points: Iterable[Point], sweep: SweepFolder) -> None:
    """Refuse what is the user's own and has changed since a point of the folder was made."""
    now: dict[str, str] = {}
    for point in points:
        with suppress(InvalidInput, OSError):  # gone, and needed for no new point
            now |= own_digests(point.config.datasets, point.settings)
    if now and sweep.exists:
        for folder in sweep.points():
            check_same_data(folder.path, now)


def covering(points: Iterable[Point]) -> list[Point]:
    """Some of the points, with every value of every setting but the seed in at least one."""
    seen: set[tuple[str, str]] = set()
    chosen = []
    for point in points:
        own = {(key, repr(value)) for key, value in point.settings.items() if key != "seed"}
        if not own <= seen:
            seen |= own
            chosen.append(point)
    return chosen


@contextmanager
def _naming(point: Point, keys: Iterable[str]) -> Iterator[None]:
    """Have errors name the point, by the settings that vary."""
    try:
        yield
    except InvalidInput as error:
        own = ", ".join(f"{key} = {point.settings.get(key)}" for key in keys) or point.id
        raise InvalidInput(f"point {own}: {error}") from error
