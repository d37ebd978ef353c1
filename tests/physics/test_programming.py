"""What a programming scheme says of an event: its landing, and what stuck cells cost."""

import pytest
import torch

from mho.physics import MultiLevel, OpenLoop, Programmed, Programming, PulseResponse, Verify
from mho.physics.devices import DEVICES

LEVELS = MultiLevel(g_min=10e-6, g_max=50e-6, levels=5, sigma=(2e-6, 0.01))
PULSES = PulseResponse(g_min=10e-6, g_max=50e-6, levels=5, pulses=40)


def test_only_blind_attempts_of_a_lasting_window_land_in_one_draw() -> None:
    found = OpenLoop().landing(LEVELS)
    assert found is not None
    line, spread, spent = found
    assert spent == (1, 0)
    assert line == pytest.approx((10e-6, 10e-6))
    assert spread.tolist() == pytest.approx([2.1e-6, 2.2e-6, 2.3e-6, 2.4e-6, 2.5e-6])
    closing = LEVELS.replace(endurance=100.0, closing=(0.1, 0.1))
    assert OpenLoop().landing(closing) is None
    assert Verify().landing(LEVELS) is None
    for cell in DEVICES.values():
        found = OpenLoop().landing(cell)
        assert (found is None) == (cell.family != "multi-level")


@pytest.mark.parametrize("scheme", [OpenLoop(), Verify(), Verify(read_first=True)])
def test_who_must_be_told_what_cells_hold(scheme: Programming) -> None:
    assert scheme.needs_present(PULSES)
    assert scheme.needs_present(LEVELS) == (scheme == Verify(read_first=True))


def test_open_loop_spends_on_stuck_cells_what_it_spends_on_others() -> None:
    done = Programmed(torch.tensor([1e-6]), torch.tensor([7]), torch.tensor([0]))
    assert OpenLoop().stuck(PULSES, torch.tensor([3.0]), done) is done


def test_verify_gives_a_stuck_cell_up_after_all_attempts() -> None:
    stays = torch.tensor([10e-6, 10e-6, 50e-6])
    level = torch.tensor([0.0, 2.0, 2.0])
    zero = torch.zeros(3, dtype=torch.int32)
    found = Verify(max_pulses=6).stuck(LEVELS, level, Programmed(stays, zero, zero))
    assert torch.equal(found.conductance, stays)
    assert found.pulses.tolist() == [1, 6, 6]  # the first one where it should be by chance
    assert found.reads.tolist() == [1, 6, 6]
    first = Verify(max_pulses=6, read_first=True).stuck(LEVELS, level, found)
    assert first.pulses.tolist() == [0, 6, 6]
    assert first.reads.tolist() == [1, 7, 7]


def test_verify_asks_a_stuck_pulsed_cell_for_the_same_burst_again_and_again() -> None:
    stays, level = torch.tensor([10e-6, 50e-6]), torch.tensor([2.0, 2.0])
    zero = torch.zeros(2, dtype=torch.int32)
    found = Verify(max_pulses=6).stuck(PULSES, level, Programmed(stays, zero, zero))
    assert found.pulses.tolist() == [6 * 20, 6 * 20]  # half of the window each
    assert found.reads.tolist() == [6, 6]


def test_who_verifies_knows_what_was_missed() -> None:
    g, level = torch.tensor([10e-6, 14e-6, 16e-6]), torch.zeros(3)
    assert Verify(tolerance=0.5).missed(LEVELS, level, g).tolist() == [False, False, True]
    assert not OpenLoop().missed(LEVELS, level, g).any()
