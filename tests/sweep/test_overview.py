"""The page on a sweep, and the figures in it, by the number and kind of axes."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import mho.sweep
from builders.sweeps import made_up
from mho.cli import main
from mho.report import write_overview
from mho.results import Bars, Curve, Map
from mho.sweep.objectives import NAME, write_objectives
from mho.sweep.overview import overview

BITS, THRESHOLD = "hardware.adc_bits", "writes.fixed_threshold"
NAMES = {"data": ["mnist", "fashion-mnist"]}


@pytest.mark.parametrize(
    ("grid", "kinds"),
    [
        ({}, []),
        ({BITS: [4, 6, 8]}, [Curve]),
        (NAMES, [Bars]),
        ({BITS: [4, 6, 8], THRESHOLD: [0.6, 0.7]}, [Map, Curve]),
        (NAMES | {BITS: [4, 6, 8]}, [Map, Curve]),
        (NAMES | {"hardware.transposed": [False, True]}, [Map, Bars]),
        ({BITS: [4, 6], THRESHOLD: [0.6, 0.7], "chips": [1, 2]}, [Curve, Curve, Curve, Map]),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, Mapping) else "",
)
def test_figures_suit_the_axes(
    tmp_path: Path, grid: Mapping[str, Sequence[Any]], kinds: list[type]
) -> None:
    shown = overview(mho.sweep.load(made_up(tmp_path, grid).path), ["accuracy"])
    figures = [figure for chapter in shown.chapters for figure in chapter.figures]
    assert [type(figure) for figure in figures[: len(kinds)]] == kinds
    fronts = figures[len(kinds) :]
    assert all("against" in figure.title for figure in fronts)
    assert len(fronts) == (2 if len(mho.sweep.load(tmp_path)) > 4 else 0)


def test_a_curve_holds_means_over_seeds_at_each_value(tmp_path: Path) -> None:
    records = mho.sweep.load(made_up(tmp_path, {BITS: [4, 6, 8]}, seeds=3).path)
    (chapter,) = overview(records, ["accuracy"]).chapters
    curve = chapter.figures[0]
    assert isinstance(curve, Curve)
    (line,) = curve.series
    for bits, mean in zip(line.x, line.y, strict=True):
        own = [p.claims["accuracy"].ours for p in records if p.settings[BITS] == bits]
        assert mean == pytest.approx(sum(own) / 3)  # type: ignore[arg-type]


def test_the_page_says_what_failed_what_is_missing_and_where_it_came_from(tmp_path: Path) -> None:
    sweep = made_up(tmp_path, unfinished=2)
    sweep.points()[-1].failed("Traceback (most recent call last):\nKeyError: '<b>3</b>'")
    (sweep.points()[0].path / "result.json").write_text("{")
    page = write_overview(overview(mho.sweep.load(tmp_path)), tmp_path)
    text = page.read_text()
    assert "KeyError: &#39;&lt;b&gt;3&lt;/b&gt;&#39;" in text
    assert "valid JSON" in text
    assert "0123abc" in text
    assert "2 points have no result yet" in text
    assert "https://" not in text.replace("http://www.w3.org", "")
    assert len(list((tmp_path / "figures").glob("*.png"))) == text.count("<figure")


def test_the_page_says_where_points_were_done(tmp_path: Path) -> None:
    for i, point in enumerate(made_up(tmp_path, unfinished=1).points()):
        if point.done:
            env = {"host": f"node{i % 2}", "engine": "slurm"}
            (point.path / "env.json").write_text(json.dumps(env))
    made = dict(overview(mho.sweep.load(tmp_path)).made)
    assert made["done on"].startswith("node0 (slurm): 4 points, 10")
    assert "node1 (slurm): 3 points" in made["done on"]


def test_a_claim_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="did you mean 'accuracy'"):
        overview(mho.sweep.load(made_up(tmp_path).path), ["acuracy"])


def test_the_front_of_a_search_is_drawn_and_listed(tmp_path: Path) -> None:
    grid = {BITS: [4, 6, 8], THRESHOLD: [0.6, 0.7, 0.8]}
    records = mho.sweep.load(made_up(tmp_path, grid, seeds=1).path)
    shown = overview(records, objectives={"accuracy": "maximize", "writes": "minimize"})
    (curve,), (table,) = shown.chapters[0].figures, shown.chapters[0].tables
    assert isinstance(curve, Curve)
    assert curve.y_label == "test accuracy [%]"
    assert "in both" in curve.series[-1].name
    # Each percent costs writes, so that nothing is beaten.
    assert len(curve.series[-1].y) == len(table.rows) == len(records)
    means = [row[2].mean for row in table.rows]  # type: ignore[union-attr]
    assert means == sorted(means, reverse=True)


def test_a_front_of_three_is_not_beaten_in_all_and_each_two_are_drawn(tmp_path: Path) -> None:
    records = mho.sweep.load(made_up(tmp_path, seeds=1).path)
    wanted = {"accuracy": "maximize", "writes": "minimize", "same": "maximize"}
    chapter = overview(records, objectives=wanted).chapters[0]  # type: ignore[arg-type]
    assert len(chapter.figures) == 3
    for curve in chapter.figures:
        assert isinstance(curve, Curve)
        assert not curve.series[-1].joined
    shown = overview(records, objectives={"writes": "minimize", "same": "maximize"})
    (table,) = shown.chapters[0].tables
    assert len(table.rows) == 1


def test_the_command_draws_what_was_searched_for_or_is_asked(tmp_path: Path) -> None:
    made_up(tmp_path)
    assert main(["report", str(tmp_path)]) == 0
    assert "Pareto front" not in (tmp_path / "report.html").read_text()
    write_objectives(tmp_path, {"accuracy": "maximize", "writes": "minimize", "gone": "minimize"})
    assert main(["report", str(tmp_path)]) == 0
    assert "Pareto front of test accuracy" in (tmp_path / "report.html").read_text()
    (tmp_path / NAME).unlink()
    options = ["--objective", "accuracy:max", "--objective", "same:min"]
    assert main(["report", str(tmp_path), *options]) == 0
    assert "Pareto front of test accuracy" in (tmp_path / "report.html").read_text()
    assert main(["report", str(tmp_path), "--objective", "acuracy:max"]) == 2
