"""Damaged files of points: the same command makes what is lost again, and the results are the
same."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from builders.one_run_of_two import SMALL
from mho.data.stand_in import stand_ins
from mho.sweep.damage import begin_anew, of_result
from mho.sweep.driver import Standing, drive
from mho.sweep.engines import Ended
from mho.sweep.folder import PointFolder, SweepFolder
from mho.sweep.points import Point
from mho.sweep.process import INTERRUPTED
from mho.sweep.worker import work

POINT = Point("siamese", SMALL.replace(chips=1))
NAMES = ("result.json", "metrics.jsonl", "config.toml", "env.json")


class Here:
    """An engine that works in this process."""

    here = True

    def __init__(self) -> None:
        self.started: list[PointFolder] = []

    def room(self) -> int:
        return 1 - len(self.started)

    def found(self, folder: PointFolder) -> bool:
        return False

    def start(self, folder: PointFolder) -> None:
        self.started.append(folder)

    def ended(self, wait: float) -> list[Ended]:
        started, self.started = self.started, []
        return [Ended(folder, work(folder, 1)) for folder in started]

    def stop(self) -> list[Ended]:
        return [Ended(folder, INTERRUPTED) for folder in self.started]


def go_on(path: Path) -> Standing:
    """The command, once more."""
    with stand_ins():
        return drive(SweepFolder(path).add([POINT]), Here())


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sweep") / "S"
    assert len(go_on(path).done) == 1
    return path


@pytest.fixture
def sweep(whole: Path, tmp_path: Path) -> Path:
    return shutil.copytree(whole, tmp_path / "S")


def folder_of(sweep: Path) -> Path:
    return sweep / "points" / POINT.id


def kept(sweep: Path) -> dict[str, object]:
    """What is the same however often a point was broken off."""
    folder = folder_of(sweep)
    texts: dict[str, object] = {name: (folder / name).read_text() for name in NAMES[1:3]}
    result = json.loads((folder / "result.json").read_text())
    assert not of_result(folder)
    return texts | {"result": result | {"wall_s": 0}}


def cut(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])


def change(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 0x55
    file.write_bytes(content)


def empty(file: Path) -> None:
    file.write_bytes(b"")


def replace(file: Path) -> None:
    """A folder in its place cannot be read, by nobody."""
    file.unlink()
    file.mkdir()


Damage = Callable[[Path], None]


@pytest.mark.parametrize(
    ("damage", "name"),
    [
        (replace, "result.json"),
        *((damage, name) for damage in (cut, change, empty) for name in NAMES),
    ],
)
def test_a_point_that_was_done_is_made_again(
    sweep: Path, whole: Path, damage: Damage, name: str
) -> None:
    damage(folder_of(sweep) / name)
    assert len(go_on(sweep).done) == 1
    assert kept(sweep) == kept(whole)


@pytest.mark.parametrize("damage", [cut, change, empty, replace])
def test_a_point_without_a_whole_checkpoint_begins_anew(
    sweep: Path, whole: Path, damage: Damage
) -> None:
    folder = folder_of(sweep)
    (folder / "result.json").unlink()
    for name in ("checkpoint.pt", "checkpoint.previous.pt"):
        damage(folder / name)
    assert len(go_on(sweep).done) == 1
    assert kept(sweep) == kept(whole)


@pytest.mark.parametrize("damage", [cut, change, empty])
def test_failures_that_cannot_be_read_are_forgotten(sweep: Path, damage: Damage) -> None:
    (point,) = SweepFolder(sweep).points()
    (point.path / "result.json").unlink()
    for _ in range(3):
        point.failed("Traceback\nKeyError: 3")
    assert point.status == "parked"
    damage(point.path / "failures.json")
    if damage is change and point.failures:  # a letter of the text
        return
    assert point.status == "stopped"
    assert len(go_on(sweep).done) == 1


def test_what_is_whole_is_left_alone(sweep: Path, whole: Path) -> None:
    assert not begin_anew(folder_of(sweep), pytest.fail)
    before = {file: file.stat().st_mtime_ns for file in folder_of(sweep).iterdir()}
    assert len(go_on(sweep).done) == 1
    assert {file: file.stat().st_mtime_ns for file in folder_of(sweep).iterdir()} == before
    assert kept(sweep) == kept(whole)
