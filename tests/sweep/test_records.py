"""Records for a notebook and the table."""

import csv
import io
from pathlib import Path

import pytest

import mho.sweep
from builders.sweeps import made_up
from mho.sweep.records import common, varied


def test_rows_hold_what_varies_and_what_came_of_it(tmp_path: Path) -> None:
    records = mho.sweep.load(made_up(tmp_path / "s", unfinished=1).path)
    assert records.varied == ["writes.fixed_threshold", "hardware.adc_bits", "seed"]
    assert len(records) == 8
    assert dict(records.counts) == {"done": 7, "waiting": 1}
    assert list(records.claims) == ["accuracy", "writes", "same"]
    done = [row for row in records.rows() if row["status"] == "done"]
    assert sorted(row["accuracy"] for row in done) == [70.0 + i for i in range(7)]
    assert {row["accuracy_std"] for row in done} == {1.5}
    (waiting,) = (row for row in records.rows() if row["status"] == "waiting")
    assert waiting["accuracy"] is None
    assert list(done[0]) == [
        "id", "status", *records.varied, "accuracy", "accuracy_std", "writes", "writes_std",
        "same", "same_std", "seconds", "host", "engine",
    ]  # fmt: skip


def test_points_stand_in_the_order_of_what_varies(tmp_path: Path) -> None:
    sweep = made_up(tmp_path, {"hardware.adc_bits": [10, 4, 6]}, seeds=2)
    rows = mho.sweep.load(sweep.path).rows()
    found = [(row["hardware.adc_bits"], row["seed"]) for row in rows]
    assert found == [(n, seed) for n in (4, 6, 10) for seed in (0, 1)]


def test_the_csv_holds_the_rows(tmp_path: Path) -> None:
    records = mho.sweep.load(made_up(tmp_path, unfinished=1).path)
    found = list(csv.DictReader(io.StringIO(records.csv().decode())))
    for row, expected in zip(found, records.rows(), strict=True):
        for key, value in expected.items():
            assert row[key] == ("" if value is None else str(value))


def test_a_record_has_all_settings_and_the_numbers_of_a_claim(tmp_path: Path) -> None:
    first = mho.sweep.load(made_up(tmp_path).path)[0]
    assert first.settings["hardware.device.family"] == "multi-level"
    accuracy = first.claims["accuracy"]
    assert (accuracy.std, accuracy.n, accuracy.unit) == (1.5, 4, "%")
    assert first.costs["cells per chip"].ours == 20
    assert first.seconds == 2.5
    assert first.environment["commit"] == "0123abc"


def test_a_claim_that_is_worded_in_several_ways_is_worded_as_far_as_they_agree() -> None:
    assert common(["writes of 3 in all", "writes of 5 in all"]) == "writes of … in all"
    assert common(["a b", "a b c"]) == "a b …"
    assert common(["a", "b"]) == "…"


def test_what_varies_is_told_by_value_and_kind() -> None:
    assert varied([{"a": 1, "b": True, "seed": 0}, {"a": 1, "b": 1, "seed": 1, "c": None}]) == [
        "b", "seed"]  # fmt: skip
    assert varied([]) == []


def test_a_folder_that_is_no_sweep_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the folder of a sweep"):
        mho.sweep.load(tmp_path)
