"""Distributions of a resistance against scipy's: plain, nested in devices, and cut."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from mho.fit.resistance import State, compare, preferred

RNG = np.random.default_rng(3)
SAMPLE = 1e4 * np.exp(0.2 * RNG.standard_normal(80))
ALONE = np.arange(80)


def named(found: list[State]) -> dict[str, State]:
    return {each.distribution: each for each in found}


def test_one_read_a_device_is_a_plain_sample() -> None:
    found = named(compare("r", SAMPLE, ALONE, per_cycle=False))
    normal = found["normal"]
    low, high = stats.t.interval(0.95, 79, SAMPLE.mean(), stats.sem(SAMPLE))
    mean, cov = normal.parameters
    assert (mean.low, mean.value, mean.high) == pytest.approx((low, SAMPLE.mean(), high))
    assert cov.value == pytest.approx(SAMPLE.std(ddof=1) / SAMPLE.mean())
    best = stats.norm.logpdf(SAMPLE, *stats.norm.fit(SAMPLE)).sum()
    assert normal.log_likelihood == pytest.approx(best)
    shape, _, scale = stats.lognorm.fit(SAMPLE, floc=0)
    lognormal = found["lognormal"]
    best = stats.lognorm.logpdf(SAMPLE, shape, scale=scale).sum()
    assert lognormal.log_likelihood == pytest.approx(best)
    s = np.log(SAMPLE).std(ddof=1)
    assert lognormal.resistance.mean == pytest.approx(np.exp(np.log(SAMPLE).mean() + s**2 / 2))
    assert lognormal.resistance.device.cov == pytest.approx(np.sqrt(np.expm1(s**2)))
    for each in found.values():
        assert each.resistance.cycle.cov == 0
        if each.distribution != "truncated normal":
            np.testing.assert_allclose(each.quantile(each.score), SAMPLE)


def test_all_reads_of_one_device_spread_by_the_cycle() -> None:
    one = np.zeros(80, dtype=int)
    state = named(compare("r", SAMPLE, one, per_cycle=True))["lognormal"]
    assert state.resistance.device.cov == 0
    assert state.resistance.cycle.cov == pytest.approx(
        named(compare("r", SAMPLE, ALONE, per_cycle=False))["lognormal"].resistance.device.cov
    )


def test_reads_of_devices_are_a_one_way_layout() -> None:
    """The density of each device's reads is that of a normal with what they share."""
    device = np.repeat(np.arange(12), [3, 5, 2, 8, 6, 4, 7, 3, 9, 4, 5, 6])
    shared = 0.3 * RNG.standard_normal(12)
    r = np.exp(9 + shared[device] + 0.05 * RNG.standard_normal(len(device)))
    found = named(compare("r", r, device, per_cycle=False))
    assert "truncated normal" not in found
    state = found["lognormal"]
    cycle, own = state.resistance.cycle.cov, state.resistance.device.cov
    inner, tau = np.sqrt(np.log1p(cycle**2)), np.sqrt(np.log1p(own**2))
    y, density = np.log(r), -np.log(r).sum()
    groups = [y[device == d] for d in range(12)]
    weight = 1 / (tau**2 + inner**2 / np.array([len(g) for g in groups]))
    mean = np.average([g.mean() for g in groups], weights=weight)
    for group in groups:
        n = len(group)
        spread = inner**2 * np.eye(n) + tau**2
        density += stats.multivariate_normal.logpdf(group, np.full(n, mean), spread)
    assert state.log_likelihood == pytest.approx(density, rel=1e-9)
    by_name = {p.name: p for p in state.parameters}
    assert by_name["r.device.cov"].covers(np.sqrt(np.expm1(0.09)))
    assert by_name["r.cycle.cov"].covers(np.sqrt(np.expm1(0.0025)))
    assert preferred(list(found.values())) is state


def test_a_sample_with_limits_is_a_cut_normal() -> None:
    draw = stats.truncnorm.rvs(
        -1.0, 1.0, 1e4, 1e3, size=2000, random_state=np.random.default_rng(5)
    )
    found = compare("r", draw, np.arange(2000), per_cycle=False)
    state = preferred(found)
    assert state.distribution == "truncated normal"
    spread = state.resistance.device
    assert state.resistance.mean == pytest.approx(1e4, rel=0.02)
    assert spread.cov == pytest.approx(0.1, rel=0.25)
    assert spread.lower * state.resistance.mean == pytest.approx(draw.min())
    assert spread.upper * state.resistance.mean == pytest.approx(draw.max())
    true = stats.truncnorm.logpdf(draw, -1.0, 1.0, 1e4, 1e3).sum()
    assert true <= state.log_likelihood + 2 < true + 12
    assert stats.kstest(state.score, "norm").pvalue > 0.01


def test_the_first_stays_unless_another_is_clearly_better() -> None:
    found = compare("r", SAMPLE, ALONE, per_cycle=False)
    first, other = found[0], found[1]
    for gain, chosen in ((1.9, first), (2.1, other)):
        aic = 2 * first.count - 2 * first.log_likelihood
        value = (2 * other.count - aic + gain) / 2
        found = preferred([first, replace(other, log_likelihood=value)])
        assert found.distribution == chosen.distribution
