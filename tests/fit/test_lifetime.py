"""Cycles to failure with devices that had not failed yet."""

import numpy as np
import pytest
from scipy import stats

from mho.fit.lifetime import fit_lifetime


def test_intervals_cover_the_truth_with_censoring() -> None:
    covered = {"endurance": 0, "endurance_spread": 0}
    for seed in range(100):
        life = 1e5 * np.exp(0.8 * np.random.default_rng(seed).standard_normal(30))
        found = fit_lifetime(np.minimum(life, 1.5e5), life < 1.5e5)
        assert found is not None
        for parameter, truth in zip(found.parameters, (1e5, 0.8), strict=True):
            covered[parameter.name] += parameter.covers(truth)
    assert min(covered.values()) >= stats.binom.ppf(0.001, 100, 0.95)


def test_weibull_is_that_of_scipy() -> None:
    life = 1e5 * np.random.default_rng(0).weibull(2.0, 200)
    found = fit_lifetime(np.minimum(life, 8e4), life < 8e4)
    assert found is not None
    censored = stats.CensoredData(life[life < 8e4], right=np.full((life >= 8e4).sum(), 8e4))
    shape, _, scale = stats.weibull_min.fit(censored, floc=0)
    assert found.weibull == pytest.approx((scale, shape), rel=1e-3)


def test_two_failures_are_no_distribution() -> None:
    assert fit_lifetime(np.array([1.0, 2.0, 3.0]), np.array([True, True, False])) is None
