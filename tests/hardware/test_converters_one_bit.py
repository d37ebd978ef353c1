"""Inputs of 1 bit, and inputs without sign."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import mho
from mho.errors import InvalidInput
from mho.hardware.converters import Converter
from mho.hardware.tally import Tally

CELL = mho.cells.MultiLevel(g_min=1e-6, g_max=1e-4, levels=9)
KINDS = {
    "1 bit, signed": (1, True),
    "1 bit": (1, False),
    "2 bits": (2, False),
    "5 bits": (5, False),
    "5 bits, signed": (5, True),
    "2 bits, signed": (2, True),
}
every_kind = pytest.mark.parametrize(("bits", "signed"), KINDS.values(), ids=[*KINDS])


def converter(bits: int, signed: bool, scale: float = 2.0, chips: int = 1) -> Converter:
    made = Converter("DAC", bits, 1.0, chips, signed=signed)
    made.ranges = [scale] * chips
    return made


def values(bits: int, signed: bool) -> Tensor:
    """All values, by definition, with a range of 1."""
    if signed and bits == 1:
        return torch.tensor([-1.0, 1.0])
    most = 2 ** (bits - signed) - 1
    return torch.arange(-most if signed else 0, most + 1) / most


@every_kind
@pytest.mark.parametrize("chips", [1, 2])
@pytest.mark.parametrize("compiled", [True, False])
def test_inputs_go_to_the_nearest_value(
    bits: int, signed: bool, chips: int, compiled: bool
) -> None:
    adc = converter(bits, signed, chips=chips)
    x = torch.linspace(-3.0 if signed else 0.0, 3.0, 602)
    if compiled:
        y = adc(x)
    else:
        with mho.kernels.off():
            y = adc(x)
    grid = 2 * values(bits, signed)
    torch.testing.assert_close(y.unique(), grid)
    away = (y - x).abs()
    nearest = (grid - x.unsqueeze(-1)).abs().amin(-1)
    torch.testing.assert_close(away, nearest, rtol=0, atol=1e-5)
    converted = adc(torch.tensor([math.nan, math.inf, 0.0, math.nan]))
    assert converted.isnan().tolist() == [True, False, False, True]
    assert converted[1] == 2
    assert converted[2] == (2 if signed and bits == 1 else 0)


@every_kind
def test_bits_one_after_another_add_up_to_the_value(bits: int, signed: bool) -> None:
    dac = converter(bits, signed)
    x = dac(torch.linspace(-2.0 if signed else 0.0, 2.0, 301))
    planes = [*dac.planes(x)]
    assert len(planes) == bits
    total = torch.zeros_like(x)
    for factor, plane in planes:
        allowed = [-2.0, 2.0] if dac.by_sign else [0.0, 2.0]
        assert torch.isin(plane, torch.tensor(allowed)).all()
        assert factor > 0 or signed
        total += factor * plane
    torch.testing.assert_close(total, x)


def test_the_gradient_of_a_sign_stops_beyond_the_range() -> None:
    dac = converter(1, True)
    x = torch.tensor([-2.5, -1.9, -0.0, 0.3, 2.0, 2.1], requires_grad=True)
    tally = dac.tally = Tally(dac.shape)
    dac(x).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0, 1, 1, 1, 1, 0]
    assert tally.conversions == 6
    assert tally.saturated is not None
    assert tally.saturated.tolist() == [2]


# ------------------------------------------------------------------ networks


def hardware(bits: int, signed: bool, **changes: Any) -> mho.Hardware:
    given = {"device": CELL, "tile": 16, "dac_bits": bits, "signed_inputs": signed}
    return mho.Hardware(**given | changes)


def on_chips(model: nn.Module, kind: mho.Hardware, x: Tensor, chips: int | None = None) -> Any:
    net = mho.convert(model, kind, chips=chips, generator=torch.Generator().manual_seed(0))
    return mho.calibrate(net, x).eval()


@every_kind
@pytest.mark.parametrize("chips", [None, 2])
def test_serial_inputs_give_what_parallel_ones_do(
    bits: int, signed: bool, chips: int | None
) -> None:
    torch.manual_seed(0)
    layer, x = nn.Linear(40, 6), torch.randn(9, 40)
    x = x if signed else x.relu()
    found = []
    for way in ({}, {"serial_inputs": True}, {"serial_inputs": True, "serial_sum": "analog"}):
        kind = hardware(bits, signed, adc_bits=14, **way)
        with torch.no_grad():
            found.append(on_chips(layer, kind, x, chips)(x))
    for other in found[1:]:
        torch.testing.assert_close(other, found[0], rtol=0, atol=4e-3)


def test_a_binary_network_sees_signs_and_padding_is_no_input() -> None:
    torch.manual_seed(0)
    conv, x = nn.Conv2d(2, 3, 3, padding=1), torch.randn(4, 2, 5, 5)
    net = on_chips(conv, hardware(1, True, dac_range=1.0), x)
    weight = net.store.effective.view_as(conv.weight)
    signs = torch.where(x < 0, -1.0, 1.0)
    with torch.no_grad():
        torch.testing.assert_close(net(x), torch.conv2d(signs, weight, conv.bias, padding=1))
        unsigned = on_chips(conv, hardware(1, False, dac_range=1.0), x.relu())
        ones = (x > 0.5).float()
        torch.testing.assert_close(
            unsigned(x.relu()), torch.conv2d(ones, weight, conv.bias, padding=1)
        )


def test_negative_inputs_without_sign_are_refused_and_the_layer_is_named() -> None:
    model, x = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2)), torch.rand(5, 4)
    with pytest.raises(InvalidInput, match=r"input of 1 .*0 or more where Hardware\.signed_inputs"):
        on_chips(model, hardware(4, False), x)
    with pytest.raises(InvalidInput, match=r"input of 0.*signed_inputs"):
        mho.noise_aware(model, hardware(4, False))(-x)
    with pytest.raises(InvalidInput, match=r"signed_inputs = False.*True without dac_bits"):
        mho.Hardware(device=CELL, signed_inputs=False)
    assert hardware(4, False).with_converters(None).signed_inputs


@every_kind
def test_training_that_is_noise_aware_takes_them(bits: int, signed: bool) -> None:
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(12, 5)), torch.randn(30, 12)
    x = x if signed else x.relu()
    kind = hardware(bits, signed, adc_bits=8)
    net = mho.noise_aware(model, kind, generator=torch.Generator().manual_seed(0)).train()
    given = x.clone().requires_grad_()
    net(given).square().mean().backward()
    assert given.grad is not None
    assert given.grad.isfinite().all()
    assert given.grad.any()
    assert all(p.grad is None or p.grad.isfinite().all() for p in net.parameters())
    trained = mho.convert(net.eval(), kind, generator=torch.Generator().manual_seed(0)).eval()
    mho.calibrate(trained, x)
    with torch.no_grad():
        expected, found = net(x), trained(x)
    assert (found - expected).abs().mean() < 0.1 * expected.std()


@every_kind
def test_states_saturation_and_tuning_know_them(bits: int, signed: bool) -> None:
    torch.manual_seed(0)
    layer, x = nn.Linear(20, 5), torch.rand(50, 20)
    kind = hardware(bits, signed, adc_bits=8)
    net = on_chips(layer, kind, x, 2)
    other = mho.convert(layer, kind, chips=2)
    other.load_state_dict(net.state_dict())
    with torch.no_grad():
        assert torch.equal(other.eval()(x), net(x))
    counted = next(iter(mho.saturation(net, x).values())).dac
    assert counted.most == (1 if bits == 1 else 2 ** (bits - signed) - 1)
    assert (counted.loading <= 1).all()
    assert (counted.saturated == 0).all()
    mho.tune(net, x, per="column")
    with pytest.raises(ValueError, match=r"signed_inputs|dac_bits"):
        mho.convert(layer, hardware(bits, not signed, adc_bits=8), chips=2).load_state_dict(
            net.state_dict()
        )


def test_drivers_of_inputs_without_sign_take_a_pulse_for_each_bit() -> None:
    layer, x = nn.Linear(20, 5), torch.rand(50, 20)
    prices = mho.prices.get("neurram-130nm")
    assert (prices.steps(4), prices.steps(4, False), prices.steps(1), prices.steps(1, False)) == (
        3, 4, 1, 1,
    )  # fmt: skip
    assert prices.replace(driver="width").steps(4, False) == 15
    energies = {}
    for bits, signed in ((5, True), (4, False), (4, True)):
        net = on_chips(layer, hardware(bits, signed, adc_bits=8), x)
        with torch.no_grad():
            net(x)
        energies[bits, signed] = mho.price(mho.ledger(net), prices).energy_per_input
    assert energies[4, False] == pytest.approx(energies[5, True], rel=1e-9)
    assert energies[4, True] < energies[4, False]
