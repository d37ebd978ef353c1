"""Slow noise against its spectrum, its statistics, and time cut into parts."""

import math

import numpy as np
import pytest
import torch
from scipy import signal, stats
from torch import Tensor

from builders.noise import noise
from mho.physics import Flicker, Telegraph
from mho.physics.fluctuation import Relaxations

FLICKER = Flicker(amplitude=0.02, fastest=1e-3, slowest=1e2)
TELEGRAPH = Telegraph(depth=0.4, full=0.3, empty=0.9, dwell_spread=0.5)


def test_the_spectrum_falls_as_one_over_f() -> None:
    law, cells, step, length = FLICKER.replace(fastest=0.005), 512, 0.005, 2048
    source = noise(0, cells)
    state = law.start(source)
    trace = []
    for _ in range(length):
        law.advance(step, state, source)
        trace.append(state.expected.sum(0))
    f, density = signal.welch(torch.stack(trace, 1).numpy(), 1 / step, nperseg=1024)
    band = (f > 0.5) & (f < 2.0)  # inside the law's band, far below the sampling rate
    level = f[band] * density.mean(0)[band]
    for half in np.array_split(level, 2):
        assert half.mean() == pytest.approx(law.amplitude**2, rel=0.1)


def test_the_sum_of_lorentzians_is_one_over_f() -> None:
    f = np.logspace(np.log10(10 / FLICKER.slowest), np.log10(0.01 / FLICKER.fastest), 200)
    tau = np.array(FLICKER.times)[:, None]
    density = (4 * FLICKER.sigma**2 * tau / (1 + (2 * np.pi * f * tau) ** 2)).sum(0)
    np.testing.assert_allclose(f * density, FLICKER.amplitude**2, rtol=0.03)


class OneByOne:
    """In place of random numbers: 1 for one cell after the other, 0 for all others."""

    def __init__(self, n: int) -> None:
        self._rows = iter(torch.eye(n, dtype=torch.float64))

    def normal(self) -> Tensor:
        return next(self._rows)

    def uniform(self) -> Tensor:
        raise NotImplementedError


TIMES = {
    "once": [5.0],
    "cut into parts": [1e-3, 0.7, 4.299],
    "more often than there are relaxations": [0.3] * 20,
    "alike after a pause": [1e-6, 1e-6, 1e4, 1e-6, 1e-6],
    "long": [1e6, 1e6, 1e-3],
    "none between": [0.0, 1.0, 0.0, 1.0],
}


@pytest.mark.parametrize("seconds", TIMES.values(), ids=TIMES)
@pytest.mark.parametrize("law", [FLICKER, Flicker(amplitude=1.0, fastest=1.0, slowest=3.0)])
def test_what_is_seen_has_the_covariance_of_the_sum_of_all(
    law: Flicker, seconds: list[float]
) -> None:
    """Each look is a sum of the numbers drawn so far; their factors tell all covariances."""
    drawn = 1 + sum(t > 0 for t in seconds)
    source = OneByOne(drawn)
    state = law.start(source)
    looks, times = [state.expected.sum(0)], [0.0]
    for t in seconds:
        law.advance(t, state, source)
        looks.append(state.expected.sum(0))
        times.append(times[-1] + t)
    factors, at = torch.stack(looks), torch.tensor(times, dtype=torch.float64)
    tau = torch.tensor(law.times, dtype=torch.float64)
    apart = (at[:, None] - at).abs()
    expected = law.sigma**2 * torch.exp(-apart[..., None] / tau).sum(-1)
    torch.testing.assert_close(factors @ factors.T, expected, rtol=1e-6, atol=1e-9 * law.sigma**2)


def test_relaxations_that_were_drawn_go_on_by_themselves() -> None:
    """As states of earlier versions have them: nothing is open."""
    n, k = 20_000, len(FLICKER.times)
    source = noise(1, n)
    start = FLICKER.sigma * torch.stack([source.normal() for _ in range(k)])
    state = Relaxations(start.clone(), torch.zeros(k, k, dtype=torch.float64))
    FLICKER.advance(5.0, state, source)
    kept = torch.exp(-5.0 / torch.tensor(FLICKER.times, dtype=torch.float64))
    left = state.expected.sum(0) - (kept[:, None] * start).sum(0)
    fresh = FLICKER.sigma**2 * (1 - kept**2).sum()
    assert left.var().item() == pytest.approx(fresh.item(), rel=0.03)
    assert abs(torch.corrcoef(torch.stack([left, start.sum(0)]))[0, 1].item()) < 0.03


def test_no_time_changes_nothing() -> None:
    source = noise(2, 100)
    state = FLICKER.start(source)
    before = state.expected.clone()
    FLICKER.advance(0.0, state, source)
    assert torch.equal(state.expected, before)
    full, pace = TELEGRAPH.start(source), TELEGRAPH.paces(source)
    assert torch.equal(TELEGRAPH.after(0.0, full, pace, source), full)


def test_traps_fill_and_empty_at_their_times() -> None:
    """Fine steps of a chain with exponential dwell times, and one step, end alike."""
    law, n = TELEGRAPH.replace(dwell_spread=0.0), 20_000
    source = noise(3, n)
    pace = law.paces(source)
    empty = torch.zeros(n, dtype=torch.bool)
    at_once = law.after(0.2, empty, pace, source).double().mean().item()
    often = empty
    for _ in range(20):
        leave = torch.where(often, 0.01 / law.full, 0.01 / law.empty)
        often = torch.where(source.uniform() < leave, ~often, often)
    rate = 1 / law.full + 1 / law.empty
    expected = law.occupied * -math.expm1(-0.2 * rate)
    assert at_once == pytest.approx(expected, abs=0.01)
    assert often.double().mean().item() == pytest.approx(expected, abs=0.015)
    late = law.after(1e9, empty, pace, source)
    assert stats.binomtest(int(late.sum()), n, law.occupied).pvalue > 1e-4


def test_depths_are_uniform_on_the_cells_that_have_a_trap() -> None:
    law = TELEGRAPH.replace(share=0.25)
    depth = law.depths(noise(4, 20_000))
    assert (depth > 0).double().mean().item() == pytest.approx(0.25, abs=0.01)
    assert stats.kstest(depth[depth > 0].numpy(), "uniform", (0, 0.4)).pvalue > 1e-3


def test_impossible_bands_are_refused() -> None:
    with pytest.raises(ValueError, match=r"Flicker.fastest = 10.*below slowest = 1 s"):
        Flicker(amplitude=0.1, slowest=1.0, fastest=10.0)
    with pytest.raises(ValueError, match=r"Telegraph.depth = 1.5"):
        Telegraph(depth=1.5, full=1.0, empty=1.0)
