"""Every law of conduction against what a law promises; a new one is one more entry in `LAWS`."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from mho.physics import Conduction, Ohmic, Sinh, Transistor

LAWS: dict[str, Conduction] = {
    "ohmic": Ohmic(),
    "sinh": Sinh(),
    "steep sinh": Sinh(v0=0.05),
    "1T1R": Transistor(),
    "1T1R of a weak transistor": Transistor(beta=2e-5, overdrive=0.3),
}

laws = pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
volts = st.floats(-0.8, 0.8)


def at(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


@laws
def test_an_open_cell_and_no_voltage_carry_no_current(law: Conduction) -> None:
    g = at(0.0, 1e-6, 1e-3)
    assert (law.current(at(0.0), g) == 0).all()
    assert law.current(at(0.5), g)[0] == 0
    assert law.slope(at(0.5), g)[0] == 0


@laws
@given(v=volts, ohm=st.floats(1e2, 1e8))
def test_the_slope_is_that_of_the_current(law: Conduction, v: float, ohm: float) -> None:
    volt, g = at(v).requires_grad_(), at(1 / ohm)
    (slope,) = torch.autograd.grad(law.current(volt, g), volt)
    torch.testing.assert_close(law.slope(at(v), g), slope, rtol=1e-9, atol=1e-18)


@laws
@given(v=volts, dv=st.floats(1e-6, 0.5), ohm=st.floats(1e2, 1e8))
def test_current_never_falls(law: Conduction, v: float, dv: float, ohm: float) -> None:
    low, high = law.current(at(v, v + dv), at(1 / ohm))
    assert high >= low


@laws
@given(v=volts, ohm=st.floats(1e2, 1e8))
def test_a_better_cell_carries_more(law: Conduction, v: float, ohm: float) -> None:
    good, bad = law.current(at(v), at(1.5 / ohm, 1 / ohm)).abs()
    assert good >= bad


@laws
def test_gradients_are_finite_where_cells_are_open(law: Conduction) -> None:
    v, g = at(-0.5, 0.0, 0.5, 5.0).requires_grad_(), at(0.0, 0.0, 0.0, 1e-3).requires_grad_()
    law.current(v, g).sum().backward()
    assert v.grad.isfinite().all()
    assert g.grad.isfinite().all()


def test_at_low_voltage_a_sinh_is_ohmic() -> None:
    v, g = at(1e-4, -1e-4), at(1e-3)
    torch.testing.assert_close(Sinh().current(v, g), g * v, rtol=1e-7, atol=0)


@given(v=volts, ohm=st.floats(1e2, 1e8))
def test_cell_and_channel_carry_the_same_current(v: float, ohm: float) -> None:
    """The equation is solved: x across the channel takes g (v - x) through it."""
    law, g = LAWS["1T1R of a weak transistor"], at(1 / ohm)
    i = law.current(at(v), g)
    x = at(v) - i / g
    channel = law.beta * (law.overdrive * x - x.square() / 2)
    channel = torch.where(x > law.overdrive, law.beta * law.overdrive**2 / 2, channel)
    torch.testing.assert_close(channel, i, rtol=1e-6, atol=1e-16)


@laws
def test_a_law_says_where_it_is_told_apart_and_what_it_is(law: Conduction) -> None:
    g, v = torch.tensor(1e-4, dtype=torch.float64), at(law.telling_voltage)
    assert law.telling_voltage > 0
    if law != Ohmic():
        assert abs(law.current(v, g).item() / (g * v).item() - 1) > 0.04
    name, text, values = law.datasheet()
    assert name == "I-V"
    assert text.count("{}") == len(values)
    cell = law.spice("0_1", "u", "w", 1e-4)
    assert cell
    assert all("0_1" in line and len(line.split()) >= 4 for line in cell)
