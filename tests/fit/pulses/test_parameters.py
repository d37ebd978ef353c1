"""The window and the spread between devices, from a maximum that is known."""

import numpy as np
import pytest
from scipy import stats

from mho.fit.maximum import Maximum
from mho.fit.pulses.parameters import device_parameters, window_parameters
from mho.fit.pulses.trains import Trains


def alternating(*ends: float) -> Trains:
    """One read at the end of each train, RESET and SET in turn."""
    g = np.array([ends])
    up = np.array([[k % 2 == 1 for k in range(len(ends))]])
    return Trains(g, np.ones(g.shape, dtype=int), up, np.arange(len(ends))[None], np.zeros(1, int))


def test_ends_that_were_met_are_known_to_half_a_digit() -> None:
    chains = alternating(1.0, 5.0)
    low, high = window_parameters(True, chains, 1e-6, 4e-6, 2e-8)
    assert (low.value, low.low, low.high) == pytest.approx((1e-6, 0.99e-6, 1.01e-6))
    assert (high.value, high.low, high.high) == pytest.approx((5e-6, 4.99e-6, 5.01e-6))


def test_ends_that_were_not_met_are_means_of_the_trains() -> None:
    lows, highs = [1.0, 1.2, 0.9, 1.1], [5.0, 5.3, 4.9, 5.2]
    chains = alternating(*(x for pair in zip(lows, highs, strict=True) for x in pair))
    for each, sample in zip(window_parameters(False, chains, 0, 1, 0), (lows, highs), strict=True):
        interval = stats.t.interval(0.95, 3, np.mean(sample), stats.sem(sample))
        assert (each.low, each.high) == pytest.approx(interval)
        assert each.value == pytest.approx(np.mean(sample))
    single = window_parameters(False, alternating(1.0, 5.0), 0, 1, 0)
    assert [(each.value, each.low) for each in single] == [(1.0, None), (5.0, None)]


def known(logs: list[float], covariance: np.ndarray) -> Maximum:
    return Maximum(np.zeros(1), np.array(logs)[:, None], covariance, 0.0, True)


def test_one_device_has_the_interval_of_the_likelihood() -> None:
    found = known([np.log(40.0)], np.diag([1.0, 0.01]))
    pulses, spread, (log, drawn, width) = device_parameters(found, 1)
    assert spread == []
    assert (pulses.value, pulses.high) == pytest.approx(
        (40, 40 * np.exp(0.1 * stats.norm.ppf(0.975)))
    )
    assert (log, drawn, width) == pytest.approx((np.log(40.0), 0.0, 1.959964), rel=1e-6)


def test_devices_spread_beyond_what_the_likelihood_explains() -> None:
    """What all errors have in common moves the mean alone."""
    rng = np.random.default_rng(0)
    logs = (np.log(50) + 0.3 * rng.standard_normal(15)).tolist()
    own, common = 1e-4, 0.02
    covariance = np.zeros((16, 16))
    covariance[1:, 1:] = common + own * np.eye(15)
    pulses, (spread,), (log, drawn, _) = device_parameters(known(logs, covariance), 1)
    tau = np.sqrt(np.var(logs, ddof=1) - own)
    assert spread.value == pytest.approx(np.sqrt(np.expm1(tau**2)), rel=1e-6)
    assert spread.covers(np.sqrt(np.expm1(0.09)))
    assert pulses.value == pytest.approx(np.exp(np.mean(logs) - tau**2 / 2), rel=1e-6)
    assert log == pytest.approx(np.log(pulses.value))
    assert drawn == pytest.approx(tau**2 / 15 + tau**4 / 28, rel=1e-6)
    wider = device_parameters(known(logs, 4 * covariance), 1)[0]
    assert wider.high - wider.low > pulses.high - pulses.low  # type: ignore[operator]
