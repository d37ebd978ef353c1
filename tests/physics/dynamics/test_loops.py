"""Pinched hysteresis loops: what frequency and symmetry do to them."""

import itertools

import pytest
import torch
from torch import Tensor

from mho.physics import dynamics
from mho.physics.dynamics import Adaptive, DynamicModel, Sine, Trace, Triangle, transient

FINE = Adaptive(tolerance=1e-7)
LOOPS: dict[str, tuple[DynamicModel, float, float]] = {
    "tio2-hp": (dynamics.get("tio2-hp"), 1.0, 2.0),
    "tio2-joglekar": (dynamics.get("tio2-joglekar"), 1.0, 1.0),
    "vteam-1k-300k": (dynamics.get("vteam-1k-300k").replace(start=0.5), 0.5, 2e6),
    "stanford-pku": (dynamics.get("stanford-pku").replace(start=0.5), 1.3, 1e7),
    "tiox-hfox": (dynamics.get("tiox-hfox-1.7nm").replace(start=0.7), 1.0, 1e7),
}
"""Model, amplitude and a frequency at which the state hardly reaches its ends."""

loops = pytest.mark.parametrize(("model", "volts", "hertz"), LOOPS.values(), ids=LOOPS)


def sweep(model: DynamicModel, volts: float, hertz: float) -> Trace:
    return transient(model, Sine(amplitude=volts, frequency=hertz), samples=400, method=FINE)


def area(trace: Trace) -> Tensor:
    """Area of both lobes over the area of the box around the loop [1]."""
    half = len(trace.t) // 2
    lobes = [
        torch.trapezoid(trace.i[part], trace.v[part]).abs()
        for part in (slice(0, half + 1), slice(half, None))
    ]
    return sum(lobes) / (4 * trace.v.abs().max() * trace.i.abs().max())


@loops
def test_lobes_shrink_with_frequency_until_a_resistor_is_left(
    model: DynamicModel, volts: float, hertz: float
) -> None:
    traces = [sweep(model, volts, factor * hertz) for factor in (1, 2, 4, 8, 64)]
    areas = [area(trace).item() for trace in traces]
    assert areas[0] > 1e-3
    assert all(b < a for a, b in itertools.pairwise(areas)), areas
    assert areas[-1] < 0.05 * areas[0]
    swings = [(trace.g.max() / trace.g.min() - 1).item() for trace in traces]
    assert swings[-1] < 0.05 * swings[0]
    start = model.current(traces[-1].state[0], traces[-1].v, {})
    torch.testing.assert_close(traces[-1].i, start, rtol=0, atol=0.05 * start.abs().max().item())


def test_doubling_a_high_frequency_halves_the_swing_of_the_state() -> None:
    """dx/dt depends on the flux of a half-cycle, which goes as 1 / frequency."""
    model = dynamics.get("tio2-hp")
    swings = []
    for hertz in (50.0, 100.0, 200.0):
        trace = sweep(model, 1.0, hertz)
        swings.append((trace.state.max() - trace.state.min()).item())
    assert swings[0] / swings[1] == pytest.approx(2, rel=0.02)
    assert swings[1] / swings[2] == pytest.approx(2, rel=0.01)


def test_linear_drift_is_a_function_of_the_flux() -> None:
    """Forward and back the same way: the state returns, and up and down it passes the same."""
    trace = sweep(dynamics.get("tio2-hp"), 2.0, 2.0)
    half = len(trace.t) // 2
    torch.testing.assert_close(trace.state, trace.state.flip(0), rtol=1e-5, atol=0)
    assert trace.state[half] - trace.state[0] > 0.05
    torch.testing.assert_close(trace.i, -trace.i.flip(0), rtol=1e-5, atol=1e-12)


def test_a_symmetric_window_makes_two_devices_face_to_face_the_same_device() -> None:
    """x -> 1 - x with R_on and R_off equal in rate: a Joglekar state mirrors under -v."""
    model = dynamics.get("tio2-joglekar").replace(r_on=99e3, r_off=100e3, mobility=1e-16)
    traces = [
        transient(model.replace(start=start), Sine(amplitude=volts, frequency=1.0), samples=50)
        for start, volts in ((0.3, 1.0), (0.7, -1.0))
    ]
    moved = (traces[0].state - 0.3).abs().max().item()
    assert moved > 0.05
    torch.testing.assert_close(traces[0].state, 1 - traces[1].state, rtol=0, atol=0.02 * moved)


def test_a_reset_stops_where_the_field_does() -> None:
    """A slow RESET ramp of the Verilog-A model: gamma |v| / t_ox stays at the least field."""
    model = dynamics.get("stanford-pku").replace(start=1.0)
    trace = transient(model, Triangle(amplitude=-1.8, frequency=10.0), samples=400)
    down = slice(60, 76)  # beyond the threshold, before the peak
    gap, v = trace.state[down], trace.v[down]
    gamma = model.gamma_reset - model.beta_reset * (gap / 1e-9) ** model.alpha
    held = gap < 0.999 * model.gap_max
    assert held.sum() >= 3
    field = (gamma * v.abs() / model.thickness)[held]
    torch.testing.assert_close(field, torch.full_like(field, model.field_min), rtol=1e-4, atol=0)
    assert trace.steps < 1500
