"""A sweep from its plan to its results: the driver with engines that fail, and the command."""

import os
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from builders.own_data import npz
from mho.cli import main
from mho.errors import InvalidInput
from mho.experiments.own_data import check_data
from mho.experiments.provenance import record
from mho.files import write_json
from mho.sweep import plan
from mho.sweep.check import _check_own, check
from mho.sweep.driver import drive
from mho.sweep.engines import Ended
from mho.sweep.folder import TRIES, Beat, PointFolder, SweepFolder
from mho.sweep.process import DONE, FAILED, INTERRUPTED, STORAGE, TAKEN

SMALL = (
    "--set", "epochs=1", "--set", "per_class=10", "--set", "studies=[]", "--set",
    'networks=["mlp"]', "--set",
    'claimed=["float", "falling threshold", "on level change", "large threshold"]',
)  # fmt: skip


class Pretended:
    """An engine whose workers end as a function says."""

    def __init__(self, work: Callable[[PointFolder], tuple[int, str]], most: int = 2) -> None:
        self.work, self.most = work, most
        self.running: list[PointFolder] = []
        self.stopped = False

    here = True

    def room(self) -> int:
        return self.most - len(self.running)

    def found(self, folder: PointFolder) -> bool:
        return False

    def start(self, folder: PointFolder) -> None:
        self.running.append(folder)

    def ended(self, wait: float) -> list[Ended]:
        running, self.running = self.running, []
        return [Ended(folder, *self.work(folder)) for folder in running]

    def stop(self) -> list[Ended]:
        self.stopped = True
        running, self.running = self.running, []
        return [Ended(folder, INTERRUPTED) for folder in running]


def folders(path: Path, seeds: int = 3) -> list[PointFolder]:
    return SweepFolder(path).add(plan.make("siamese", seeds=seeds).points())


def finish(folder: PointFolder) -> tuple[int, str]:
    (folder.path / "result.json").write_text("{}")
    return DONE, ""


def test_a_point_that_fails_three_times_is_parked_and_the_rest_goes_on(tmp_path: Path) -> None:
    points = folders(tmp_path)
    bad, told = points[1], []

    def work(folder: PointFolder) -> tuple[int, str]:
        if folder.path != bad.path:
            return finish(folder)
        folder.failed("Traceback ...\nKeyError: 3")
        return FAILED, ""

    standing = drive(points, Pretended(work), told=told.append)
    assert [point.path for point in standing.parked] == [bad.path]
    assert len(standing.done) == 2
    assert len(bad.failures) == TRIES == len(told)
    assert bad.status == "parked"
    assert "KeyError: 3" in told[-1]
    bad.forgive()
    assert bad.status == "waiting"
    assert len(drive([bad], Pretended(finish)).done) == 1


def test_a_process_that_dies_counts_only_while_the_point_does_not_get_on(tmp_path: Path) -> None:
    (point,) = folders(tmp_path, seeds=1)
    deaths = 0

    def killed(folder: PointFolder) -> tuple[int, str]:
        nonlocal deaths
        deaths += 1
        if deaths <= 5:
            (folder.path / "checkpoint.pt").write_text(f"{deaths}")
        return (-9, "") if deaths < 7 else finish(folder)

    assert len(drive([point], Pretended(killed)).done) == 1

    point = folders(tmp_path / "other", seeds=1)[0]
    assert len(drive([point], Pretended(lambda _folder: (-9, ""))).parked) == 1
    assert "status -9" in point.failures[0].said


def test_a_disk_that_is_full_stops_the_sweep_and_parks_nothing(tmp_path: Path) -> None:
    points = folders(tmp_path)
    engine = Pretended(lambda folder: (STORAGE, f"{folder.path}: No space left on device"))
    with pytest.raises(OSError, match="No space left"):
        drive(points, engine)
    assert engine.stopped
    assert all(not point.failures for point in points)


def test_what_another_process_works_on_is_left_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mho.sweep.driver.LOOK_EVERY", 0.0)
    monkeypatch.setattr("mho.sweep.driver.ELSEWHERE_EVERY", 0.0)
    points, tries = folders(tmp_path), 0

    def work(folder: PointFolder) -> tuple[int, str]:
        nonlocal tries
        if folder.path == points[0].path:
            tries += 1
            return (TAKEN, "") if tries < 4 else finish(folder)
        return finish(folder)

    assert len(drive(points, Pretended(work)).done) == 3
    assert tries == 4
    assert not points[0].failures


def test_memory_and_devices_of_this_machine_count_where_it_does_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mho.sweep.check.covering", lambda _points: [])
    points = plan.make("siamese", single=[("processor", "cuda:77")]).points()
    with pytest.raises(InvalidInput, match="processor"):
        check(points, SweepFolder(tmp_path))
    check(points, SweepFolder(tmp_path), here=False)


def test_a_result_that_a_shared_file_system_shows_later_counts(tmp_path: Path) -> None:
    points = folders(tmp_path)
    assert len(drive(points, Pretended(lambda _folder: (DONE, ""))).done) == 3
    assert not points[0].failures


def test_what_an_earlier_driver_left_in_a_queue_is_waited_for_not_started(tmp_path: Path) -> None:
    points = folders(tmp_path)
    left, started = points[:2], []

    class Outliving(Pretended):
        def found(self, folder: PointFolder) -> bool:
            if folder in left and folder not in self.running:
                self.running.append(folder)
            return folder in left

        def start(self, folder: PointFolder) -> None:
            started.append(folder)
            super().start(folder)

    assert len(drive(points, Outliving(finish)).done) == 3
    assert started == points[2:]


def test_the_command_goes_on_and_a_wider_plan_repeats_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep = tmp_path / "s"
    command = ["sweep", "siamese", *SMALL, "--out", str(sweep)]
    assert main([*command, "--grid", "writes.fixed_threshold=0.6"]) == 0
    assert "1 of 1 points done" in capsys.readouterr().out
    (first,) = SweepFolder(sweep).points()
    before = {file.name: file.stat().st_mtime_ns for file in first.path.iterdir()}
    assert main([*command, "--grid", "writes.fixed_threshold=0.6,0.7"]) == 0
    assert len(SweepFolder(sweep).points()) == 2
    assert {file.name: file.stat().st_mtime_ns for file in first.path.iterdir()} == before
    assert main(["sweep", str(sweep)]) == 0
    assert "2 points: 2 done" in capsys.readouterr().out
    assert (sweep / "table.csv").read_text().count("\n") == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["siames"], "did you mean 'siamese'"),
        (["siamese", "--grid", "epochs=0"], "epochs"),
        (["siamese", "--grid", "per_class=10,100000"], "per_class = 100000"),
        (["siamese", "--engine", "lokal"], "did you mean 'local'"),
        (["siamese", "--engine-set", "processes=0"], "processes"),
        (["siamese", "--grid", "epochs=1", "--grid", "epochs=2"], "--grid has epochs twice"),
        (["siamese", "--zip", "epochs=1;epochs=2"], "--zip has epochs twice"),
        (["siamese", "--grid", "preset=quick,paper"], "--preset paper"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert main(["sweep", *arguments, "--out", str(tmp_path / "s")]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("what", ["plan.toml", "sweep"])
@pytest.mark.parametrize(
    "option", ["--grid=epochs=1", "--zip=epochs=1", "--seeds=2", "--preset=paper", "--set=epochs=1"]
)
def test_options_that_would_have_no_effect_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    what: str, option: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    folders(tmp_path / "sweep")
    Path("plan.toml").write_text("experiment = 'siamese'")
    assert main(["sweep", what, option]) == 2
    assert f"{option.partition('=')[0]} = " in capsys.readouterr().err


def test_what_changed_since_points_were_made_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Data and code of the user's own: else results of before would be told as those of now."""
    monkeypatch.chdir(tmp_path)
    npz(tmp_path / "own.npz", (6,), 3, each=40)
    single = [("data", "own.npz"), ("networks", ["mlp"]), ("studies", []), ("chips", 1)]
    sweep = SweepFolder(tmp_path / "s")
    (first,) = sweep.add(plan.make("siamese", single=single).points())
    record(first.path, {"data": check_data(first.point.config)})
    finish(first)
    wider = plan.make("siamese", single=single, seeds=[1]).points()
    _check_own(wider, sweep)
    npz(tmp_path / "own.npz", (6,), 3, each=41)
    for points in ([first.point], wider):
        with pytest.raises(ValueError, match=r"SHA-256 of '.*own\.npz' = .* changed since"):
            check(points, sweep)
    (tmp_path / "own.npz").unlink()
    assert check([first.point], sweep) == []


def test_a_sign_of_life_from_the_future_is_none(tmp_path: Path) -> None:
    """A clock that is set back would else have a point wait that nobody works on."""
    (point, *_) = folders(tmp_path)
    beat = Beat("another machine", 1, time.time())
    write_json(point.path / "progress.json", asdict(beat))
    assert point.status == "running"
    for apart in (-3600, 3600):
        then = time.time() + apart
        os.utime(point.path / "progress.json", (then, then))
        assert point.status == "waiting"
