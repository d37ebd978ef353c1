"""Results of several seeds, pooled, say what one run over all of them would have said."""

from dataclasses import replace

import pytest
import torch

from builders.three_runs import VALUES, result
from mho.results import MeanStd, Result, pooled

RESULTS = [result(seed) for seed in VALUES]


@pytest.fixture(scope="module")
def both() -> Result:
    return pooled(RESULTS, RESULTS)


def test_claims_are_those_of_all_values_together(both: Result) -> None:
    claims = {c.id: c for c in both.claims}
    every = torch.tensor([v for values in VALUES.values() for v in values], dtype=torch.float64)
    assert claims["mean"].ours == pytest.approx(every.mean().item())
    assert claims["mean"].std == pytest.approx(every.std().item())
    assert claims["mean"].n == claims["worst"].n == 9
    assert claims["mean"].note == "seed 0; seed 1; seed 5"
    assert claims["worst"].ours == 95.0
    assert claims["most"].ours == 99.5
    assert claims["worst"].std is None


def test_a_claim_without_a_number_in_one_run_has_none() -> None:
    gap = replace(RESULTS[1], claims=[replace(RESULTS[1].claims[0], ours=None)])
    found = pooled([RESULTS[0], gap], [RESULTS[0], gap]).claims[0]
    assert (found.ours, found.std, found.n) == (None, None, 5)


def test_curves_and_maps_are_means(both: Result) -> None:
    line, alone = both.curves[0].series
    means = [sum(v) / len(v) for v in VALUES.values()]
    assert line.y == pytest.approx([sum(means) / 3] * 2)
    stds = [torch.tensor(v).std().item() for v in VALUES.values()]
    between = sum((m - sum(means) / 3) ** 2 for m in means) / 3
    assert line.std == pytest.approx([(sum(s**2 for s in stds) / 3 + between) ** 0.5] * 2)
    assert alone.name == "only 0"
    assert "line 'only 0' of 't'" in both.summary
    assert both.maps[0].values == ((2.0, None),)
    assert both.seeds == (0, 1, 5)
    assert both.wall_s == 6.0


def test_an_array_is_that_of_the_first(both: Result) -> None:
    assert both.circuits == RESULTS[0].circuits
    assert "array 'Currents and voltages of an array'" in both.summary


def test_bars_are_means_where_their_categories_agree(both: Result) -> None:
    means, other = both.bars
    spread, alone = means.groups
    line = both.curves[0].series[0]
    assert line.std is not None
    assert spread.values == (pytest.approx(line.y[0]), None)
    assert spread.std == (pytest.approx(line.std[0]), None)
    assert alone.values == (2.0, 2.0)
    assert alone.std == (pytest.approx(7**0.5), 0.0)  # of single values: the sample's
    assert (other.categories, other.pooled) == (("seed 0",), "first")
    assert "bars 'others'" in both.summary
    assert "bars 'both'" not in both.summary


def test_stacked_bars_are_means_without_a_spread() -> None:
    runs = []
    for value, run in enumerate(RESULTS):
        stack = replace(run.bars[1], categories=["a"], stacked=True)
        group = replace(stack.groups[0], values=[float(value)], std=None)
        runs.append(replace(run, bars=[replace(stack, groups=[group])]))
    (group,) = pooled(runs, runs).bars[0].groups
    assert (group.values, group.std) == ((1.0,), None)


def test_a_line_with_gaps_is_pooled() -> None:
    runs = []
    for run in RESULTS:
        curve = run.curves[0]
        line = curve.series[0]
        assert line.std is not None
        line = replace(line, y=[line.y[0], None], std=[line.std[0], None])
        runs.append(replace(run, curves=[replace(curve, series=[line])]))
    line = pooled(runs, runs).curves[0].series[0]
    assert line.std is not None
    assert line.y[1] is line.std[1] is None
    assert line.y[0] is not None
    assert line.y[0] > 90


def test_tables_that_name_other_rows_are_the_first_run_s() -> None:
    table = RESULTS[1].tables[0]
    other = replace(table, rows=[["another", *table.rows[0][1:]], *table.rows[1:]])
    runs = [RESULTS[0], replace(RESULTS[1], tables=[other]), RESULTS[2]]
    plain = pooled(runs, runs).tables[0]
    assert plain.pooled == "first"
    assert plain.rows[0] == ("row", 0, 7)


def test_points_are_gathered_and_tables_averaged_number_by_number(both: Result) -> None:
    dots = next(c for c in both.curves if c.id == "dots").series[0]
    assert (dots.x, dots.y) == ((0, 1, 5), (0.0, 0.5, 2.5))
    plain, spread = both.tables
    assert plain.rows == (("row", MeanStd(2, pytest.approx(7**0.5)), 7), ("gap", None, 7))
    assert spread.rows == RESULTS[0].tables[1].rows
    assert "table 'with spread'" in both.summary
