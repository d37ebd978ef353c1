"""Cells that do not follow their targets are found, and no others."""

import numpy as np
import pytest

from mho.fit.stuck import stuck

X = np.tile(np.linspace(0, 1, 5), 6)
DEVICE = np.repeat(np.arange(6), 5)


def reads(seed: int = 0) -> np.ndarray:
    return X + 0.02 * np.random.default_rng(seed).standard_normal(len(X))


@pytest.mark.parametrize("seed", range(5))
def test_cells_that_follow_are_left_alone(seed: int) -> None:
    assert not stuck(X, reads(seed), DEVICE).any


@pytest.mark.parametrize(
    ("does", "where"),
    [
        (lambda x: 0 * x - 0.2, "off"),
        (lambda x: 0 * x + 1.0, "on"),
        (lambda x: 0 * x + 500.0, "on"),
        (lambda x: 0 * x + 0.5, "other"),
        (lambda x: 1000 * x, "other"),
        (lambda x: 1 - x, "other"),
    ],
)
def test_one_that_does_not_is_found(does, where: str) -> None:
    read = reads()
    read[DEVICE == 4] = does(X[DEVICE == 4])
    found = stuck(X, read, DEVICE)
    assert getattr(found, where) == (4,)
    assert (found.rows == (DEVICE == 4)).all()


def test_shares_have_exact_intervals() -> None:
    read = reads()
    read[DEVICE == 4] = -0.2
    (share,) = stuck(X, read, DEVICE).shares()
    assert (share.name, share.value) == ("stuck_off", pytest.approx(1 / 6))
    assert (share.low, share.high) == (
        pytest.approx(0.0042, rel=0.02),
        pytest.approx(0.641, rel=0.01),
    )
