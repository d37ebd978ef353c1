"""The list of NeuRRAM against what was published: half of it fitted, half predicted."""

from pathlib import Path

import pytest
import torch
from torch import nn

import mho
from builders.scripts import loaded

P = loaded(Path(__file__).parents[2] / "benchmarks" / "neurram_prices.py")


@pytest.mark.parametrize("points", ["FITTED", "PREDICTED"])
def test_energy_and_time_of_both_halves_are_within_a_quarter(points: str) -> None:
    prices = mho.prices.get("neurram-130nm")
    for k in getattr(P, points):
        energy, time = P.at(prices, *P.BITS[k])
        assert energy == pytest.approx(P.ENERGY[k], rel=0.25), P.BITS[k]
        assert time == pytest.approx(P.TIME[k], rel=0.25), P.BITS[k]


def test_the_list_is_what_the_fit_gives() -> None:
    prices = mho.prices.get("neurram-130nm")
    for name, value in P.fit().items():
        assert getattr(prices, name) == pytest.approx(value, rel=1e-3), name


def test_the_other_half_would_have_done() -> None:
    prices = mho.prices.get("neurram-130nm").replace(**P.fit(P.PREDICTED))
    for k in P.FITTED:
        energy, time = P.at(prices, *P.BITS[k])
        assert energy == pytest.approx(P.ENERGY[k], rel=0.25)
        assert time == pytest.approx(P.TIME[k], rel=0.25)


@pytest.mark.parametrize(("ins", "outs"), [(2, 4), (4, 6), (6, 8), (8, 10)])
def test_a_layer_of_one_macro_costs_what_was_measured(ins: int, outs: int) -> None:
    hardware = mho.Hardware(
        device="rram-neurram-1s", dac_bits=ins, adc_bits=outs, tile=(P.ROWS, 2 * P.COLUMNS)
    )
    torch.manual_seed(0)
    linear = nn.Linear(P.ROWS, P.COLUMNS)
    nn.init.normal_(linear.weight)
    net = mho.convert(linear, hardware)
    mho.calibrate(net, torch.randn(4, P.ROWS))
    cost = mho.price(mho.ledger(net), "neurram-130nm")
    k = P.BITS.index((ins, outs))
    assert cost.energy_per_input / P.MACS == pytest.approx(P.ENERGY[k], rel=0.25)
    assert cost.time_per_input == pytest.approx(P.TIME[k], rel=0.25)
    if outs == 8:  # what the area of the neurons is put to
        assert cost.area == pytest.approx(1.16e-6, rel=0.05)
