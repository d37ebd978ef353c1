"""What a point costs, before the sweep."""

import tempfile
from pathlib import Path

import pytest

from mho.cli import main
from mho.sweep import plan
from mho.sweep.measure import largest, measure
from mho.sweep.points import Point


def small(**changes: object) -> Point:
    settings = {"epochs": 1, "per_class": 10, "studies": [], "networks": ["mlp"], **changes}
    (point,) = plan.make("siamese", single=settings.items()).points()
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
