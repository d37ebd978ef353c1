"""Runs side by side: what each found, what was set differently, what both have."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mho.report.folder import RunFolder
from mho.report.side_by_side import side_by_side
from mho.results.tables import MeanStd


@pytest.fixture
def runs(run_folder: Callable[..., Path], content: dict) -> dict[str, RunFolder]:
    first = RunFolder.read(run_folder(content))
    content["claims"][0] |= {"ours": 12.5, "std": 0.5}
    del content["claims"][1]
    second = run_folder(content, "second")
    (second / "config.toml").write_text("seed = 1\n[cells]\nr_off = 2e6\n", encoding="utf-8")
    return {"one": first, "two": RunFolder.read(second)}


def test_claims_stand_beside_each_other(runs: dict[str, RunFolder]) -> None:
    table = side_by_side(runs).tables[0]
    assert [column.name for column in table.columns] == ["claim", "unit", "paper", "one", "two"]
    assert table.rows[0][4] == MeanStd(12.5, 0.5)
    assert table.rows[1][4] is None
    assert len(table.rows) == len(runs["one"].result.claims)


def test_only_settings_that_differ_are_shown(runs: dict[str, RunFolder]) -> None:
    tables = {table.id: table for table in side_by_side(runs).tables}
    rows = {row[0]: row[1:] for row in tables["settings"].rows}
    assert rows["cells.r_off"][1] == "2000000.0"
    assert all(len(set(row)) > 1 for row in rows.values())
    alike = side_by_side({"a": runs["one"], "b": runs["one"]})
    assert "settings" not in {table.id for table in alike.tables}


def test_a_line_that_both_have_is_drawn_once_with_both(runs: dict[str, RunFolder]) -> None:
    chapters = side_by_side(runs).chapters
    assert {chapter.title for chapter in chapters} == {
        curve.title for curve in runs["one"].result.curves
    }
    for chapter in chapters:
        for figure in chapter.figures:
            assert [series.name for series in figure.series] == ["one", "two"]


@pytest.mark.parametrize("number", [0, 1, 13])
def test_a_number_of_runs_that_no_table_holds_is_refused(
    runs: dict[str, RunFolder], number: int
) -> None:
    with pytest.raises(ValueError, match="2 to 12 run folders"):
        side_by_side({str(i): runs["one"] for i in range(number)})
