"""A state says which hardware it is of; into another it does not load."""

import copy
from typing import Any

import pytest
import torch
from torch import nn

import mho
from mho import Hardware

CELL = mho.cells.MultiLevel(g_min=10e-6, g_max=90e-6, levels=5, sigma=(2e-6,))
BASE = Hardware(device=CELL, tile=(5, 8), dac_bits=6, adc_bits=8)
TWO = mho.devices.get("two-state-10k-100k")

OTHERS: dict[str, dict[str, Any]] = {
    "device.g_min": {"device": CELL.replace(g_min=5e-6)},
    "device.g_max": {"device": CELL.replace(g_max=91e-6)},
    "device.levels": {"device": CELL.replace(levels=9), "weight_levels": 9},
    "device.sigma": {"device": CELL.replace(sigma=(3e-6,))},
    "device.read_noise": {"device": CELL.replace(read_noise=0.01)},
    "device.endurance": {"device": CELL.replace(endurance=1e6)},
    "device.family": {"device": TWO},
    "mapping": {"mapping": "offset"},
    "interleaved": {"interleaved": True},
    "copies": {"copies": 2},
    "slices": {"slices": 2},
    "tile": {"tile": (8, 5)},
    "weight_levels": {"weight_levels": 5},
    "dac_bits": {"dac_bits": 7},
    "adc_bits": {"adc_bits": 7},
    "adc_range": {"adc_range": "column"},
    "dac_range": {"dac_range": 2.0},
    "adc_per_tile": {"adc_per_tile": False},
    "serial_inputs": {"serial_inputs": True},
    "serial_(sum|inputs)": {"serial_inputs": True, "serial_sum": "analog"},
    "wire_resistance": {"wire_resistance": 1.0},
    "retention": {"retention": mho.cells.PowerLaw(nu=0.05)},
    "flicker": {"flicker": mho.cells.Flicker(amplitude=0.01)},
}
ALIKE: dict[str, dict[str, Any]] = {
    "programming": {"programming": mho.cells.OpenLoop()},
    "transposed": {"transposed": False},
    "coverage": {"coverage": 0.99},
    "full_scale": {"full_scale": 3.0},
    "note": {"device": CELL.replace(note="as measured", doi="10.1/2")},
}


def network(hardware: Hardware, chips: int | None = None, seed: int = 1) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = nn.Sequential(nn.Linear(12, 7), nn.ReLU(), nn.Linear(7, 4))
    net = mho.convert(model, hardware, chips, generator=torch.Generator().manual_seed(seed))
    return mho.calibrate(net, torch.ones(2, 12))


def kept(net: nn.Module) -> dict[str, torch.Tensor]:
    return copy.deepcopy(net.state_dict())


@pytest.mark.parametrize("chips", [None, 2])
@pytest.mark.parametrize("field", OTHERS)
def test_a_state_of_other_hardware_is_refused_whole(field: str, chips: int | None) -> None:
    other, mine = network(BASE.replace(**OTHERS[field]), chips), network(BASE, chips, seed=2)
    for theirs, into in ((other, mine), (mine, other)):
        before = kept(into)
        with pytest.raises(ValueError, match=rf"0\.crossbar\.hardware: {field}.* = .*: expected"):
            into.load_state_dict(theirs.state_dict())
        for name, value in into.state_dict().items():
            assert torch.equal(value.nan_to_num(), before[name].nan_to_num()), name


@pytest.mark.parametrize("field", ALIKE)
def test_what_says_how_to_go_on_may_differ(field: str) -> None:
    other, mine = network(BASE.replace(**ALIKE[field])), network(BASE, seed=2)
    x = torch.randn(5, 12, generator=torch.Generator().manual_seed(1))
    mine.load_state_dict(other.state_dict())
    assert torch.equal(mine(x), other(x))


@pytest.mark.parametrize("field", ["device.levels", "adc_range"])
def test_a_state_that_does_not_say_its_hardware_is_looked_at(field: str) -> None:
    """As earlier versions saved it."""
    other, mine = network(BASE.replace(**OTHERS[field])), network(BASE)
    state = {k: v for k, v in other.state_dict().items() if not k.endswith("hardware")}
    with pytest.raises(ValueError, match=r"0\.(crossbar\.level|_extra_state: numbers) = "):
        mine.load_state_dict(state)
    same = {k: v for k, v in kept(network(BASE, seed=2)).items() if not k.endswith("hardware")}
    mine.load_state_dict(same)


def test_a_network_within_another_is_looked_at_first() -> None:
    wrong = nn.ModuleDict({"head": nn.Linear(2, 2), "body": network(BASE.replace(copies=2))})
    whole = nn.ModuleDict({"head": nn.Linear(2, 2), "body": network(BASE)})
    with pytest.raises(ValueError, match=r"body\.0\.crossbar\.hardware: copies = 2"):
        whole.load_state_dict(wrong.state_dict())
