"""Trainings that points of a sweep have in common: which they are, and which point goes first.

A training that several unfinished points need is made once: `share` makes its folder, in which the
point that needs it first keeps it for the others; see `mho.experiments.sharing`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from mho import experiments
from mho.errors import InvalidInput
from mho.experiments.settings import nested
from mho.experiments.sharing import finished
from mho.experiments.sharing import share as make_folders
from mho.experiments.trainings import Training
from mho.sweep.folder import PointFolder, SweepFolder
from mho.sweep.points import Point, varied

LOOKED_AT = 1000
"""Waiting points, at most, among which one is looked for that need not wait."""


@dataclass(frozen=True)
class Shared:
    """The trainings of some points.

    Args:
        points: those that need a training, by its `Training.id`.
        trainings: each of them, by id.
        count: trainings that the points would make if none were shared.
        after: settings that vary and play no part in any training.
    """

    points: Mapping[str, Sequence[Point]]
    trainings: Mapping[str, Training]
    count: int
    after: Sequence[str] = field(default=())

    def __str__(self) -> str:
        every = {point.id: point for points in self.points.values() for point in points}
        text = f"{len(every)} points need {self.count} trainings"
        if self.count > len(self.points):
            text += f" and share them: {len(self.points)} are made"
        if self.after:
            text += f"; {', '.join(self.after)}: only after training"
        return text


def shared(points: Sequence[Point]) -> Shared:
    """Which trainings points have in common.

    A setting counts as one that comes after training if the first point's trainings stay the same
    whichever value it takes of those that the points have.
    """
    found: dict[str, list[Point]] = {}
    trainings: dict[str, Training] = {}
    count = 0
    for point in points:
        own = _trainings(point)
        count += len(own)
        trainings |= own
        for id in own:
            found.setdefault(id, []).append(point)
    after = [key for key in varied(points) if found and _after(key, points)]
    return Shared(found, trainings, count, after)


def share(sweep: SweepFolder, folders: Iterable[PointFolder]) -> None:
    """Have points of a sweep share what two or more of the unfinished ones need.

    Raises:
        OSError: a folder cannot be made.
    """
    common = shared([folder.point for folder in folders if not folder.done])
    several = [common.trainings[id] for id, points in common.points.items() if len(points) > 1]
    make_folders(sweep.trained, several)


class Order:
    """Which point is started next: none that would wait for a training which another one makes, as
    long as there are others, and none at all if there are not.

    What a point needs next is the first of its trainings that is shared and not finished.
    """

    def __init__(self) -> None:
        self._left: dict[str, list[str]] = {}

    def next(
        self, waiting: Sequence[PointFolder], running: Iterable[PointFolder]
    ) -> PointFolder | None:
        """The point to start; None: all wait for a training that is made."""
        made = {needed for folder in running if (needed := self._needed(folder)) is not None}
        for folder, _ in zip(waiting, range(LOOKED_AT), strict=False):
            if not made or self._needed(folder) not in made:
                return folder
        return None

    def _needed(self, folder: PointFolder) -> str | None:
        if folder.trained is None:
            return None
        name = folder.path.name
        if name not in self._left:
            ids = _trainings(folder.point)
            self._left[name] = [id for id in ids if (folder.trained / id).is_dir()]
        left = self._left[name]
        while left and finished(folder.trained / left[0]):
            del left[0]
        return left[0] if left else None


def _trainings(point: Point) -> dict[str, Training]:
    """The trainings of a point by id, in their order."""
    own = experiments.get(point.experiment).trainings(point.config)
    return {training.id: training for training in own}


def _after(key: str, points: Sequence[Point]) -> bool:
    first = points[0]
    own, values = _trainings(first).keys(), {}
    for point in points:
        value = point.settings.get(key)
        values.setdefault(repr(value), value)
    for value in values.values():
        try:
            config = first.config.merged(nested(key, value))
        except InvalidInput:  # not with the first point's other settings
            return False
        if _trainings(Point(first.experiment, config)).keys() != own:
            return False
    return True
