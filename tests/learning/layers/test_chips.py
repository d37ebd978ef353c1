"""One network on many chips: chips come first in what it gives."""

import pytest
import torch
from torch import nn

import mho
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


@pytest.mark.parametrize("strict", [True, False])
def test_the_state_of_a_plain_network_is_that_of_the_network_inside(strict: bool) -> None:
    plain, many = nn.Sequential(nn.Linear(3, 2)), Chips(nn.Sequential(nn.Linear(3, 2)), 4)
    state = plain.state_dict()
    assert many.load_state_dict(state, strict=strict).missing_keys == []
    assert torch.equal(many.net[0].weight, plain[0].weight)
    assert list(state) == ["0.weight", "0.bias"], "given as it was"
    again = Chips(nn.Sequential(nn.Linear(3, 2)), 4)
    again.load_state_dict(many.state_dict())
    assert torch.equal(again.net[0].weight, plain[0].weight)
    with pytest.raises(RuntimeError, match=r"Unexpected key"):
        many.load_state_dict({**state, "9.weight": torch.ones(1)})


def test_trained_float_weights_reach_the_chips() -> None:
    model = nn.Sequential(nn.Linear(12, 4))
    net = mho.convert(model, mho.Hardware(device="hfo2-1t1r"), 2)
    with torch.no_grad():
        model[0].weight.mul_(9.0)
    net.load_state_dict(model.state_dict(), strict=False)
    mho.write(net)
    x = torch.ones(5, 12)
    assert ((net(x) - model(x)).norm() / model(x).norm()) < 0.5
