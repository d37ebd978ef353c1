"""What is said of a fit: intervals, and tests of its residuals, against brute force."""

import math
from itertools import combinations, pairwise

import numpy as np
import pytest
from scipy import stats

from mho.fit.outcome import Parameter, far_out, given, judge, on_line, on_log, runs_test


def test_intervals_are_95_percent() -> None:
    line = on_line("a", 3.0, 0.5, "S")
    assert (line.low, line.high) == pytest.approx(stats.norm.interval(0.95, 3.0, 0.5))
    log = on_log("b", math.log(2.0), 0.1)
    assert log.value == pytest.approx(2.0)
    assert log.low * log.high == pytest.approx(4.0)  # type: ignore[operator]
    assert log.high == pytest.approx(2 * math.exp(1.959964 * 0.1))
    for error in (1e3, math.inf, math.nan):
        vague = on_log("c", 600.0, error)
        assert (vague.low, vague.high) == (0.0, math.inf)
    assert on_line("d", 0.0, 1.0, width=2.5).high == 2.5


def test_an_interval_covers_what_lies_in_it() -> None:
    each = Parameter("a", 1.0, 0.5, 2.0)
    assert [each.covers(x) for x in (0.4, 0.5, 1.7, 2.1)] == [False, True, True, False]
    assert not given("a", 1.0).covers(1.0)


def test_runs_are_counted_as_by_hand() -> None:
    """Mean and variance of the runs over all orders of 6 signs up and 5 down."""
    counts = []
    for up in combinations(range(11), 6):
        signs = [k in up for k in range(11)]
        counts.append(1 + sum(a != b for a, b in pairwise(signs)))
    mean, deviation = np.mean(counts), np.std(counts)
    residual = np.array([1, 1, 1, -1, -1, 1, 1, -1, -1, 0, -1, 1.0])  # a 0 has no sign
    assert runs_test(residual) == pytest.approx(stats.norm.cdf((5 - mean) / deviation))
    alternating = np.array([1.0, -1.0] * 8)
    assert runs_test(alternating) > 0.99
    assert runs_test(np.sort(alternating)) < 1e-3
    assert math.isnan(runs_test(alternating[:8]))  # too few


def test_outliers_are_found_and_samples_are_not() -> None:
    rng = np.random.default_rng(0)
    found = sum(far_out(rng.standard_normal(60), times=1.0).any() for _ in range(1000))
    assert found < 60  # 1 % in the limit; the scale is estimated too
    assert sum(far_out(rng.standard_normal(60)).any() for _ in range(1000)) == 0
    residual = rng.standard_normal(60)
    residual[[3, 40]] = 12.0, -15.0
    residual[7] = np.nan
    assert np.flatnonzero(far_out(residual)).tolist() == [3, 40]
    assert not far_out(residual[:7]).any()  # too few to tell
    assert not far_out(residual, least=10.0).any()
    assert not far_out(np.zeros(20)).any()


def test_goodness_is_that_of_the_residuals() -> None:
    rng = np.random.default_rng(1)
    x = np.linspace(0, 1, 200)
    y = 2 * x + 0.1 * rng.standard_normal(200)
    good = judge(y, 2 * x, (y - 2 * x) / 0.1)
    assert good.n == 200
    assert good.r_squared == pytest.approx(1 - 0.01 / y.var(), abs=6e-3)
    assert good.normal_p == pytest.approx(stats.normaltest((y - 2 * x) / 0.1).pvalue)
    assert good.runs_p > 0.01
    bent = judge(y + 4 * x**2, 2 * x + 4 * x - 4 / 6, (y - 2 * x + 4 * (x**2 - x + 1 / 6)) / 0.1)
    assert bent.runs_p < 1e-3
    flat = judge(np.ones(30), np.ones(30), np.zeros(30))
    assert math.isnan(flat.r_squared)
    assert math.isnan(flat.normal_p)
    assert math.isnan(flat.runs_p)
