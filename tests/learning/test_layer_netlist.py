"""The deck of a layer: whose cells and which voltages stand in it (ngspice's answer: oracle/)."""

import math

import pytest
import torch
from torch import Tensor, nn

import mho
from mho.circuits import netlist
from mho.learning.layers.layer import ArrayLayer, memristive_layers
from mho.nn import netlist_of


def layer(**options: int) -> ArrayLayer:
    """20 inputs, 5 outputs, three chips; 3 x 2 tiles of 7 rows."""
    hardware = mho.Hardware(device=mho.devices.get("hfo2-1t1r"), tile=(8, 6), **options)
    net = mho.convert(nn.Sequential(nn.Linear(20, 5)), hardware, chips=3)
    mho.calibrate(net, torch.linspace(-1, 1, 40).view(2, 20))
    (found,) = memristive_layers(net).values()
    return found


def voltages(x: Tensor, volts: float) -> Tensor:
    """Rows of the six tiles, each row of two tiles."""
    padded = nn.functional.pad(x.double(), (0, 1)).view(3, 7)
    return torch.stack([padded, padded], 1).flatten(0, 1) * volts


def test_all_tiles_or_one_of_a_chip() -> None:
    array, x = layer(), torch.linspace(-1, 1, 20)
    wires, law = mho.circuits.Wires(row=2.0), mho.circuits.Sinh()
    g, v = array.crossbar.conductance[2], voltages(x, 0.3)
    title = "MemristiveLinear 20 to 5, chip 2, 0.3 V a unit"
    deck = netlist_of(array, x, volts_per_unit=0.3, chip=2, wires=wires, conduction=law)
    assert deck == netlist(g, v, wires, law, title)
    deck = netlist_of(array, x, volts_per_unit=0.3, chip=2, tile=4)
    title = "MemristiveLinear 20 to 5, chip 2, tile 4 of 6, 0.3 V a unit"
    assert deck == netlist(g[4], v[4], title=title)


def test_rows_are_driven_by_the_converters() -> None:
    array, x = layer(dac_bits=3), torch.linspace(-1, 1, 20)
    seen = array.dac(x.expand(3, -1))[1]
    assert seen.unique().numel() == 7
    deck = netlist_of(array, x, volts_per_unit=1.0, chip=1)
    title = "MemristiveLinear 20 to 5, chip 1, 1.0 V a unit"
    assert deck == netlist(array.crossbar.conductance[1], voltages(seen, 1.0), title=title)


def test_nothing_of_the_layer_changes() -> None:
    array, x = layer(dac_bits=3), torch.linspace(-1, 1, 20, requires_grad=True)
    before = {k: v.clone() for k, v in array.state_dict().items() if isinstance(v, Tensor)}
    netlist_of(array, x)
    after = {k: v for k, v in array.state_dict().items() if k in before}
    torch.testing.assert_close(after, before, rtol=0, atol=0, equal_nan=True)


def test_a_convolution_takes_a_patch() -> None:
    net = mho.convert(nn.Conv2d(2, 3, 3), mho.Hardware(device=mho.devices.get("hfo2-1t1r")))
    (array,) = memristive_layers(net).values()
    x = torch.linspace(-1, 1, 18)
    g = array.crossbar.conductance[0, 0]
    title = "MemristiveConv2d 18 to 3, chip 0, tile 0 of 1, 0.2 V a unit"
    assert netlist_of(array, x, tile=0) == netlist(g, x.double() * 0.2, title=title)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": torch.zeros(19)}, r"x\.shape = \(19,\): expected \(20,\), one input"),
        ({"x": torch.zeros(1, 20)}, r"x\.shape = \(1, 20\)"),
        ({"x": torch.full((20,), math.nan)}, r"v\[0, 0\] = nan: expected a finite voltage"),
        ({"volts_per_unit": 0.0}, r"volts_per_unit = 0\.0: expected a finite number above 0 V"),
        ({"volts_per_unit": math.inf}, r"volts_per_unit = inf"),
        ({"chip": 3}, r"chip = 3: expected 0 to 2"),
        ({"chip": -1}, r"chip = -1"),
        ({"tile": 6}, r"tile = 6: expected 0 to 5"),
    ],
)
def test_bad_requests_are_named(change: dict[str, object], message: str) -> None:
    given = {"x": torch.zeros(20), **change}
    with pytest.raises(ValueError, match=message):
        netlist_of(layer(), **given)
