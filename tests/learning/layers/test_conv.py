"""The drop-in convolutions: as torch's to their user, on the simulator and on an instrument."""

from typing import Any

import pytest
import torch
from torch import nn

import mho
from builders import instruments
from builders.networks import only_layer
from mho.cells import MultiLevel, OpenLoop

CELL = MultiLevel(g_min=10e-6, g_max=90e-6, levels=9, sigma=(3e-6,), device_spread=0.05)
HARDWARE = mho.Hardware(device=CELL, tile=(8, 12), programming=OpenLoop())

INPUTS = {1: (2, 4, 9), 2: (2, 4, 6, 7), 3: (2, 4, 4, 5, 6)}
KINDS = {1: mho.nn.MemristiveConv1d, 2: mho.nn.MemristiveConv2d, 3: mho.nn.MemristiveConv3d}
PLAIN = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
every_size = pytest.mark.parametrize("dims", [1, 2, 3])


@every_size
@pytest.mark.parametrize(
    "options",
    [
        {"groups": 2, "stride": 2, "padding": 1, "dilation": 1, "bias": False},
        {"groups": 4, "padding": "same", "padding_mode": "circular"},
        {"padding": "valid"},
    ],
)
def test_layers_are_made_as_torchs(dims: int, options: dict[str, Any]) -> None:
    torch.manual_seed(4)
    plain = PLAIN[dims](4, 8, 3, **options)
    torch.manual_seed(4)
    layer = KINDS[dims](4, 8, 3, **options, hardware=HARDWARE, generator=torch.Generator())
    assert torch.equal(layer.weight, plain.weight)
    assert repr(mho.to_digital(layer)) == repr(plain)
    assert layer(torch.zeros(INPUTS[dims])).shape == plain(torch.zeros(INPUTS[dims])).shape


@every_size
def test_what_does_not_fit_is_refused_by_name(dims: int) -> None:
    name = KINDS[dims].__name__
    with pytest.raises(ValueError, match=f"{name}.groups = 3: expected a number that divides"):
        KINDS[dims](4, 8, 3, groups=3, hardware=HARDWARE)
    with pytest.raises(ValueError, match=rf"{name}\.kernel_size = \[.*\]: expected"):
        KINDS[dims](4, 8, [3] * (dims + 1), hardware=HARDWARE)
    net = mho.convert(nn.Sequential(PLAIN[dims](4, 8, 5, groups=2)), HARDWARE)
    x = torch.zeros(INPUTS[dims])
    names = ", ".join(("depth", "height", "width")[3 - dims :] if dims > 1 else ("length",))
    with pytest.raises(ValueError, match=rf"0 input, of shape = .*: expected \(n, 4, {names}\)"):
        net(x[:, :3])
    least = " x ".join("5" * dims)
    with pytest.raises(ValueError, match=f"0 input, of shape = .*: expected at least {least} pix"):
        net(x[..., :4])


@pytest.mark.parametrize("settings", [{}, {"adc_per_tile": False}, {"slices": 2}])
@every_size
def test_groups_on_an_instrument_answer_as_simulated_ones(
    dims: int, settings: dict[str, Any], generator: torch.Generator
) -> None:
    torch.manual_seed(2)
    plain = PLAIN[dims](4, 6, 2, groups=2)
    quiet = instruments.CELL.replace(sigma=(0.0,), device_spread=0.0, read_noise=0.0)
    hardware = mho.Hardware(
        device=quiet, tile=(3, 12), dac_bits=8, adc_bits=14, transposed=False, **settings
    )
    x = torch.randn(INPUTS[dims], generator=generator)
    net, there = (mho.convert(plain, hardware).eval() for _ in range(2))
    mho.attach(there, instruments.chip(quiet, tile=(3, 12), arrays=80))
    for each in (net, there):
        mho.calibrate(each, x)
    assert only_layer(there).crossbar.tiling.grid[1] >= 2
    step = only_layer(net).adc.ranges.max().item() / 8191
    tiles = only_layer(net).crossbar.tiling.grid[0]
    torch.testing.assert_close(there(x), net(x), rtol=1e-3, atol=tiles * step)


def test_placement_lowers_the_error_of_each_group() -> None:
    torch.manual_seed(2)
    plain = nn.Conv2d(6, 12, 3, groups=3)
    errors = []
    for placement in (None, mho.Placement()):
        hardware = HARDWARE.replace(device=CELL.replace(stuck_off=0.05), placement=placement)
        net = mho.convert(plain, hardware, 4, generator=torch.Generator().manual_seed(1))
        layer = only_layer(net)
        away = (layer.effective - layer.target).square()
        errors.append(away.unflatten(1, (3, -1)).mean((2, 3)))  # (chips, groups)
    assert (errors[1].mean(0) < 0.9 * errors[0].mean(0)).all()


def test_arrays_of_a_group_are_a_deck_of_their_own_inputs() -> None:
    layer = only_layer(mho.convert(nn.Conv2d(4, 2, (1, 1), groups=2), HARDWARE))
    deck = mho.nn.netlist_of(layer, torch.tensor([0.25, 0.5, 1.0, 2.0]), volts_per_unit=0.1)
    assert "MemristiveConv2d 4 to 2" in deck
    driven = [line for line in deck.splitlines() if line.lower().startswith("v")]
    values = [float(line.split()[-1]) for line in driven if float(line.split()[-1]) != 0.0]
    assert values == pytest.approx([0.025, 0.05, 0.1, 0.2])


def test_wires_and_predistortion_see_each_group_alone(generator: torch.Generator) -> None:
    torch.manual_seed(2)
    plain = nn.Conv2d(4, 6, 3, groups=2)
    hardware = HARDWARE.replace(device=CELL.replace(sigma=(0.0,), device_spread=0.0))
    wired = hardware.replace(wire_resistance=20.0)
    x = torch.randn(2, 4, 6, 6, generator=generator)
    kinds = {"none": hardware, "wired": wired, "pre": wired.replace(predistortion=3)}
    y = {name: mho.convert(plain, each)(x) for name, each in kinds.items()}
    away = {name: (each - y["none"]).abs().mean().item() for name, each in y.items()}
    assert 0 < away["pre"] < 0.5 * away["wired"]
    # a group is on its arrays as it would be alone
    half = nn.Conv2d(2, 3, 3)
    with torch.no_grad():
        half.weight.copy_(plain.weight[:3])
        half.weight[0, 0, 0, 0] = plain.weight[0, 0, 0, 0] = plain.weight.abs().max()
    both, alone = (only_layer(mho.convert(each, wired)) for each in (plain, half))
    torch.testing.assert_close(both.effective[0, :3], alone.effective[0])
