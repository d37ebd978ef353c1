"""One number a device, each with its error: mean and spread against their definitions."""

import numpy as np
import pytest
from scipy import stats

from mho.fit.random_effects import between, deviation, within


def squares(y: np.ndarray, variance: np.ndarray, tau: float) -> float:
    """Weighted sum of squares about the weighted mean, by its definition."""
    weight = [1 / (tau**2 + v) for v in variance]
    mean = sum(w * a for w, a in zip(weight, y, strict=True)) / sum(weight)
    return sum(w * (a - mean) ** 2 for w, a in zip(weight, y, strict=True))


def test_spread_between_is_exact_for_equal_errors() -> None:
    """The interval of tau holds it in 95 of 100 draws of any number of devices."""
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(1000):
        y = rng.normal(0, 0.3, 6) + rng.normal(0, 0.1, 6)
        of = between(y, np.full(6, 0.01))
        held += of.low <= 0.3 <= of.high
    assert 930 <= held <= 970


def test_tau_and_its_ends_solve_their_equations() -> None:
    rng = np.random.default_rng(1)
    variance = rng.uniform(0.01, 0.2, 9)
    y = 3 + rng.normal(0, 2.0, 9) + rng.normal(0, np.sqrt(variance))
    of = between(y, variance)
    assert squares(y, variance, of.tau) == pytest.approx(8)
    assert squares(y, variance, of.low) == pytest.approx(stats.chi2.ppf(0.975, 8))
    assert squares(y, variance, of.high) == pytest.approx(stats.chi2.ppf(0.025, 8))
    weight = 1 / (of.tau**2 + variance)
    assert of.mean == pytest.approx(np.average(y, weights=weight))
    assert of.error == pytest.approx(weight.sum() ** -0.5)  # scatter of 1 at tau
    assert of.width == pytest.approx(stats.t.ppf(0.975, 8))


def test_equal_errors_have_a_closed_form() -> None:
    y = np.array([1.0, 2.0, 4.0, 7.0])
    of = between(y, np.full(4, 0.25))
    assert of.tau**2 == pytest.approx(y.var(ddof=1) - 0.25)
    assert of.mean == pytest.approx(y.mean())
    assert of.error == pytest.approx(y.std(ddof=1) / 2)


def test_no_spread_where_errors_explain_it_all() -> None:
    of = between(np.array([1.0, 1.01, 0.99]), np.ones(3))
    assert (of.tau, of.low) == (0.0, 0.0)
    assert of.error == pytest.approx(3**-0.5)  # not what so little scatter would say
    same = between(np.ones(3), np.ones(3))
    assert (same.mean, same.tau, same.high) == (1.0, 0.0, 0.0)


def test_numbers_without_error_are_a_plain_sample() -> None:
    y = np.array([0.3, 0.1, -0.4, 0.9, 0.2])
    of = between(y, np.zeros(5))
    assert of.mean == pytest.approx(y.mean())
    assert of.tau == pytest.approx(y.std(ddof=1))
    interval = stats.t.interval(0.95, 4, y.mean(), stats.sem(y))
    assert (of.mean - of.width * of.error, of.mean + of.width * of.error) == (
        pytest.approx(interval)
    )


def test_a_deviation_is_covered_in_95_of_100() -> None:
    value, low, high = deviation(12.0, 3)
    assert value == 2.0
    assert 12 / low**2 == pytest.approx(stats.chi2.ppf(0.975, 3))
    assert 12 / high**2 == pytest.approx(stats.chi2.ppf(0.025, 3))


def test_within_groups_means_do_not_count() -> None:
    rng = np.random.default_rng(2)
    groups = [rng.normal(mean, 1, n) for mean, n in ((0, 4), (50, 7), (-9, 2))]
    value, low, high, free = within(groups)
    assert free == 10
    assert value**2 == pytest.approx(sum(g.var() * len(g) for g in groups) / 10)
    assert within([g + 5 * k for k, g in enumerate(groups)])[0] == pytest.approx(value)
    assert low < value < high
