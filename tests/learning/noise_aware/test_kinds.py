"""Sums of the inputs of each column are what the layer gives with weights of one."""

import pytest
import torch
from torch import nn

from builders.weighted_layers import LAYERS, made
from mho.learning.noise_aware.kinds import kind_of


@pytest.mark.parametrize("which", [w for w in LAYERS if "Linear" in w or "Conv" in w])
def test_sums_are_those_of_a_layer_of_ones(which: str) -> None:
    layer, inputs = made(which)
    kind = kind_of(layer)
    assert kind is not None
    assert kind.sums is not None
    y = layer(*inputs)
    for function in (lambda x: x, torch.square):
        with torch.no_grad():
            nn.init.ones_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
            expected = layer(*map(function, inputs))
        got = kind.sums(layer, list(inputs), y, function)
        assert got.dim() == y.dim()
        torch.testing.assert_close(got.expand_as(y), expected)


def test_classes_of_ones_own_are_of_the_kind_that_they_are_derived_from() -> None:
    class Mine(nn.Linear):
        pass

    assert kind_of(Mine(2, 3)) is kind_of(nn.Linear(2, 3))
    assert kind_of(nn.ReLU()) is None
    assert kind_of(nn.Embedding(3, 2)) is None
