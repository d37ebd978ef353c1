"""One network on many chips: chips come first in what it gives."""

import torch
from torch import nn

from mho.learning.layers.chips import Chips, at_once, chip_count


class ByChip(nn.Module):
    """Adds each chip's number; batches come chip after chip."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + torch.arange(3.0).repeat_interleave(x.shape[0] // 3).view(-1, 1, 1)


def test_each_chip_sees_the_whole_batch() -> None:
    x = torch.rand(4, 2, 5)
    y = Chips(ByChip(), 3)(x)
    assert y.shape == (3, 4, 2, 5)
    for chip in range(3):
        assert torch.equal(y[chip], x + chip)


def test_chips_are_counted() -> None:
    assert chip_count(Chips(nn.Identity(), 7)) == 7
    assert chip_count(nn.Identity()) == 1


def test_many_chips_run_few_inputs_together_and_at_least_one() -> None:
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    assert at_once(1, cpu) >= at_once(10, cpu) >= at_once(10_000, cpu) == 1
    assert at_once(10, gpu) > at_once(10, cpu)
