"""What a point costs, before the sweep."""

import tempfile
from pathlib import Path

import pytest

from mho.cli import main
from mho.sweep import plan
from mho.sweep.folder import Beat
from mho.sweep.measure import Cost, extrapolated, largest, measure
from mho.sweep.points import Point


def small(**changes: object) -> Point:
    settings = {"epochs": 1, "per_class": 10, "studies": [], "networks": ["mlp"], **changes}
    (point,) = plan.make("siamese", single=list(settings.items())).points()
    return point


def test_the_largest_is_that_of_the_most_memory() -> None:
    points = plan.make("siamese", grid={"hidden": [8, 64, 16]}).points()
    assert largest(points).settings["hidden"] == 64


def test_a_point_is_measured_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    seen = []
    cost = measure(small(), limit=0.0, shown=seen.append)
    assert cost.seconds > 0
    assert cost.memory > 1e7
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mho.sweep.measure.LIMIT", 0.0)
    command = ["sweep", "siamese", "--grid", "epochs=1,2", "--seeds", "3", "--dry-run"]
    assert main([*command, "--out", str(tmp_path / "s")]) == 0
    said = capsys.readouterr().out
    assert "6 points, 0 of them done" in said
    assert "GB of memory" in said
    assert not (tmp_path / "s").exists()


def at(done: int, total: int, *, trains: bool = True, trained: int = 0, at: float = 110.0) -> Beat:
    """A stage that began at 100 s."""
    return Beat("host", 1, at, "stage", done, total, since=100.0, start=0, trains=trains,
                trained=trained)  # fmt: skip


@pytest.mark.parametrize(
    ("beat", "trainings", "whole"),
    [
        (at(10, 40), 1, 12 + 30),  # three quarters of the only training are left
        (at(10, 40), 3, 12 + 30 + 2 * 40),  # and two further ones
        (at(10, 40, trained=1), 3, 12 + 30 + 30 / 1.25),  # 30 s for one and a quarter
        (at(10, 40, trains=False, trained=3), 3, 12 + 30),  # all trained: what is left of the stage
        (at(10, 40, trains=False, trained=9), 3, 12 + 30),  # trainings that are not shared
        (at(10, 40, trains=False, trained=1), 2, 12 + 30 + 30),
        (at(10, 40, trains=False), 0, 12 + 30),
        (at(10, 40, trains=False), 2, None),
        (at(0, 40), 3, None),
        (at(0, 0), 0, None),
        (at(3, 40, at=100.0), 3, None),
    ],
)
def test_a_point_goes_on_as_it_began(beat: Beat, trainings: int, whole: float | None) -> None:
    began = 100.0 - 20 * (beat.trained == 1)
    found = extrapolated(12.0, began, beat, trainings)
    assert found == (None if whole is None else pytest.approx(whole))


def test_a_dry_run_extrapolates_what_is_not_done_in_time(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    one = Beat("host", 1, 110.0, "train", 10, 40, since=100.0)
    cost = Cost(small(), 12.0, 10**9, 90.0, one)
    monkeypatch.setattr("mho.sweep.measure.measure", lambda _point: cost)
    command = ["sweep", "siamese", "--grid", "epochs=1,2", "--dry-run", "--out", str(tmp_path)]
    assert main([*command, "--engine-set", "processes=1"]) == 0
    said = capsys.readouterr().out
    assert "about 1:30, extrapolated from 12 s (stopped in train: 10 of 40)" in said
    assert "at least 1.00 GB" in said
    assert "all that is left: about 3:00, 1 at once" in said
