"""Every way to program, on every published cell and on cells of every family that spread much."""

import math

import pytest
import torch

import mho
from mho.cells import (
    AsMeasured,
    MultiLevel,
    OpenLoop,
    PulseResponse,
    Resistance,
    SourceWrite,
    Spread,
    TwoState,
    Verify,
)
from mho.devices import DEVICES
from mho.physics import Cell, GeneratorNoise, Present, Programming, PulsedCell
from mho.physics.pulsed_cell import Response, whole_pulses

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
    "as measured": AsMeasured(),
}
LANDING = {name: cell for name, cell in CELLS.items() if not cell.remembers}


ENDS = torch.tensor([-1.0, 1.0], dtype=torch.float64)
"""Normal scores whose quantiles are a standard deviation from the middle."""


@pytest.mark.parametrize("name", PROGRAMMINGS)
@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_cells_land_where_they_are_expected_on_average(cell: Cell, name: str) -> None:
    programming = PROGRAMMINGS[name]
    if name == "as measured":
        if cell.remembers:
            pytest.skip("its numbers are of single pulses")
        cell = cell.replace(written=SourceWrite())
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
    if isinstance(cell, PulsedCell):  # half a pulse too many or too few
        pulses = cell.crossing[0] * level / (cell.states - 1)
        low, high = cell.window
        error += (pulses.frac() == 0.5) * (high - low) / cell.crossing[0]
    assert ((g.mean(0) - expected).abs() <= error).all()


def published(cell: Cell, level: int) -> torch.Tensor:
    """Conductances (2,) [S] a standard deviation to either side, by the record's own numbers."""
    if isinstance(cell, MultiLevel):
        g = cell.nominal(torch.tensor(float(level), dtype=torch.float64))
        offset = cell.device_spread * (cell.g_max - cell.g_min)
        return g + ENDS * torch.hypot(cell.spread(g), torch.tensor(offset, dtype=g.dtype))
    assert isinstance(cell, TwoState)
    state = cell.r_on if level else cell.r_off
    assert 0 in (state.device.cov, state.cycle.cov)
    return 1 / (state.mean * state.device.factor(-ENDS) * state.cycle.factor(-ENDS))


@pytest.mark.parametrize("name", LANDING)
@pytest.mark.parametrize("way", ["by name", "cell alone", "written"])
def test_without_a_programming_cells_spread_as_their_numbers_say(name: str, way: str) -> None:
    cell = LANDING[name]
    if way == "by name" and name not in DEVICES:
        pytest.skip("no preset")
    if way == "written":
        cell = cell.replace(written=SourceWrite(pulses=3))
    hardware = mho.Hardware(device=name if way == "by name" else cell)
    if name not in DEVICES and way != "written":
        pytest.skip("of single pulses, which the default verifies")
    noise = GeneratorNoise((100_000,), torch.Generator().manual_seed(7))
    for level in range(cell.states):
        if isinstance(cell, TwoState) and name == "wide cycles" and level == 0:
            continue  # of devices and cycles together: no quantile in closed form
        done = hardware.writing.program(
            cell, torch.full((100_000,), float(level)), cell.traits(noise), noise
        )
        found = torch.quantile(done.conductance.double(), torch.special.ndtr(ENDS))
        wanted = published(cell, level).clamp(min=0.0)
        width = float(wanted.diff().abs()) + 1e-6 * cell.step
        assert (found - wanted).abs().max() < 0.015 * width
        if cell.written is not None:
            assert (done.pulses == cell.written.pulses).all()
            assert (done.reads == cell.written.verify_reads).all()


@pytest.mark.parametrize("name", DEVICES)
def test_a_preset_says_what_its_spread_is_of(name: str) -> None:
    cell = DEVICES[name]
    of_cells = ("verif", "relax", "iterativ")
    assert (cell.written is not None) == any(word in cell.note.lower() for word in of_cells)
    law = mho.devices.preset(name).retention
    if cell.written is not None and law is not None:
        assert law.t0 >= cell.written.after


@pytest.mark.parametrize("response", ["linear", "curve"])
@pytest.mark.parametrize("name", [n for n in CELLS if isinstance(CELLS[n], PulsedCell)])
def test_single_and_double_precision_choose_the_same_pulses(name: str, response: Response) -> None:
    """Between all levels, and where that takes half a pulse in whatever number of pulses."""
    cell = CELLS[name]
    assert isinstance(cell, PulsedCell)
    levels = torch.arange(cell.states, dtype=torch.float64)
    for states in (cell.states, 3, 5, 9):
        changed = cell.replace(levels=states) if states <= cell.states else cell
        start, goal = torch.meshgrid(levels[:states], levels[:states], indexing="ij")
        single, double = (
            changed.pulses_to(changed.nominal(goal).to(kind), changed.nominal(start).to(kind),
                              response)
            for kind in (torch.float32, torch.float64)
        )  # fmt: skip
        assert torch.equal(single, double)


def test_half_a_pulse_goes_to_the_even_one_with_its_error_of_precision() -> None:
    halves = torch.tensor([0.5, 1.5, 2.5, -0.5, 1000.5, 2.4999, 2.5001])
    expected = [0, 2, 2, 0, 1000, 2, 3]
    assert whole_pulses(halves).tolist() == expected
    for error in (-3e-7, 3e-7):
        assert whole_pulses(halves * (1 + error)).tolist() == expected
