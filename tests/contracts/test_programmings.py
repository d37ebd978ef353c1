"""Every way to program, on every published cell and on cells of every family that spread much."""

import math

import pytest
import torch

from mho.cells import MultiLevel, OpenLoop, PulseResponse, Resistance, Spread, TwoState, Verify
from mho.devices import DEVICES
from mho.physics import Cell, GeneratorNoise, Present, Programming

WIDE = Spread(distribution="truncated-normal", cov=0.5, lower=0.1)
CELLS: dict[str, Cell] = DEVICES | {
    "wide devices": TwoState(
        r_on=Resistance(mean=1e4, device=WIDE), r_off=Resistance(mean=1e5, device=WIDE)
    ),
    "wide cycles": TwoState(
        r_on=Resistance(mean=1e4, cycle=Spread(cov=0.5)),
        r_off=Resistance(mean=1e5, cycle=Spread(cov=0.8), device=Spread(cov=0.3)),
    ),
    "offsets": MultiLevel(
        g_min=0.0, g_max=80e-6, levels=5, sigma=(9e-6,), device_spread=0.1, read_noise=0.05
    ),
    "pulses": PulseResponse(
        g_min=10e-6, g_max=90e-6, levels=5, pulses=40, nonlinearity=(2.0, 1.0), reset_ratio=0.6,
        cycle_spread=2.0, device_spread=0.4,
    ),
}  # fmt: skip
PROGRAMMINGS: dict[str, Programming] = {
    "open loop": OpenLoop(),
    "by the curve": OpenLoop(assumes="curve"),
    "verify": Verify(),
    "fine": Verify(tolerance=0.1, max_pulses=5),
    "once": Verify(max_pulses=1),
    "read first": Verify(read_first=True),
}


@pytest.mark.parametrize("name", PROGRAMMINGS)
@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_cells_land_where_they_are_expected_on_average(cell: Cell, name: str) -> None:
    programming = PROGRAMMINGS[name]
    level = torch.arange(cell.states)
    shape = (max(2_000, 150_000 // cell.states), cell.states)
    noise = GeneratorNoise(shape, torch.Generator().manual_seed(3))
    present = None
    if programming.needs_present(cell):
        present = Present(torch.zeros(shape), torch.zeros(cell.states))
    g = programming.program(cell, level.float(), cell.traits(noise), noise, present).conductance
    g = g.double().expand(shape)
    expected = programming.mean(cell, level)
    error = 4.5 * g.std(0) / math.sqrt(len(g)) + 2e-4 * g.std(0) + 1e-6 * g.mean(0)
    assert ((g.mean(0) - expected).abs() <= error).all()
