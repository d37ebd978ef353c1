"""Cells whose numbers are of whole writes: what a write takes, and what else would do to them."""

import pytest
import torch

from mho.cells import AsMeasured, MultiLevel, OpenLoop, PulseResponse, SourceWrite, Verify
from mho.physics import GeneratorNoise, as_obtained, spread_left

CELL = MultiLevel(
    g_min=10e-6, g_max=90e-6, levels=5, sigma=(4e-6, 0.1), device_spread=0.02,
    written=SourceWrite(pulses=7, reads=8),
)  # fmt: skip
WIDE = CELL.replace(sigma=(20e-6,), device_spread=0.0)


def noise(n: int) -> GeneratorNoise:
    return GeneratorNoise((n,), torch.Generator().manual_seed(2))


def test_a_write_is_one_draw_and_takes_what_it_took() -> None:
    level = torch.full((1000,), 3.0)
    traits = CELL.traits(noise(1000))
    done = AsMeasured().program(CELL, level, traits, noise(1000))
    once = OpenLoop().program(CELL, level, traits, noise(1000))
    assert torch.equal(done.conductance, once.conductance)
    assert done.pulses.unique().tolist() == [7]
    assert done.reads.unique().tolist() == [8]
    assert AsMeasured().most_pulses(CELL) == 7
    assert AsMeasured().most_pulses(CELL.replace(written=SourceWrite(pulses=9))) == 9
    assert SourceWrite(pulses=9).verify_reads == 9
    landing = AsMeasured().landing(CELL)
    assert landing is not None
    assert landing.spent == (7, 8)
    assert AsMeasured().landing(CELL.replace(endurance=10.0, closing=(0.1, 0.0))) is None
    assert AsMeasured().stuck(CELL, level, done) is done


def test_the_window_of_a_worn_cell_cuts() -> None:
    cell = CELL.replace(endurance=10.0, closing=(0.0, 0.5))
    level = torch.full((100,), 4.0)
    done = AsMeasured().program(cell, level, cell.traits(noise(100)), noise(100))
    cut = AsMeasured().within(cell, level, done, torch.ones(100))
    assert cut.conductance.max() == pytest.approx(50e-6)
    assert torch.equal(cut.pulses, done.pulses)


def test_only_what_the_spread_cannot_explain_is_off() -> None:
    g = torch.tensor([70e-6, 70e-6 + 4 * 20e-6, 70e-6 + 6 * 20e-6, 0.0])
    assert AsMeasured().missed(WIDE, torch.tensor(3), g).tolist() == [False, False, True, False]
    narrow = CELL.replace(sigma=(0.1e-6,), device_spread=0.0)
    g = torch.tensor([79e-6, 81e-6])  # half a step is 10 uS
    assert AsMeasured().missed(narrow, torch.tensor(3), g).tolist() == [False, True]


def test_what_a_cell_is_written_by_and_what_else_would_leave() -> None:
    once = WIDE.replace(written=None)
    assert as_obtained(WIDE) == AsMeasured()
    assert as_obtained(once) == Verify()
    assert spread_left(Verify(), once) == 1
    assert spread_left(OpenLoop(), WIDE) == pytest.approx(1)
    # of a normal spread of one step, confined to half a step to either side
    assert spread_left(Verify(max_pulses=1000), WIDE.replace(levels=5)) == pytest.approx(0.28, 0.05)
    assert spread_left(Verify(), CELL.replace(sigma=(0.0,), device_spread=0.0)) == 1


def test_cells_whose_numbers_are_of_single_pulses_are_refused() -> None:
    pulses = PulseResponse(g_min=10e-6, g_max=50e-6, levels=5, pulses=40)
    for cell in (CELL.replace(written=None), pulses):
        with pytest.raises(ValueError, match=r"programming = 'as-measured': expected verify or "):
            AsMeasured().check(cell)
    with pytest.raises(ValueError, match=r"PulseResponse\.written = .*: expected None"):
        pulses.replace(written=SourceWrite())
