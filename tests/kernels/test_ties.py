"""What lies between two levels goes up and down alike, the same in numba, numpy and torch."""

import numpy as np
import pytest
import torch

from mho.kernels.ties import PERIOD, at, direction, directions


def test_all_three_ways_give_the_same() -> None:
    places = torch.randint(2**40, (500,))
    each = [direction(int(k)) for k in places]
    assert at(places).tolist() == each
    assert direction.py_func(places.numpy()).tolist() == each
    assert directions(100, torch.device("cpu")).tolist() == at(torch.arange(100)).tolist()


def test_positions_beyond_the_period_repeat() -> None:
    n = 2 * PERIOD + 7
    assert torch.equal(directions(n, torch.device("cpu")), at(torch.arange(n)))


@pytest.mark.parametrize("stride", [1, 2, 3, 4, 7, 16, 128, 144, 233, 256, 784, 1024])
def test_no_pattern_of_positions_goes_one_way(stride: int) -> None:
    """As far as chance: the mean of n signs is within a few 1 / sqrt(n)."""
    signs = directions(PERIOD, torch.device("cpu"))[::stride]
    assert signs.abs().min() == 1
    assert signs.mean().abs() < 4 / len(signs) ** 0.5


def test_neighbours_go_apart() -> None:
    pairs = directions(PERIOD, torch.device("cpu")).view(-1, 2)
    assert not pairs.sum(1).any()
    assert np.isclose(pairs[:, 0].mean(), 0, atol=0.01)
