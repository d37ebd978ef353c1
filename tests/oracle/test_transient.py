"""Transients against closed forms and against SciPy's stiff solvers."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from torch import Tensor

from mho.physics import GeneratorNoise, dynamics
from mho.physics.dynamics import (
    Adaptive,
    Biolek,
    DynamicModel,
    Fixed,
    IonDrift,
    Samples,
    Sine,
    Source,
    Triangle,
    Waveform,
    transient,
)

HP = dynamics.get("tio2-hp")
HERTZ = 2.0


def exact(model: IonDrift, t: Tensor, peak: float, hertz: float) -> Tensor:
    """State without a window under a sine: R^2 = R_0^2 - 2 k (R_off - R_on) flux."""
    k, span = model.mobility * model.r_on / model.depth**2, model.r_off - model.r_on
    flux = peak * (1 - torch.cos(2 * math.pi * hertz * t)) / (2 * math.pi * hertz)
    r = ((model.r_off - span * model.start) ** 2 - 2 * k * span * flux).sqrt()
    return (model.r_off - r) / span


def peak_to(model: IonDrift, share: float) -> float:
    """Amplitude of a sine of HERTZ that takes the state to `share` at most."""
    span = model.r_off - model.r_on
    first, last = (model.r_off - span * x for x in (model.start, share))
    k = model.mobility * model.r_on / model.depth**2
    return (first**2 - last**2) / (2 * k * span) * math.pi * HERTZ


def test_a_resistance_in_series_adds_to_that_of_linear_drift() -> None:
    """(R + R_s)^2 falls linearly with the flux of the source: ion drift of larger ends."""
    wave, series = Sine(amplitude=peak_to(HP, 0.8), frequency=HERTZ, cycles=2), 3e3
    trace = transient(HP, wave, samples=200, source=Source(resistance=series))
    k, span = HP.mobility * HP.r_on / HP.depth**2, HP.r_off - HP.r_on
    flux = wave.amplitude * (1 - torch.cos(2 * math.pi * HERTZ * trace.t)) / (2 * math.pi * HERTZ)
    start = HP.r_off - span * HP.start + series
    r = (start**2 - 2 * k * span * flux).sqrt() - series
    torch.testing.assert_close(trace.state, (HP.r_off - r) / span, rtol=0, atol=1e-5)
    applied = trace.v + series * trace.i
    torch.testing.assert_close(applied, wave.at(trace.t), rtol=0, atol=1e-12)


def test_at_compliance_linear_drift_is_that_of_a_constant_current() -> None:
    """dx/dt = k i, whatever the voltage asks for."""
    limit = 5e-5
    wave = Triangle(amplitude=1.5, frequency=1.0)
    source = Source(compliance=(limit, 1.0))
    quarter = torch.linspace(0.1, 0.25, 40, dtype=torch.float64)
    trace = transient(HP, wave, samples=quarter, source=source)
    assert (trace.i <= limit * (1 + 1e-12)).all()
    held = trace.i > limit * (1 - 1e-9)
    assert held.sum() > 10
    k = HP.mobility * HP.r_on / HP.depth**2
    slope = trace.state.diff() / trace.t.diff()
    both = held[1:] & held[:-1]
    torch.testing.assert_close(slope[both], torch.full_like(slope[both], k * limit))


@pytest.mark.parametrize("name", ["stanford-pku", "vteam-1k-300k"])
@pytest.mark.parametrize("series", [1.0, 1e4, 1e8])
def test_a_source_divides_its_voltage_as_kirchhoff_says(name: str, series: float) -> None:
    model = dynamics.get(name)
    off, on = model.ends({})
    x = torch.linspace(0, 1, 7, dtype=torch.float64)[:, None] * (on - off) + off
    volts = torch.linspace(-4, 4, 17, dtype=torch.float64)
    v = Source(resistance=series).across(model, x, volts, {})
    total = v + series * model.current(x, v, {})
    torch.testing.assert_close(total, volts.expand(total.shape), rtol=1e-9, atol=1e-12)
    v = Source(resistance=series, compliance=(1e-6, 1e-5)).across(model, x, volts, {})
    i = model.current(x, v, {})
    assert ((i >= -1e-5 * (1 + 1e-9)) & (i <= 1e-6 * (1 + 1e-9))).all()


def test_a_gap_at_rest_walks_by_its_noise() -> None:
    """Its variance after a time t is (delta(T0) noise_interval)^2 t / noise_interval."""
    model = dynamics.get("stanford-pku").replace(noise=1e-4, noise_interval=1e-6)
    wave = Samples(times=(0.0, 5e-5), volts=(0.0, 0.0))
    n = 4_000
    noise = GeneratorNoise((n,), torch.Generator().manual_seed(3), torch.float64)
    off, on = model.ends({})
    middle = torch.full((n,), 0.5 * (off + on), dtype=torch.float64)
    trace = transient(model, wave, samples=2, state=middle, noise=noise)
    delta = 1e-4 / (1 + math.exp((450 - 298) / 500))
    for k, count in ((1, 25), (2, 50)):
        walked = (trace.state[:, k] - middle).std().item()
        assert walked == pytest.approx(delta * 1e-6 * math.sqrt(count), rel=5 / math.sqrt(2 * n))


@pytest.mark.parametrize("method", [Adaptive(tolerance=1e-7), Fixed(substeps=4)], ids=str)
def test_linear_drift_under_a_sine(method: Adaptive | Fixed) -> None:
    peak = peak_to(HP, 0.9)
    wave = Sine(amplitude=peak, frequency=HERTZ, cycles=2)
    trace = transient(HP, wave, samples=200, method=method)
    torch.testing.assert_close(trace.state, exact(HP, trace.t, peak, HERTZ), rtol=0, atol=5e-6)
    assert trace.state.max() > 0.89


def test_the_state_counts_the_charge() -> None:
    """dx/dt = k i."""
    wave = Sine(amplitude=peak_to(HP, 0.8), frequency=HERTZ)
    half = torch.linspace(0, 0.5 / HERTZ, 2001, dtype=torch.float64)
    trace = transient(HP, wave, samples=half)
    k = HP.mobility * HP.r_on / HP.depth**2
    moved = (trace.state[-1] - trace.state[0]).item()
    assert k * trace.charge().item() == pytest.approx(moved, rel=1e-5)


def test_a_joglekar_window_of_exponent_one() -> None:
    """R_off ln x - R_on ln(1 - x) = its start + 4 k flux."""
    model = dynamics.get("tio2-joglekar")
    peak, wave = 2.0, Sine(amplitude=2.0, frequency=HERTZ)
    trace = transient(model, wave, samples=100, method=Adaptive(tolerance=1e-8))
    x = trace.state
    level = model.r_off * torch.log(x) - model.r_on * torch.log1p(-x)
    flux = peak * (1 - torch.cos(2 * math.pi * HERTZ * trace.t)) / (2 * math.pi * HERTZ)
    k = model.mobility * model.r_on / model.depth**2
    assert x.max() - x.min() > 0.3
    torch.testing.assert_close(level - level[0], 4 * k * flux, rtol=0, atol=1e-5 * model.r_off)


def test_third_order() -> None:
    """Eight times less error for steps of half the length."""
    peak = peak_to(HP, 0.7)
    wave = Sine(amplitude=peak, frequency=HERTZ)
    errors = []
    for substeps in (1, 2, 4, 8):
        trace = transient(HP, wave, samples=20, method=Fixed(substeps=substeps))
        errors.append((trace.state - exact(HP, trace.t, peak, HERTZ)).abs().max().item())
    ratios = [a / b for a, b in pairwise(errors)]
    assert all(6.5 < ratio < 10 for ratio in ratios), ratios


def test_error_follows_the_tolerance() -> None:
    peak = peak_to(HP, 0.9)
    wave = Sine(amplitude=peak, frequency=HERTZ)
    errors, steps = [], []
    for tolerance in (1e-3, 1e-5, 1e-7, 1e-9):
        trace = transient(HP, wave, samples=4, method=Adaptive(tolerance=tolerance))
        errors.append((trace.state - exact(HP, trace.t, peak, HERTZ)).abs().max().item())
        steps.append(int(trace.steps))
        assert errors[-1] < 20 * tolerance
    assert errors == sorted(errors, reverse=True)
    assert steps == sorted(steps)


CASES: dict[str, tuple[DynamicModel, Waveform]] = {
    "biolek": (HP.replace(window=Biolek(p=2.0)), Sine(amplitude=30.0, frequency=HERTZ)),
    "vteam": (dynamics.get("vteam-1k-300k"), Triangle(amplitude=-2.0, frequency=1e8)),
    "vteam with threshold": (dynamics.get("vteam-50-1k"), Sine(amplitude=-0.35, frequency=1e6)),
    "stanford-pku": (
        dynamics.get("stanford-pku").replace(field_min=0.0),
        Triangle(amplitude=1.5, frequency=1e5),
    ),
    "tiox-hfox": (dynamics.get("tiox-hfox-1.7nm"), Triangle(amplitude=1.3, frequency=1e4)),
}
"""Loops that leave the state between its ends for a while."""


def scipy_states(model: DynamicModel, wave: Waveform, t: Tensor) -> Tensor:
    """States by LSODA from one sample or corner to the next.

    The rate at an end holds beyond it, and what went beyond is set back: the same as a stop there,
    for between corners a voltage keeps its sign.
    """
    off, on = model.ends({})
    low, span = min(off, on), abs(on - off)

    def rate(u: float, x: np.ndarray, begin: float, length: float) -> list[float]:
        now = torch.tensor(low + span * min(max(x[0], 0.0), 1.0), dtype=torch.float64)
        v = wave.at(torch.tensor([begin + u * length], dtype=torch.float64))[0]
        return [model.rate(now, v, {}).item() / span * length]

    x = (off + (on - off) * model.start - low) / span
    grid = torch.cat([t, wave.corners()]).unique().tolist()
    at = {grid[0]: x}
    for begin, end in pairwise(grid):
        piece = (begin, end - begin)
        solved = solve_ivp(rate, (0, 1), [x], "LSODA", args=piece, rtol=1e-8, atol=1e-9)
        assert solved.success
        x = at[end] = min(max(float(solved.y[0, -1]), 0.0), 1.0)
    return low + span * torch.tensor([at[time] for time in t.tolist()], dtype=torch.float64)


@pytest.mark.parametrize(("model", "wave"), CASES.values(), ids=CASES)
def test_against_lsoda(model: DynamicModel, wave: Waveform) -> None:
    trace = transient(model, wave, samples=60, method=Adaptive(tolerance=1e-7))
    theirs = scipy_states(model, wave, trace.t)
    off, on = model.ends({})
    share = (theirs - off) / (on - off)
    between = ((share > 0.02) & (share < 0.98)).sum()
    assert between >= 3, share
    torch.testing.assert_close(trace.state, theirs, rtol=0, atol=2e-5 * abs(on - off))
