"""Program-and-verify by kernels gives the bits that torch gives."""

import numpy as np
import pytest
import torch

import mho
from mho.cells import MultiLevel, OfConductance, PowerOfG, Verify
from mho.hardware.streams import ChipNoise
from mho.kernels import attempts
from mho.physics import Present, Programmed

LEVELS = MultiLevel(g_min=5e-6, g_max=85e-6, levels=9, sigma=(1e-6, 0.03), device_spread=0.05)
CELLS = {
    "spread of the conductance": LEVELS,
    "the same at all levels": LEVELS.replace(sigma=(2e-6,)),
    "of a power law": LEVELS.replace(sigma=PowerOfG(factor=2e-6, exponent=0.5, unit=25e-6)),
    "devices alike": LEVELS.replace(device_spread=0.0),
    "devices far apart": LEVELS.replace(device_spread=0.5),
    "down to 0 S": LEVELS.replace(g_min=0.0, sigma=(5e-6,)),
    "no spread": LEVELS.replace(sigma=(0.0,)),
}
WAYS = {
    "half a step": Verify(),
    "close": Verify(tolerance=0.05),
    "in vain": Verify(tolerance=0.001, max_pulses=3),
    "once": Verify(max_pulses=1),
    "read first": Verify(tolerance=0.3, read_first=True),
}


def programmed(cell: MultiLevel, way: Verify, chips: int, n: int) -> Programmed:
    """One event on n cells of each chip."""
    each = range(chips)
    level = torch.arange(n).remainder(cell.levels).float()
    traits = cell.traits(ChipNoise(3, each, ("traits",), (n,)))
    held = cell.nominal(level).expand(chips, n) + 2e-6
    noise = ChipNoise(5, each, ("program",), (n,))
    return way.program(cell, level, traits, noise, Present(held, level))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(("chips", "n"), [(1, 1), (1, 999), (3, 130)])
def test_both_ways_give_the_same_bits(cell: str, way: str, chips: int, n: int) -> None:
    given = CELLS[cell], WAYS[way], chips, n
    ours = programmed(*given)
    with mho.kernels.off():
        same = programmed(*given)
    for one, other in zip(ours, same, strict=True):
        assert one.dtype == other.dtype
        assert torch.equal(one, other)


def test_the_cases_are_all_met() -> None:
    """Some cells need one attempt, some more, some have none left."""
    pulses = programmed(LEVELS, WAYS["close"], 1, 999).pulses
    assert {1, 2, 20} <= set(pulses.unique().tolist())
    assert isinstance(CELLS["of a power law"].sigma, OfConductance)


def test_a_kernel_is_used_where_it_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    calls, real = [], attempts.first_attempts
    monkeypatch.setattr(
        attempts, "first_attempts", lambda *given: (calls.append(1), real(*given))[1]
    )
    programmed(LEVELS, WAYS["close"], 1, 9)
    with mho.kernels.off():
        programmed(LEVELS, WAYS["close"], 1, 9)
    assert len(calls) == 1


@pytest.mark.parametrize("level", [-1.0, 9.0])
def test_a_level_that_a_cell_does_not_have_is_refused(level: float) -> None:
    z, room = np.zeros((1, 2), np.float32), np.empty(2, np.int64)
    spread, levels = np.ones(9, np.float32), np.array([0.0, level], np.float32)
    with pytest.raises(IndexError, match="a level that it does not have"):
        attempts.first_attempts(
            z, levels, np.empty((0, 0), np.float32), (0.0, 1.0), spread, 0.5, room
        )
    assert not z.any()
