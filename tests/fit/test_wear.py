"""The closing window, found where it is and only there."""

import numpy as np
import pytest

from mho.fit.wear import fit_wear
from mho.physics import Resistance, TwoState

CELL = TwoState(
    r_on=Resistance(mean=1e4), r_off=Resistance(mean=2e5), endurance=2e4,
    closing=(0.05, 0.3), closing_power=2.0,
)  # fmt: skip


def log(cell: TwoState, seed: int, n: int = 600) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    import torch

    rng = np.random.default_rng(seed)
    cycle = np.tile(np.linspace(1, 1e4, n), 2)
    on = np.repeat([False, True], n)
    low, high = cell.limits(torch.from_numpy(cycle / 1e4))
    g = np.where(on, high.numpy(), low.numpy())
    return cycle, np.log(g) + rng.normal(size=2 * n) * np.where(on, 0.05, 0.2), on


def test_the_law_of_the_cells_is_found() -> None:
    found = [fit_wear(*log(CELL, seed)) for seed in range(20)]
    assert all(w.law == "both close" for w in found)
    truth = {"lost at the lower end by the last cycle": 0.05,
             "lost at the upper end by the last cycle": 0.3, "closing_power": 2.0}  # fmt: skip
    for name, value in truth.items():
        parameters = [next(p for p in w.parameters if p.name == name) for w in found]
        assert sum(p.covers(value) for p in parameters) >= 16


def test_none_is_found_where_there_is_none() -> None:
    fresh = CELL.replace(closing=(0.0, 0.0))
    assert sum(fit_wear(*log(fresh, seed)).closes for seed in range(20)) <= 1


def test_a_window_that_opens_is_told_and_not_taken_for_wear() -> None:
    cycle, y, on = log(CELL, 1)
    found = fit_wear(cycle, y[::-1].copy()[np.argsort(~on, kind="stable")], ~on[::-1])
    assert found.law in ("no wear", "both close", "R_ON rises", "R_OFF falls")
    up = y + np.where(on, 0.3, -0.3) * cycle / 1e4 - np.where(on, 0.0, 0.0)
    flat = fit_wear(cycle, np.where(on, np.log(1e-4), np.log(5e-6)) + up - y, on)
    assert flat.opens
    assert not flat.closes


@pytest.mark.parametrize("on", [True, False])
def test_what_wear_moved_is_the_law(on: bool) -> None:
    found = fit_wear(*log(CELL, 3))
    moved = found.moved(np.array([0.0, 1e4]), np.array([on, on]))
    assert moved[0] == 0
    assert np.sign(moved[1]) == (-1 if on else 1)
