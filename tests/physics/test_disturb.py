"""Disturb against its closed form applied event by event."""

import pytest
import torch

from mho.physics import Disturb

WINDOW = (1e-6, 5e-6)


def at(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_events_one_by_one_are_the_closed_form() -> None:
    law = Disturb(read=1e-4, half_select=2e-4)
    g = at(1e-6, 2e-6, 5e-6)
    reads, sets, resets = 3000, 1000, 2000
    one = at(1.0)
    slowly = g
    for event in range(reads):
        slowly = law.after(slowly, WINDOW, one, one * (event % 3 == 0), one * (event % 3 != 0))
    at_once = law.after(g, WINDOW, at(reads), at(sets), at(resets))
    torch.testing.assert_close(slowly, at_once, rtol=1e-4, atol=0.0)
    halves = law.after(
        law.after(g, WINDOW, at(reads / 2), at(sets / 2), at(resets / 2)),
        WINDOW, at(reads / 2), at(sets / 2), at(resets / 2),
    )  # fmt: skip
    torch.testing.assert_close(halves, at_once, rtol=1e-12, atol=0.0)


@pytest.mark.parametrize("towards", ["g_max", "g_min"])
def test_reads_end_at_their_bound(towards: str) -> None:
    law = Disturb(read=1e-3, read_towards=towards)
    end = law.after(at(2e-6), WINDOW, at(1e6), at(7.0), at(7.0)).item()
    assert end == pytest.approx(WINDOW[towards == "g_max"])


def test_without_events_nothing_moves() -> None:
    g = at(1e-6, 2e-6)
    assert torch.equal(Disturb(read=0.1, half_select=0.1).after(g, WINDOW, *[at(0.0)] * 3), g)
