"""Relaxations by a kernel and by torch: the same bits."""

import pytest
import torch

from mho import kernels
from mho.physics import Flicker
from mho.physics.fluctuation import Relaxations
from mho.physics.noise import GeneratorNoise

FLICKER = Flicker(amplitude=0.02, fastest=1e-3, slowest=1e2)


@pytest.mark.parametrize("n", [(1,), (3, 2049), (5000,)])
def test_kernels_and_torch_move_relaxations_to_the_same_bits(n: tuple[int, ...]) -> None:
    def moved() -> Relaxations:
        source = GeneratorNoise(n, torch.Generator().manual_seed(0))
        state = FLICKER.start(source)
        for seconds in (1e-3, 60.0):
            FLICKER.advance(seconds, state, source)
        return state

    fast = moved()
    with kernels.off():
        plain = moved()
    assert all(torch.equal(a, b) for a, b in zip(fast, plain, strict=True))
