"""Points that differ only after training share it: the plan says so, and results are the same."""

import json
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from mho.data.stand_in import stand_ins
from mho.experiments import sharing as shared_run
from mho.experiments.execution import execute
from mho.experiments.run import Run
from mho.sweep import plan
from mho.sweep.driver import drive
from mho.sweep.engines.engine import Ended
from mho.sweep.folder import PointFolder, SweepFolder
from mho.sweep.points import Point
from mho.sweep.process import DONE, INTERRUPTED
from mho.sweep.sharing import Order, share, shared

BITS = {"converter_bits": [4, 6, 8]}


def points(grid: dict[str, list[Any]], experiment: str = "bmcnn", seeds: int = 1) -> list[Point]:
    return plan.make(experiment, grid=grid, seeds=seeds).points()


@pytest.mark.parametrize(
    ("experiment", "grid", "count", "made", "after"),
    [
        ("bmcnn", BITS, 12, 4, ["converter_bits"]),
        ("bmcnn", {"chips": [1, 2], "calibration": [50, 60]}, 16, 4, ["chips", "calibration"]),
        ("bmcnn", {"epochs": [1, 2]}, 8, 8, []),
        ("bmcnn", {"cells.r_on": [1e4, 2e4]}, 8, 6, []),
        ("siamese", {"hardware.adc_bits": [4, 6, 8]}, 162, 150, []),
        ("siamese", {"writes.fixed_threshold": [0.6, 0.7]}, 108, 56, []),
        ("wires", {"predistortion.rounds": [1, 2, 3]}, 72, 24, ["predistortion.rounds"]),
        ("sensitivity", {"mitigation": ["gain", "layer"], "seconds": [60.0, 90.0]}, 16, 4,
         ["seconds", "mitigation"]),
    ],
)  # fmt: skip
def test_the_plan_says_what_is_shared_and_what_comes_after(
    experiment: str, grid: dict[str, list[Any]], count: int, made: int, after: list[str]
) -> None:
    found = shared(points(grid, experiment, seeds=2))
    assert (found.count, len(found.points), found.after) == (count, made, after)
    assert set(found.trainings) == set(found.points)
    text = str(found)
    assert f"need {count} trainings" in text
    assert (f"{made} are made" in text) == (made < count)


def test_only_what_two_unfinished_points_need_is_kept(tmp_path: Path) -> None:
    sweep = SweepFolder(tmp_path)
    folders = sweep.add(points({"epochs": [1, 2]}))
    share(sweep, folders)
    assert not sweep.trained.exists()
    folders = sweep.add(points(BITS))
    (folders[0].path / "result.json").write_text("{}")
    share(sweep, folders[:2])
    assert not sweep.trained.exists()
    share(sweep, folders)
    assert len(list(sweep.trained.iterdir())) == 2
    assert all((each / "config.toml").exists() for each in sweep.trained.iterdir())


class Watched:
    """An engine with room for all; a point, when it ends, has trained what was left to train."""

    def __init__(self) -> None:
        self.running: list[PointFolder] = []
        self.batches: list[list[str]] = []

    here = True

    def room(self) -> int:
        return 100

    def found(self, folder: PointFolder) -> bool:
        return False

    def start(self, folder: PointFolder) -> None:
        self.running.append(folder)

    def ended(self, wait: float) -> list[Ended]:
        running, self.running = self.running, []
        self.batches.append([folder.path.name for folder in running])
        for folder in running:
            (folder.path / "result.json").write_text("{}")
            for training in shared([folder.point]).trainings:
                assert folder.trained is not None
                if (folder.trained / training).is_dir():
                    (folder.trained / training / "SHA256SUMS").write_text("")
        return [Ended(folder, DONE) for folder in running]

    def stop(self) -> list[Ended]:
        return [Ended(folder, INTERRUPTED) for folder in self.running]


def test_one_point_of_each_training_goes_first_and_the_others_follow(tmp_path: Path) -> None:
    sweep, engine = SweepFolder(tmp_path), Watched()
    folders = sweep.add(points(BITS | {"chips": [1, 2]}, seeds=2))
    share(sweep, folders)
    assert len(drive(folders, engine).done) == 12
    assert [len(batch) for batch in engine.batches] == [2, 10]


def test_a_point_whose_trainings_nobody_makes_does_not_wait(tmp_path: Path) -> None:
    sweep, order = SweepFolder(tmp_path), Order()
    folders = sweep.add(points(BITS))
    share(sweep, folders)
    first, second, third = folders
    assert order.next([first, second], []) is first
    assert order.next([second, third], [first]) is None
    (other,) = sweep.add(points({"epochs": [1]}))
    assert order.next([second, third, other], [first]) is other


SMALL: dict[str, dict[str, Any]] = {
    "bmcnn": {"studies": (), "further": (), "mitigations": ("none", "batch norm"),
              "spread": {"compared": (0.5,), "claimed": (0.5,)}},
    "siamese": {"studies": (), "networks": ("mlp",), "schemes": ("float", "fixed threshold"),
                "claimed": ("float", "falling threshold", "on level change",
                            "large threshold")},
    "metaplastic": {"studies": (), "schemes": ("no protection",)},
    "wires": {"systems": ("bmcnn", "siamese"), "resistances": (2.0,), "tiles": (128,),
              "refreshes": (1, 5)},
    "sensitivity": {"systems": ("bmcnn",), "samples": 4, "steps": (1.0,)},
}  # fmt: skip
"""Of an experiment as quick as can be, with trainings of all its kinds."""

AFTER: list[tuple[str, dict[str, Any]]] = [
    ("bmcnn", {"converter_bits": 4}),
    ("bmcnn", {"chips": 1, "cells": {"r_on": 2e4}}),
    ("siamese", {"writes": {"fixed_threshold": 0.6}}),
    ("metaplastic", {"prices": "neurosim-rram"}),
    ("wires", {"predistortion": {"rounds": 1}, "chips": 1, "cov": 0.2}),
    ("sensitivity", {"mitigation": "gain", "seconds": 90.0, "chips": 1}),
]
"""What a second point of an experiment has otherwise, some or all of its trainings being shared."""


@pytest.mark.parametrize(("experiment", "otherwise"), AFTER)
def test_results_are_the_same_with_and_without_sharing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, experiment: str, otherwise: dict[str, Any]
) -> None:
    """Also of points that take trainings which another one has logged."""
    small = plan.make(experiment).base.config().merged(SMALL[experiment]).in_small()
    several = [Point(experiment, each) for each in (small, small.merged(otherwise))]
    wanted = {id for id, points in shared(several).points.items() if len(points) > 1}
    assert wanted
    made: list[str] = []
    seal, whole = shared_run._seal, experiment == "bmcnn"

    def sealed(folder: Path, run: Run) -> None:
        made.append(folder.name)
        seal(folder, run)
        if set(made) == wanted and not whole:
            raise KeyboardInterrupt  # of the first point no more is needed

    monkeypatch.setattr(shared_run, "_seal", sealed)
    with stand_ins(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        together, apart = SweepFolder(tmp_path / "together"), SweepFolder(tmp_path / "apart")
        share(together, together.add(several))
        apart.add(several if whole else several[1:])
        for sweep in (together, apart):
            for folder in sorted(sweep.points(), key=lambda each: each.point.id != several[0].id):
                with suppress(KeyboardInterrupt):
                    execute(experiment, folder.point.config, folder.path, resume=True, digests={},
                            trainings=folder.trained)  # fmt: skip
    assert len(made) == len(set(made))
    assert set(made) == wanted
    for other in apart.points():
        one = PointFolder(together.path / "points" / other.path.name)
        assert (one.path / "metrics.jsonl").read_bytes() == (
            other.path / "metrics.jsonl"
        ).read_bytes()
        first, second = (
            json.dumps(json.loads((each.path / "result.json").read_text()) | {"wall_s": 0})
            for each in (one, other)
        )
        assert first == second
