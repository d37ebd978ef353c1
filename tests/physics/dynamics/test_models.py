"""The equations, by numbers worked out from the sources apart from the code."""

import math

import pytest
import torch
from torch import Tensor

from mho.physics import dynamics
from mho.physics.dynamics import IonDrift, StanfordPku, Vteam


def one(value: float) -> Tensor:
    return torch.tensor([value], dtype=torch.float64)


def test_linear_drift() -> None:
    """R = 100 x + 16000 (1 - x); the rate at x = 1 is mobility x voltage / depth^2."""
    model = dynamics.get("tio2-hp")
    assert model.current(one(0.25), one(1.0), {}).item() == pytest.approx(1 / 12_025)
    assert model.rate(one(1.0), one(1.0), {}).item() == pytest.approx(1e-14 / 1e-16)
    assert model.rate(one(0.0), one(-1.0), {}).item() == pytest.approx(-100 / 160)


def test_vteam() -> None:
    """At twice a threshold the speed is k, at three times k 2^alpha."""
    model = dynamics.get("vteam-50-1k")
    assert isinstance(model, Vteam)
    for volts, speed in (
        (-0.4, -10.0),
        (-0.6, -10.0 * 2**3),
        (-0.19, 0.0),
        (0.019, 0.0),
        (0.04, 5e-4),
        (0.06, 5e-4 * 2),
    ):
        assert model.rate(one(1e-9), one(volts), {}).item() == pytest.approx(speed)
    assert model.conductance(one(1e-9), {}).item() == pytest.approx(1 / (50 + 950 / 3))
    bent = model.replace(form="exponential")
    assert bent.conductance(one(1e-9), {}).item() == pytest.approx(1 / (50 * 20 ** (1 / 3)))


def test_stanford_pku() -> None:
    """SET and RESET of the 1.7 nm bilayer at a gap of 1 nm."""
    model = dynamics.get("tiox-hfox-1.7nm")
    assert isinstance(model, StanfordPku)
    for volts, gamma in ((1.0, 16.8 - 1.1), (-1.0, 20.1 - 12.6), (0.02, 16.8 - 1.1)):
        i = 0.2e-3 * math.exp(-1 / 0.15) * math.sinh(volts / 0.35)
        kelvin = 300 + 5e5 * volts * i
        thermal = 8.617333262e-5 * kelvin
        speed = 5e6 * math.exp(-1.24 / thermal) * math.sinh(gamma * 0.25 / 6.7 * volts / thermal)
        rate = model.rate(one(1e-9), one(volts), {}).item()
        assert rate == pytest.approx(-speed, rel=1e-9, abs=0)
        assert model.current(one(1e-9), one(volts), {}).item() == pytest.approx(i)
        assert model.temperature(one(1e-9), one(volts), {}).item() == pytest.approx(kelvin)


def test_below_the_least_field_the_verilog_model_stands_still() -> None:
    """16 x 1 V / 12 nm = 1.33e9 V/m at a closed gap: too little; 1.1 V are enough."""
    model = dynamics.get("stanford-pku")
    assert model.rate(one(0.2e-9), one(-1.0), {}) == 0
    assert model.rate(one(0.2e-9), one(-1.1), {}) > 0
    assert model.rate(one(1.7e-9), one(1.3), {}) == 0, "gamma = 16 - 0.8 x 1.7^3 = 12.07"
    assert model.rate(one(1.7e-9), one(1.4), {}) < 0


def test_a_gap_without_enhancement_stands_still() -> None:
    """20.1 - 12.6 x 2 < 0: an enhancement below 0 would turn a RESET round."""
    model = dynamics.get("tiox-hfox-1.7nm").replace(gap_max=3e-9)
    assert model.rate(one(2e-9), one(-2.0), {}) == 0


@pytest.mark.parametrize(
    ("name", "changes", "field"),
    [
        ("tio2-hp", {"r_on": 16e3}, "IonDrift.r_on"),
        ("tio2-hp", {"start": 1.5}, "IonDrift.start"),
        ("vteam-50-1k", {"r_off": 40.0}, "Vteam.r_on"),
        ("vteam-50-1k", {"w_on": 3e-9}, "Vteam.w_on"),
        ("vteam-50-1k", {"k_on": 1.0}, "Vteam.k_on"),
        ("stanford-pku", {"gap_min": 2e-9}, "StanfordPku.gap_min"),
    ],
)
def test_records_that_make_no_device_are_refused(
    name: str, changes: dict[str, float], field: str
) -> None:
    with pytest.raises(ValueError, match=field):
        dynamics.get(name).replace(**changes)


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(ValueError, match="did you mean 'stanford-pku'"):
        dynamics.get("stanford_pku")
    assert isinstance(dynamics.get("tio2-hp"), IonDrift)
