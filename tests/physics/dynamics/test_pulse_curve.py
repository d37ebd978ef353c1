import pytest
import torch

from mho.physics import dynamics
from mho.physics.dynamics import Adaptive, Fixed, PulseTrain, Samples, Sine, pulse_train, transient

MODEL = dynamics.get("vteam-1k-300k")
SET = PulseTrain(amplitude=-1.6, width=1e-9, rise=1e-10, rest=1e-9, count=12)
RESET = PulseTrain(amplitude=0.35, width=5e-9, rise=1e-10, rest=1e-9, count=8)


def test_a_curve_is_the_conductance_after_each_pulse() -> None:
    curve = pulse_train(MODEL, SET, RESET)
    assert curve.g.shape == (21,)
    assert curve.v.shape == (20,)
    assert curve.v.tolist() == [-1.6] * 12 + [0.35] * 8
    assert curve.width[:12].tolist() == [1e-9] * 12
    assert (curve.g[:13].diff() > 0).all()
    assert (curve.g[12:].diff() < 0).all()


def test_as_one_long_transient() -> None:
    x = torch.tensor([3e-9, 2e-9], dtype=torch.float64)
    curve = pulse_train(MODEL, SET, state=x)
    trace = transient(MODEL, SET, samples=SET.ends(), state=x)
    torch.testing.assert_close(curve.g[:, 1:], trace.g, rtol=0, atol=0)
    assert curve.g.shape == (2, 13)
    torch.testing.assert_close(curve.state, trace.state[:, -1], rtol=0, atol=0)


def test_pulses_in_parts_are_pulses_in_one() -> None:
    whole = pulse_train(MODEL, SET)
    first = pulse_train(MODEL, SET.replace(count=5))
    rest = pulse_train(MODEL, SET.replace(count=7), state=first.state)
    torch.testing.assert_close(torch.cat([first.g, rest.g[1:]]), whole.g, rtol=1e-6, atol=0)


def test_of_a_square_pulse_the_step_is_rate_times_width() -> None:
    """VTEAM without a window moves at a speed that the state does not change."""
    train = SET.replace(rise=1e-13)
    curve = pulse_train(MODEL, train)
    w = MODEL.state_of(curve.g, {})
    speed = -MODEL.k_on * (SET.amplitude / MODEL.v_on - 1) ** MODEL.alpha_on
    steps = -w.diff()
    torch.testing.assert_close(steps, torch.full_like(steps, speed * SET.width), rtol=1e-3, atol=0)


def test_devices_of_their_own() -> None:
    traits = {"v_on": torch.tensor([[-1.5, -1.45, -1.4]], dtype=torch.float64)}
    curve = pulse_train(MODEL, SET, state=torch.full((2, 1), 3e-9).double(), traits=traits)
    assert curve.g.shape == (2, 3, 13)
    assert (curve.g[:, :, -1].diff() > 0).all()


def test_no_train_is_refused() -> None:
    with pytest.raises(ValueError, match="trains"):
        pulse_train(MODEL)


@pytest.mark.parametrize("times", [[], [-1e-9, 1e-9], [1e-9, 1e-9], [1e-9, 1.0]])
def test_times_outside_the_waveform_are_refused(times: list[float]) -> None:
    with pytest.raises(ValueError, match="samples"):
        transient(MODEL, SET, samples=torch.tensor(times, dtype=torch.float64))


def test_steps_that_would_never_end_are_given_up() -> None:
    method = Adaptive(tolerance=1e-9, most_steps=3)
    x = torch.tensor([3e-9, 0.0], dtype=torch.float64)
    with pytest.raises(RuntimeError, match=r"not converged.*in 1 of 2 samples after 3"):
        transient(MODEL, SET.replace(width=1e-8), samples=1, state=x, method=method)


def test_devices_at_rest_cost_one_step_an_interval() -> None:
    """The rest is put aside while few are on their way, and nothing of theirs is lost."""
    n = 64
    drive = torch.full((n,), 0.1, dtype=torch.float64)
    drive[5] = 1.0
    wave = Samples(times=(0.0, 1e-9, 2e-9), volts=(0.0, -1.8, 0.0))
    trace = transient(MODEL, wave, samples=2, traits={"drive": drive})
    assert trace.steps[5] > 10
    others = torch.arange(n) != 5
    assert (trace.steps[others] <= 3).all()
    assert (trace.state[others] == 3e-9).all()
    alone = transient(MODEL, wave, samples=2, traits={"drive": drive[5]})
    torch.testing.assert_close(trace.state[5], alone.state, rtol=1e-12, atol=0)


def test_fixed_steps_are_counted() -> None:
    trace = transient(
        MODEL, Sine(amplitude=0.1, frequency=1e6), samples=6, method=Fixed(substeps=3)
    )
    assert trace.steps == 18


def test_a_corner_beside_a_sample_is_that_sample() -> None:
    """30 samples of three periods: some differ from the crossings in the last digit."""
    wave = Sine(amplitude=0.1, frequency=1 / 0.7, cycles=3)
    times = torch.linspace(0, wave.duration, 31, dtype=torch.float64)
    assert not set(wave.corners().tolist()) <= set(times.tolist())
    assert transient(MODEL, wave, samples=30, method=Fixed()).steps == 30
