import pytest
import torch
from torch import nn

import mho
from mho.trial.network import DATA, network, packed, unpacked


@pytest.mark.parametrize("binary", [False, True])
def test_the_networks_that_come_along_tell_digits_apart(binary: bool) -> None:
    data = mho.data.load(DATA, "validation", per_class=100)
    net = network(binary)
    assert mho.evaluate(net, [(data.inputs, data.labels)]).item() > 0.96
    for layer in net:
        if isinstance(layer, nn.Linear):
            sizes = layer.weight.abs().unique()
            assert (len(sizes) == 1) == binary


def test_what_is_kept_comes_back() -> None:
    weight, steps = torch.tensor([[0.5, -0.25]]), torch.tensor(3)
    assert torch.equal(unpacked(packed(weight)), weight)
    assert torch.equal(unpacked(packed(steps)), steps)
