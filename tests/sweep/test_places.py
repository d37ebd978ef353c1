"""Axes, and the seeds of a place as one."""

import statistics
from pathlib import Path

import pytest

import mho.sweep
from builders.sweeps import made_up
from mho.results import over_all
from mho.sweep import plan
from mho.sweep.folder import SweepFolder
from mho.sweep.places import places_of
from mho.sweep.records import load


def test_seeds_of_a_place_are_one(tmp_path: Path) -> None:
    records = mho.sweep.load(made_up(tmp_path, seeds=2, unfinished=1).path)
    places = places_of(records)
    assert [axis.key for axis in places.axes] == ["writes.fixed_threshold", "hardware.adc_bits"]
    assert len(places.every) == 4
    assert places.is_grid
    for place in places.every:
        own = [point.claims["accuracy"].ours for point in place.done]
        found = place.claim("accuracy")
        assert found is not None
        assert found.ours == pytest.approx(statistics.fmean(own))  # type: ignore[type-var]
        assert found.n == 4 * len(own)


def test_settings_that_go_together_are_one_axis(tmp_path: Path) -> None:
    sweep = SweepFolder(tmp_path)
    zips = [{"batch": [50, 100], "rate": [1e-3, 2e-3]}]
    sweep.add(plan.make("siamese", grid={"epochs": [1, 2, 3]}, zips=zips, seeds=2).points())
    axes = places_of(load(tmp_path)).axes
    assert [axis.keys for axis in axes] == [("epochs",), ("batch", "rate")]
    assert axes[1].name == "batch with rate"


def test_values_over_all_are_those_of_all_values_at_once() -> None:
    groups = [[1.0, 2.0, 4.0], [3.0], [5.0, 9.0]]
    means = [statistics.fmean(g) for g in groups]
    stds = [statistics.stdev(g) if len(g) > 1 else None for g in groups]
    mean, std = over_all(means, stds, [len(g) for g in groups])
    every = [value for g in groups for value in g]
    assert mean == pytest.approx(statistics.fmean(every))
    assert std == pytest.approx(statistics.stdev(every))
    assert over_all(means, stds, [3, 1, 2], "highest") == (max(means), None)
    assert over_all([None, 1.0], [None, None], [1, 1]) == (None, None)
