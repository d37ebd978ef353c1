"""The folder of a sweep, which is all that there is of it.

    S/points/ID/            a run folder, as `mho run` makes them; its config.toml from the first
        progress.json       how far it is, written while it runs; see `Beat`
        failures.json       what went wrong so far; see `Failure`
        job.json            its job in the queue of Slurm; see `engines.slurm`
    S/trained/ID/           a training that points share; see `mho.experiments.sharing`
    S/search.json           what it was last searched for; see `objectives`

Everything else in S is made from these and can be deleted.
"""

from __future__ import annotations

import os
import socket
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from mho.errors import InvalidInput, invalid
from mho.files import is_alive, naming, read_json, read_text, write_json, write_text
from mho.sweep.damage import of_result
from mho.sweep.points import Point

POINTS, TRAINED = "points", "trained"

TRIES = 3
"""Failures after which a point is parked."""

ALIVE = 60.0
"""Seconds after its last sign of life in which a point counts as running."""

Status = Literal["waiting", "running", "stopped", "failed", "parked", "done"]
"""waiting: not begun; stopped: begun and interrupted; failed: to be tried again."""


@dataclass(frozen=True)
class Failure:
    """One try at a point that went wrong."""

    at: float
    """Seconds since 1970."""
    host: str
    said: str
    """The traceback, or how the process ended."""
    stood: int = 0
    """When the checkpoint was written that the try left [ns since 1970]; 0: there was none."""


@dataclass(frozen=True)
class Beat:
    """A sign of life of the process that works on a point."""

    host: str
    pid: int
    at: float
    """Seconds since 1970, by the clock of that host."""
    stage: str = ""
    done: int = 0
    total: int = 0
    since: float = 0.0
    """When the stage began, by the same clock; 0: it did not say."""
    start: int = 0
    """Steps that were done then."""
    trains: bool = False
    """Whether the stage is a training."""
    trained: int = 0
    """Trainings that this process has made [1]."""


def status_of(done: bool, running: bool, failures: Sequence[Failure], begun: bool) -> Status:
    """How a point stands, by what is in its folder."""
    if done:
        return "done"
    if running:
        return "running"
    if len(failures) >= TRIES:
        return "parked"
    if failures:
        return "failed"
    return "stopped" if begun else "waiting"


class PointFolder:
    """The folder of one point.

    Args:
        path: of it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def point(self) -> Point:
        """What is to be done there.

        Raises:
            ValueError: `config.toml` is missing or no configuration.
        """
        return Point.of_toml(self.toml, str(self.path / "config.toml"))

    @cached_property
    def toml(self) -> str:
        """Its settings, as the file has them.

        Raises:
            ValueError: `config.toml` is missing or cannot be read.
        """
        return read_text(self.path / "config.toml", wanted="a readable TOML file")

    def has(self, point: Point) -> bool:
        """Whether its file has the settings of a point."""
        try:
            return self.point.id == point.id
        except InvalidInput:  # not there, or damaged
            return False

    @property
    def trained(self) -> Path | None:
        """Folder of the trainings that it shares with other points; None: it is in no sweep."""
        points = self.path.absolute().parent
        return points.parent / TRAINED if points.name == POINTS else None

    @property
    def done(self) -> bool:
        """Whether its result is there."""
        return (self.path / "result.json").exists()

    @property
    def whole(self) -> bool:
        """Whether its result is there, and it and what was written with it are not damaged."""
        return self.done and not of_result(self.path)

    @property
    def status(self) -> Status:
        """How it stands."""
        if self.done:
            return "done"
        begun = (self.path / "checkpoint.pt").exists()
        return status_of(False, self.running, self.failures, begun)

    @property
    def running(self) -> bool:
        """Whether a process works on it: one that said so within `ALIVE` seconds, by the clock of
        the file system, and that is there if it is of this machine."""
        beat = self.beat
        if beat is None:
            return False
        if beat.host == socket.gethostname() and not is_alive(beat.pid):
            return False
        try:
            said = (self.path / "progress.json").stat().st_mtime
        except OSError:  # it has just ended
            return False
        try:
            with tempfile.TemporaryFile(dir=self.path) as now:
                return abs(os.fstat(now.fileno()).st_mtime - said) < ALIVE  # or a clock set back
        except OSError:  # the folder cannot be written to
            return abs(time.time() - said) < ALIVE

    @property
    def beat(self) -> Beat | None:
        """Last sign of life; None: there is none, or it ended its work."""
        try:
            return Beat(**read_json(self.path / "progress.json"))
        except (InvalidInput, TypeError):  # not there, or damaged: no sign of life
            return None

    @property
    def failures(self) -> list[Failure]:
        """What went wrong, and was not forgiven; nothing where that cannot be read any more."""
        try:
            return [Failure(**each) for each in read_json(self.path / "failures.json")["failures"]]
        except (InvalidInput, KeyError, TypeError):  # not there, or damaged: it is tried again
            return []

    def failed(self, said: str, *, died: bool = False) -> None:
        """Add a failure.

        Args:
            said: the traceback, or how the process ended.
            died: it could say nothing itself. Such failures add up only as long as the point does
                not get on in between: a process may be killed for what others do.
        """
        try:
            stood = (self.path / "checkpoint.pt").stat().st_mtime_ns
        except FileNotFoundError:
            stood = 0
        failure = Failure(time.time(), socket.gethostname(), said, stood)
        known = self.failures
        if died and known and known[-1].stood != stood:
            known = []
        every = [asdict(each) for each in (*known, failure)]
        write_json(self.path / "failures.json", {"failures": every})

    def forgive(self) -> None:
        """Forget what went wrong, so that it is tried again."""
        with naming(self.path):
            (self.path / "failures.json").unlink(missing_ok=True)


class SweepFolder:
    """The folder of a sweep.

    Args:
        path: of it; need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def trained(self) -> Path:
        """Folder of the trainings that points share."""
        return self.path / TRAINED

    @property
    def exists(self) -> bool:
        """Whether there is a sweep in the folder."""
        try:
            return (self.path / POINTS).is_dir()
        except OSError:  # no name of a folder, or none that can be looked into
            return False

    def check_exists(self) -> None:
        """Refuse what is no folder of a sweep.

        Raises:
            ValueError: there is none.
        """
        if not self.exists:
            raise invalid("sweep", str(self.path), f"the folder of a sweep, with {POINTS} in it")

    def points(self) -> list[PointFolder]:
        """All points, by name.

        Raises:
            ValueError: it is no folder of a sweep.
        """
        self.check_exists()
        inside = sorted((self.path / POINTS).iterdir())
        return [PointFolder(each) for each in inside if (each / "config.toml").exists()]

    def of(self, point: Point) -> PointFolder:
        """The folder of a point, which need not be there; one that the version before has made
        keeps its name."""
        folder = PointFolder(self.path / POINTS / point.id)
        before = PointFolder(self.path / POINTS / point.id_before)
        return before if not folder.path.exists() and before.has(point) else folder

    def add(self, points: Iterable[Point]) -> list[PointFolder]:
        """The folders of some points, each with its settings; those that are not there yet are
        made.

        Raises:
            OSError: one cannot be made.
        """
        found = []
        for point in points:
            folder = self.of(point)
            if not folder.has(point):  # new, or its file is damaged
                with naming(folder.path):
                    folder.path.mkdir(parents=True, exist_ok=True)
                write_text(folder.path / "config.toml", point.config.to_toml(), to_disk=False)
                folder = self.of(point)
            found.append(folder)
        return found
