"""Records for a notebook and the table."""

import csv
import io
import json
import shutil
from pathlib import Path

import pytest

import mho.sweep
from builders.sweeps import made_up, result_of
from mho.files import sums_of
from mho.sweep.places import places_of
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


def test_a_copy_of_a_point_is_counted_once_and_told(tmp_path: Path) -> None:
    """As of a folder that was copied by hand, or that two versions have made."""
    sweep = made_up(tmp_path / "s", seeds=1)
    first, renamed, *_ = sweep.points()
    renamed.path.rename(renamed.path.with_name("of another name"))
    for name in ("a copy", "z copy"):
        shutil.copytree(first.path, first.path.with_name(name))
    (tmp_path / "s" / "points" / "a copy" / "result.json").write_text(
        json.dumps(result_of(first.point, 99.0)))  # fmt: skip
    records = mho.sweep.load(sweep.path)
    told = {point.id for point in records if "whose result counts" in point.problem}
    assert told == {"a copy", "z copy"}
    assert {point.id for point in records if not point.claims} == told
    assert [len(place.done) for place in places_of(records).every] == [1] * 4
    means = [place.claim("accuracy") for place in places_of(records).every]
    assert all(mean is not None and mean.n == 4 and mean.ours != 99 for mean in means)


def test_settings_that_were_edited_below_a_result_are_not_believed(tmp_path: Path) -> None:
    sweep = made_up(tmp_path, seeds=1)
    first = sweep.points()[0].path
    names = ("config.toml", "result.json", "env.json")
    (first / "SHA256SUMS").write_bytes(sums_of({n: (first / n).read_bytes() for n in names}))
    assert mho.sweep.load(tmp_path)[0].claims
    config = (first / "config.toml").read_text()
    (first / "config.toml").write_text(
        config.replace("fixed_threshold = 0.", "fixed_threshold = 1.")
    )
    (edited,) = (point for point in mho.sweep.load(tmp_path) if point.id == first.name)
    assert edited.settings["writes.fixed_threshold"] > 1
    assert not edited.claims
    assert "config.toml: its SHA-256 is not the one in SHA256SUMS" in edited.problem


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
