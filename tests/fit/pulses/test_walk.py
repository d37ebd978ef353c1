"""Likelihoods of reads against the library's own cell, joint normals and numerical integrals."""

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.integrate import quad

from mho.fit.pulses.walk import Walk, exact_reads, noisy_reads
from mho.physics import PulseResponse

CELL = PulseResponse(
    g_min=10e-6, g_max=90e-6, pulses=25, nonlinearity=(2.0, 0.7), reset_ratio=1.6, cycle_spread=0.5
)


def one(value: float) -> np.ndarray:
    return np.full((1, 1), value)


def walk(read: float = 0.02, curves: tuple[float, float] = CELL.nonlinearity) -> Walk:
    """The walk of the cell, in units of its window."""
    return Walk(
        one(0.0), one(1.0), one(curves[0]), one(curves[1]), one(np.log(CELL.reset_ratio)),
        one(np.log(CELL.cycle_spread / CELL.pulses)), one(np.log(read)), one(np.log(CELL.pulses)),
    )  # fmt: skip


@pytest.mark.parametrize("pulses", [1, 4, -1, -4])
def test_a_step_is_that_of_the_cell(pulses: int) -> None:
    low, high = CELL.window
    u = np.linspace(0.3, 0.7, 9)
    g = low + (high - low) * torch.from_numpy(u)
    n = torch.full(g.shape, pulses, dtype=torch.int32)
    mean, left, variance = walk().step(u[None], np.full(9, abs(pulses)), np.full(9, pulses > 0))
    still, up, near = (
        (CELL.respond(torch.full_like(g, z), g + 1e-9 * (high - low) * h, n, {}) - low).numpy()
        / (high - low)
        for z, h in ((0.0, 0.0), (0.1, 0.0), (0.0, 1.0))
    )
    np.testing.assert_allclose(mean[0], still, rtol=1e-10)
    np.testing.assert_allclose(variance[0], ((up - still) / 0.1) ** 2, rtol=1e-8)
    np.testing.assert_allclose(left[0] * np.ones(9), (near - still) / 1e-9, rtol=1e-5)


def test_exact_reads_have_a_density_of_1_in_all() -> None:
    """Inside the window a density, at its ends what would have gone beyond."""
    arguments = np.array([0.9]), np.array([3.0]), np.array([True])
    before, pulses, up = arguments

    def log(after: float, bounded: bool = True) -> float:
        return exact_reads(walk(), before, np.array([after]), pulses, up, bounded)[0].item()

    inside, _ = quad(lambda x: np.exp(log(x)), 1e-6, 1 - 1e-6)
    assert inside + np.exp(log(0.0)) + np.exp(log(1.0)) == pytest.approx(1.0, abs=1e-4)
    assert np.exp(log(1.0)) > 0.05
    whole, _ = quad(lambda x: np.exp(log(x, bounded=False)), -1, 3)
    assert whole == pytest.approx(1.0)


def test_noisy_reads_of_a_straight_cell_are_jointly_normal() -> None:
    """Even steps without ends: reads are sums of pulse errors and read errors."""
    straight, read = walk(0.03, (0.0, 0.0)), 0.03
    rng = np.random.default_rng(0)
    pulses = np.array([0, 1, 2, 1, 3, 1])
    up = np.array([True, True, True, False, False, True])
    g = np.cumsum(np.where(up, 1, -1.6) * pulses) / 25 + 0.4 + 0.03 * rng.standard_normal(6)
    g[3] = np.nan
    log, predicted, deviation = noisy_reads(straight, g[None], pulses[None], up[None], False)
    mean = g[0] + np.cumsum(np.where(up, 1, -1.6) * pulses) / 25
    size = (CELL.cycle_spread / 25) ** 2 * np.cumsum(pulses)
    state = read**2 + np.minimum.outer(size, size)  # the first read errs too
    cov = state + read**2 * np.eye(6)
    seen = [1, 2, 4, 5]
    joint = stats.multivariate_normal(mean[seen], cov[np.ix_(seen, seen)])
    assert log.sum() == pytest.approx(joint.logpdf(g[seen]), rel=1e-6)
    assert predicted[0, 0, 1] == pytest.approx(mean[1])
    assert deviation[0, 0, 1] == pytest.approx(cov[1, 1] ** 0.5)


def test_a_read_near_an_end_is_a_cut_normal_behind_read_noise() -> None:
    """One step: the state is cut at the ends, its tails heaped there, then read with an error."""
    read = 0.05
    w = walk(read)
    g, pulses, up = np.array([[0.9, 0.97]]), np.array([[0, 6]]), np.array([[True, True]])
    log = noisy_reads(w, g, pulses, up, True)[0].sum()
    moved, left, added = (x.item() for x in w.step(np.array([[0.9]]), pulses[:, 1], up[:, 1]))
    sd = (left**2 * read**2 + added) ** 0.5
    body, _ = quad(
        lambda x: stats.norm.pdf(x, moved, sd) * stats.norm.pdf(0.97, x, read), 0, 1, points=[0.97]
    )
    heaps = stats.norm.cdf(0, moved, sd) * stats.norm.pdf(0.97, 0, read)
    heaps += stats.norm.sf(1, moved, sd) * stats.norm.pdf(0.97, 1, read)
    assert log == pytest.approx(np.log(body + heaps), rel=1e-6)


def test_devices_take_their_own_numbers() -> None:
    both = Walk(*(np.full((1, 2), float(v)) for v in (0, 1, 1, 1, 0, -4, -4)),
                np.log([[20.0, 40.0]]))  # fmt: skip
    picked = both.of(np.array([1, 0, 1]))
    np.testing.assert_allclose(np.exp(picked.log_pulses), [[40, 20, 40]])
    step = picked.step(np.full((1, 3), 0.2), np.ones(3), np.full(3, True))[0]
    assert step[0, 0] == step[0, 2] < step[0, 1]
