"""The likelihood in closed form against the dense normal density."""

import numpy as np
import pytest
from scipy import stats

from mho.fit.arrhenius import Courses, Levels, Likelihood
from mho.physics.retention import BOLTZMANN


def courses(levels: Levels) -> Courses:
    """Twelve traces of six cells, two of each; the last of them changes its temperature."""
    rng = np.random.default_rng(0)
    trace = np.repeat(np.arange(12), 4)
    time = np.tile([0.0, 1e2, 1e4, 1e5] if levels == "own" else [1e2, 1e3, 1e4, 1e5], 12)
    kelvin = np.repeat(np.tile([350.0, 400.0], 6), 4)
    kelvin[-2:] = 370.0
    unit = np.arange(12) // 2
    group = unit % 2
    return Courses(rng.standard_normal(48), time, kelvin, trace, unit, unit, group, levels)


@pytest.mark.parametrize("levels", ["own", "shared", "common"])
def test_the_density_is_that_of_a_dense_covariance(levels: Levels) -> None:
    c = courses(levels)
    of = Likelihood(c)
    energy, start, spread, offset = 0.7, 2.0, 0.3, 0.5
    log = np.maximum(of.log_time(energy) - start, 0.0)
    same = [part[c.trace][:, None] == part[c.trace] for part in (np.arange(12), c.device)]
    cov = np.eye(48) + (offset if levels != "own" else 0.0) * same[0]
    cov += spread * same[1] * np.outer(log, log)
    flat = np.eye(int(c.level.max()) + 1)[c.level]
    # contrasts that no level enters
    basis = np.linalg.svd(flat, full_matrices=True)[0][:, flat.shape[1] :]
    y, x, cov = basis.T @ (c.y / of.scale), basis.T @ log, basis.T @ cov @ basis
    inverse = np.linalg.inv(cov)
    rate = (x @ inverse @ y) / (x @ inverse @ x)
    noise = float((y - rate * x) @ inverse @ (y - rate * x)) / len(y)
    dense = stats.multivariate_normal.logpdf(y, rate * x, noise * cov)
    constant = 0.5 * np.linalg.slogdet(flat.T @ flat)[1] if levels != "own" else 0.0
    found = of.profile(energy, start, spread, 0.0 if levels == "own" else offset)
    assert found + constant == pytest.approx(dense, rel=1e-9)
    assert of.free_reads == len(y)


def test_time_is_brought_to_one_temperature() -> None:
    """The steps of a course add up; one at one temperature is stretched."""
    c = courses("own")
    of = Likelihood(c)
    log = of.log_time(0.7)
    faster = np.exp(0.7 / BOLTZMANN * (1 / of.kelvin - 1 / np.array([350.0, 400.0, 370.0])))
    assert np.exp(log[3]) == pytest.approx(1e5 * faster[0])
    last = 1e2 * faster[1] + (1e5 - 1e2) * faster[2]
    assert np.exp(log[-1]) == pytest.approx(last)
    assert log[0] == -np.inf
    assert of.begin(0.7) == pytest.approx(np.log(1e2 * faster[0]))
