"""Studies: each job once, and figures, bars, maps and tables of what came of it."""

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from mho.experiments.run import Run
from mho.experiments.study import (
    Axis,
    Chart,
    Done,
    Grid,
    Jobs,
    Point,
    Rows,
    Study,
    Value,
    each,
    in_turn,
    lines,
    over,
)
from mho.results import Column


class Job(NamedTuple):
    """Two numbers to add."""

    a: float
    b: float


def total(outcome: dict[str, Any]) -> float:
    return outcome["sum"]


POINTS = {
    "small": Point(Job(1, 1), 1, "first"),
    "large": Point(Job(2, 1), 2, "first"),
    "the same": Point(Job(1, 1), 3, "second"),
    "apart": Point(Job(9, 9)),
}
STUDY = Study[Job, dict[str, Any]](
    POINTS,
    Axis("a", "log"),
    [
        Value("sum", "Sum", Axis("sum [1]"), each(total)),
        Value("over_sum", "Over it", Axis("half", "log"),
              lambda point, o: [(point.line, total(o), total(o) / 2)], pooled="points"),
    ],
    [Chart("bars", "Bars", "sum [1]", {"sum": total, "none": lambda _: None})],
    Rows("table", "Table", "what", [Column("sum", "1")], lambda _, o: [total(o)], "A note."),
    [Grid("map", "Map", ("a", lambda job: job.a), ("b", lambda job: job.b), "sum",
          lambda o: [total(o), total(o) + 2])],
)  # fmt: skip


@pytest.fixture
def done(tmp_path: Path) -> Done[Job, dict[str, Any]]:
    """The study, its jobs done in a run."""
    run = Run(tmp_path, "", resume=False, title="test")
    jobs = Jobs[Job, dict[str, Any]](run, lambda job: {"sum": job.a + job.b})
    yield jobs.done(STUDY, "group")
    run.close()


def test_a_job_is_done_once_however_many_points_ask_for_it(tmp_path: Path) -> None:
    seen: list[Job] = []

    def work(job: Job) -> dict[str, Any]:
        seen.append(job)
        if len(seen) == 2:
            raise InterruptedError
        return {"sum": job.a + job.b}

    def outcomes(resume: bool) -> Any:
        run = Run(tmp_path, "", resume=resume, title="test")
        try:
            return Jobs[Job, dict[str, Any]](run, work).done(STUDY, "group").outcomes
        finally:
            run.close()

    with pytest.raises(InterruptedError):
        outcomes(resume=False)
    found = outcomes(resume=True)
    assert seen == [Job(1, 1), Job(2, 1), Job(2, 1), Job(9, 9)]
    assert {name: o["sum"] for name, o in found.items()} == {
        "small": 2, "large": 3, "the same": 2, "apart": 18,
    }  # fmt: skip


def test_a_curve_has_a_line_for_each_name_over_what_has_a_place(done: Any) -> None:
    curve, over = done.curves
    assert (curve.id, curve.x_label, curve.x_scale, curve.y_scale) == ("sum", "a", "log", "linear")
    assert [(line.name, line.x, line.y) for line in curve.series] == [
        ("first", (1, 2), (2, 3)), ("second", (3,), (2,)),
    ]  # fmt: skip
    assert (over.pooled, over.y_scale) == ("points", "log")
    assert [(line.name, line.x) for line in over.series] == [
        ("first", (2, 3)), ("second", (2,)), ("", (18,)),
    ]  # fmt: skip


def test_bars_tables_and_maps_have_every_point(done: Any) -> None:
    (bars,), (table,), (grid,) = done.bars, done.tables, done.maps
    assert bars.categories == ("small", "large", "the same", "apart")
    assert [group.values for group in bars.groups] == [(2, 3, 2, 18), (None,) * 4]
    assert table.rows == (("small", 2), ("large", 3), ("the same", 2), ("apart", 18))
    assert [column.name for column in table.columns] == ["what", "sum"]
    assert (grid.x, grid.y) == ((1, 2, 9), (1, 9))
    assert grid.values == ((3, 4, None), (None, None, 19))


def test_repeats_at_one_place_become_their_mean_unless_they_stay_apart() -> None:
    readings = [("a", 1, 2.0), ("b", 1, [5.0]), ("a", 1, [4.0, 6.0]), ("a", None, 9.0)]
    first, second = lines(readings)
    assert (first.name, first.x, first.y, first.std) == ("a", (1,), (4,), (2,))
    assert (second.y, second.std) == ((5,), None)
    apart = lines([("a", 1, 2.0), ("a", 1, 4.0)], apart=True)
    assert [(line.x, line.y) for line in apart] == [((1, 1), (2, 4))]
    assert in_turn("a", [7.0, 8.0], 3) == [("a", 3, 7.0), ("a", 4, 8.0)]


def test_points_are_named_by_what_is_varied() -> None:
    noise = over((0.05, 0.1), lambda x: Job(x, 0), "noise", scale=100)
    assert noise == {
        "noise, 0.05": Point(Job(0.05, 0), 5.0, "noise"),
        "noise, 0.1": Point(Job(0.1, 0), 10.0, "noise"),
    }
    assert over((4, 16), lambda n: Job(n, n)) == {
        "4": Point(Job(4, 4), 4), "16": Point(Job(16, 16), 16),
    }  # fmt: skip


def test_a_study_without_a_table_has_none() -> None:
    study = Study[Job, dict[str, Any]](POINTS)
    assert Done(study, {}).curves == Done(study, {}).tables == Done(study, {}).bars == []
