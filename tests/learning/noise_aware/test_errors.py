"""Errors of programming are those of the weights of converted chips."""

import warnings

import pytest
import torch
from torch import nn

import mho
from mho.cells import MultiLevel, OpenLoop, Resistance, Spread, TwoState, Verify
from mho.hardware.mapping import level_value
from mho.learning.noise_aware.errors import errors_of

CELL = MultiLevel(g_min=10e-6, g_max=90e-6, levels=5, sigma=(4e-6,), device_spread=0.02)
OPEN = OpenLoop()
KINDS = {
    "pcm-gst": {"device": "pcm-gst"},
    "rram-neurram-1s": {"device": "rram-neurram-1s"},
    "hfo2-1t1r": {"device": "hfo2-1t1r", "mapping": "single"},
    "open loop, offset": {"device": CELL, "programming": OPEN, "mapping": "offset"},
    "verified": {"device": CELL, "programming": Verify()},
    "stuck cells": {"device": CELL.replace(stuck_off=0.03, stuck_on=0.02), "programming": OPEN},
    "copies": {"device": CELL, "programming": OPEN, "copies": 3},
    "interleaved": {"device": CELL, "programming": OPEN, "interleaved": True},
    "slices": {"device": CELL, "programming": OPEN, "slices": 2},
    "fewer levels": {"device": CELL, "programming": OPEN, "weight_levels": 3},
    "two states": {
        "device": TwoState(
            r_on=Resistance(mean=10e3, device=Spread(cov=0.1)),
            r_off=Resistance(mean=100e3, device=Spread(cov=0.3)),
        ),
        "programming": OPEN,
        "weight_levels": 2,
        "mapping": "differential",
    },
}


def hardware_of(which: str) -> mho.Hardware:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return mho.Hardware(**KINDS[which])


@pytest.mark.parametrize("which", KINDS)
def test_each_level_has_the_mean_and_the_spread_of_chips(which: str) -> None:
    hardware = hardware_of(which)
    n, chips = hardware.levels, 3000
    values = level_value(torch.arange(n), 1.0, n)
    plain = nn.Linear(n, 1, bias=False)
    with torch.no_grad():
        plain.weight.copy_(values)
    generator = torch.Generator().manual_seed(8)
    (layer,) = mho.nn.memristive_layers(
        mho.convert(plain, hardware, chips, generator=generator)
    ).values()
    made = layer.effective[:, 0] - values  # (chips, levels)
    drawn = errors_of(hardware, 1.0, "cpu").of_levels.T  # (kept, levels)
    # a table is drawn once, from up to 16,384 weights
    error = 5 * made.std(0) * (1 / chips + 1 / 4096) ** 0.5 + 1e-6
    assert ((made.mean(0) - drawn.mean(0)).abs() <= error).all()
    torch.testing.assert_close(drawn.std(0), made.std(0), rtol=0.15, atol=1e-6)
    ratio = drawn.var(0).mean() / made.var(0).mean()
    assert ratio.item() == pytest.approx(1.0, abs=0.1)


def test_very_many_levels_share_a_table_of_bounded_size() -> None:
    many = mho.Hardware(device=CELL.replace(levels=16), slices=4)
    errors = errors_of(many, 1.0, "cpu")
    assert errors.levels == 2 * 16**4 - 1
    assert errors.of_levels.numel() <= 1 << 17


def test_wires_and_placement_are_left_aside_without_a_warning() -> None:
    plain = mho.Hardware(device="hfo2-1t1r")
    wired = plain.replace(wire_resistance=2.0)
    assert torch.equal(errors_of(plain, 1.0, "cpu")[0], errors_of(wired, 1.0, "cpu")[0])


def test_the_amount_is_a_factor() -> None:
    hardware = hardware_of("pcm-gst")
    whole, half = (errors_of(hardware, amount, "cpu") for amount in (1.0, 0.5))
    torch.testing.assert_close(half.of_levels, 0.5 * whole.of_levels)
