"""Time on chips whose laws depend on the conductance, or start with a spread."""

import copy
import math

import pytest
import torch
from torch import nn

import mho
from builders.networks import only_layer
from mho.hardware.programming import program_all
from mho.physics import PolynomialOfG, TableOfG

LOW, HIGH = 10e-6, 90e-6
CELL = mho.cells.MultiLevel(g_min=LOW, g_max=HIGH, levels=3, sigma=(0.0,))
STEEP = TableOfG(g=(LOW, HIGH), values=(0.01, 0.1))
LAWS = {
    "drift": {"retention": mho.cells.PowerLaw(nu=STEEP, nu_spread=0.01)},
    "rates": {
        "retention": mho.cells.LogTime(rate_spread=PolynomialOfG(coefficients=(0, 1e-6), unit=HIGH))
    },
    "start": {"retention": mho.cells.LogTime(rate_spread=1e-7, start_spread=1e-6)},
    "1/f noise": {"flicker": mho.cells.Flicker(amplitude=STEEP)},
    "both": {
        "retention": mho.cells.PowerLaw(nu=STEEP), "flicker": mho.cells.Flicker(amplitude=STEEP),
    },
}  # fmt: skip
laws = pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)


def net(law: dict, chips: int | None = 1, first_chip: int = 0, **more: object) -> nn.Module:  # type: ignore[type-arg]
    plain = nn.Linear(60, 40)
    with torch.no_grad():
        plain.weight.copy_(torch.linspace(-1, 1, 2400).sin().view(40, 60))
        plain.bias.zero_()
    hardware = mho.Hardware(device=CELL, mapping="single", **(law | more))
    return mho.convert(
        plain, hardware, chips, generator=torch.Generator().manual_seed(1), first_chip=first_chip
    )


def held(made: nn.Module) -> torch.Tensor:
    return only_layer(made).crossbar.conductance_seen


def at_level(made: nn.Module, level: int) -> torch.Tensor:
    crossbar = only_layer(made).crossbar
    program_all(crossbar, torch.full_like(crossbar.level, level))
    crossbar.solve_all()
    return held(made)


@laws
def test_a_chip_is_the_same_alone_copied_or_loaded(law: dict) -> None:  # type: ignore[type-arg]
    three, alone = net(law, 3), net(law, 1, first_chip=2)
    mho.age(three, 1000.0)
    mho.age(alone, 1000.0)
    assert torch.equal(held(three)[2], held(alone)[0])
    loaded = net(law, 3)
    loaded.load_state_dict(three.state_dict())
    for each in (copied := copy.deepcopy(three), loaded, three):
        mho.age(each, 1e5)
    assert torch.equal(held(copied), held(three))
    assert torch.equal(held(loaded), held(three))


@laws
def test_with_plain_wires_too(law: dict) -> None:  # type: ignore[type-arg]
    thin, none = net(law, wire_resistance=1e-6), net(law)
    for each in (thin, none):
        mho.age(each, 1e4)
    torch.testing.assert_close(held(thin), held(none), rtol=1e-3, atol=1e-12)


def test_drift_is_that_of_the_conductance_it_was_last_written_to() -> None:
    law = {"retention": mho.cells.PowerLaw(nu=STEEP)}
    made = net(law)
    for level, nu in ((0, 0.01), (2, 0.1), (1, 0.055)):
        fresh = at_level(made, level).clone()
        mho.age(made, math.exp(3.0))
        torch.testing.assert_close(held(made), fresh * math.exp(-3 * nu), rtol=1e-4, atol=0.0)


def test_noise_is_that_of_the_conductance_it_was_last_written_to() -> None:
    """From the write on, before any time passes; and drift does not change its share."""
    made = net(LAWS["both"])
    sigma = only_layer(made).hardware.flicker
    assert sigma is not None
    whole = math.sqrt(math.log(sigma.times[1] / sigma.times[0]) * len(sigma.times))
    for level, amplitude in ((0, 0.01), (2, 0.1)):
        seen = at_level(made, level)
        share = seen / only_layer(made).crossbar.conductance - 1
        assert share.std().item() == pytest.approx(whole * amplitude, rel=0.08)
        mho.age(made, 1e4)
        share = held(made) / only_layer(made).crossbar.conductance - 1
        assert share.std().item() == pytest.approx(whole * amplitude, rel=0.08)


def test_weights_that_are_written_have_the_noise_of_where_they_are() -> None:
    """As what a state of the same chip, folded anew, has."""
    made = net(LAWS["both"])
    mho.age(made, 100.0)
    layer = only_layer(made)
    with torch.no_grad():
        layer.weight[:20].neg_()
    mho.WriteStep(made)()
    crossbar = layer.crossbar
    assert crossbar.ageing is not None
    torch.testing.assert_close(held(made), crossbar.ageing.seen(crossbar.conductance))


def test_a_spread_at_the_start_is_there_at_once_and_grows() -> None:
    made = net(LAWS["start"])
    fresh = at_level(made, 1).clone()
    mho.age(made, 0.0)
    assert torch.equal(held(made), fresh)
    gone = 0.0
    for seconds, expected in ((1e-3, 1e-6), (1.0, 1e-6), (1e5, 1e-6 + 1e-7 * math.log(1e5))):
        mho.age(made, seconds - gone)
        gone = seconds
        assert (held(made) - fresh).std().item() == pytest.approx(expected, rel=0.05)
    again = at_level(made, 1)
    torch.testing.assert_close(again, fresh)


def test_a_spread_at_the_start_may_count_twice() -> None:
    cell = CELL.replace(written=mho.cells.SourceWrite(after=0.5))
    law = mho.cells.LogTime(start_spread=1e-6)
    with pytest.warns(UserWarning, match=r"begins 0 s after programming, before the 0\.5 s"):
        mho.Hardware(device=cell, retention=law)


@pytest.mark.parametrize("name", ["read noise", "write spread"])
def test_imperfections_keep_the_course(name: str) -> None:
    cell = CELL.replace(
        read_noise=STEEP, sigma=PolynomialOfG(coefficients=(1e-6, 1e-6), unit=HIGH, least=1.2e-6)
    )
    own = cell.imperfections()[name].value
    assert own > 0
    double = cell.with_imperfection(name, 2 * own)
    assert double.imperfections()[name].value == pytest.approx(2 * own)
    g = torch.tensor([LOW, 50e-6, HIGH])
    if name == "read noise":
        torch.testing.assert_close(double.read_variance(g), 4 * cell.read_variance(g))
    else:
        torch.testing.assert_close(double.spread(g), 2 * cell.spread(g))
    assert cell.ideal().imperfections()[name].value == 0


def test_conductances_that_are_loaded_have_the_noise_of_where_they_are() -> None:
    made = net(LAWS["both"])
    mho.age(made, 1e4)
    held_before = mho.conductances(made)
    mho.load_conductances(made, {name: 1.5 * g for name, g in held_before.items()})
    crossbar = only_layer(made).crossbar
    assert crossbar.ageing is not None
    noise = crossbar.conductance_seen / crossbar.conductance - 1
    share = crossbar.ageing.get_buffer("wander").sum(0) * STEEP.at(crossbar.conductance)
    torch.testing.assert_close(noise, share, rtol=1e-3, atol=1e-5)


def test_a_state_whose_relaxations_were_all_drawn_loads() -> None:
    """As earlier versions saved it: without what is left open of the 1/f noise."""
    made = net(LAWS["both"])
    state = {k: v for k, v in made.state_dict().items() if not k.endswith("wander_covariance")}
    again = net(LAWS["both"])
    again.load_state_dict(state)
    ageing = only_layer(again).crossbar.ageing
    assert ageing is not None
    assert not ageing.get_buffer("wander_covariance").any()
    torch.testing.assert_close(held(again), held(made))
    mho.age(again, 1e4)
    assert ageing.get_buffer("wander_covariance").any()
