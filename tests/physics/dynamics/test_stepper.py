"""One step, its error, and who goes on."""

import itertools
import math

import pytest
import torch

from mho.physics import dynamics
from mho.physics.dynamics import Adaptive, Samples, transient
from mho.physics.dynamics.stepper import Devices, Motion, error, step

HP = dynamics.get("tio2-hp")


def test_the_error_is_that_of_second_order() -> None:
    """A step of half the length has an eighth of it, and a true error a sixteenth."""
    devices = Devices(HP, {}, *HP.limits({}, torch.zeros(1, dtype=torch.float64)))
    x = torch.tensor([0.3], dtype=torch.float64)
    slope = devices.rate(x, torch.full_like(x, 0.5))
    k, span = HP.mobility * HP.r_on / HP.depth**2, HP.r_off - HP.r_on
    estimates, errors = [], []
    for h in (0.1, 0.05, 0.025):
        length = torch.tensor([h], dtype=torch.float64)
        to = step(devices, lambda s: torch.full_like(s, 0.5), torch.zeros_like(x), length, x, slope)
        now = Motion(x, slope, length, torch.zeros(1, dtype=torch.int64))
        estimates.append(error(devices, now, length, to).item())
        r = math.sqrt((HP.r_off - span * 0.3) ** 2 - 2 * k * span * 0.5 * h)
        errors.append(to.x.item() - (HP.r_off - r) / span)
    assert all(6.5 < a / b < 10 for a, b in itertools.pairwise(estimates))
    assert all(abs(e) < abs(estimate) for e, estimate in zip(errors, estimates, strict=True))
    assert errors[0] / errors[1] > 12


@pytest.mark.parametrize("volts", [0.02, -0.02])
def test_a_long_step_does_not_overrun_what_slows_down_before_its_end(volts: float) -> None:
    """Under a window a state nears its end and never reaches it: the closed form says how near."""
    model = dynamics.get("tio2-joglekar").replace(start=0.5, r_on=99e3)
    wave = Samples(times=(0.0, 1e-9, 0.5), volts=(0.0, volts, volts))
    x = transient(model, wave, samples=1, method=Adaptive(tolerance=1e-6)).state[-1].item()
    flux = volts * (0.5 - 0.5e-9)
    k = model.mobility * model.r_on / model.depth**2
    level = model.r_off * math.log(x) - model.r_on * math.log1p(-x)
    start = (model.r_off - model.r_on) * math.log(0.5)
    assert min(x, 1 - x) < 0.03
    assert level - start == pytest.approx(4 * k * flux, rel=1e-3)


def test_devices_that_arrive_one_after_the_other_are_each_as_if_alone() -> None:
    """Most of them are put aside, more than once, before the last is through."""
    model = dynamics.get("tiox-hfox-1.7nm").replace(start=1.0)
    wave = Samples(times=(0.0, 1e-9, 1e-6), volts=(0.0, -2.0, -2.0))
    drive = torch.linspace(0.05, 1.0, 40, dtype=torch.float64) ** 2
    drive = drive[torch.randperm(40, generator=torch.Generator().manual_seed(1))]
    trace = transient(model, wave, samples=1, traits={"drive": drive})
    assert trace.steps.max() > 4 * trace.steps.double().quantile(0.2)
    for k in range(0, 40, 5):
        alone = transient(model, wave, samples=1, traits={"drive": drive[k]})
        torch.testing.assert_close(trace.state[k], alone.state, rtol=1e-12, atol=0)
        assert trace.steps[k] == alone.steps
