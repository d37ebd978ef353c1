"""Fisher information of a network, and what measuring it leaves behind."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import mho
from builders.cells import FIVE_LEVELS
from builders.networks import mapped, small_model
from mho import WriteStep
from mho.cells import Verify
from mho.learning.layers.layer import memristive_layers
from mho.rules import ElasticWeights, PathImportance

DEVICE = FIVE_LEVELS.replace(sigma=(2e-6,))


def network(chips: int = 1) -> nn.Module:
    model = small_model()
    model.insert(1, nn.BatchNorm2d(3))
    return mapped(chips, model=model, device=DEVICE, tile=(9, 12), programming=Verify())


def test_each_sample_counts_with_its_own_squared_gradient(generator: torch.Generator) -> None:
    net = network()
    write = WriteStep(net, rules=[PathImportance(1.0, 0.1), ElasticWeights(1.0)])
    x = torch.randn(6, 2, 6, 6, generator=generator)
    y = torch.randint(4, (6,), generator=generator)
    net.train()
    next(net.modules()).training = False  # each module's own mode is what comes back
    modes = [module.training for module in net.modules()]
    before, book = copy.deepcopy(net.state_dict()), mho.ledger(net).totals()
    with torch.no_grad():
        mho.rules.measure_fisher(net, write, x, y)
    assert [module.training for module in net.modules()] == modes
    assert all(p.grad is None for p in net.parameters())
    for name, value in net.state_dict().items():
        if "crossbar" not in name:  # the reads are counted there
            torch.testing.assert_close(value, before[name], rtol=0, atol=0, equal_nan=True)
    after = mho.ledger(net).totals()
    assert after["writes"] == book["writes"]

    twin = copy.deepcopy(net).eval()
    squares = {name: 0.0 for name in memristive_layers(net)}
    for k in range(6):
        twin.zero_grad()
        F.cross_entropy(twin(x[k : k + 1])[0], y[k : k + 1]).backward()
        for name, layer in memristive_layers(twin).items():
            squares[name] = squares[name] + layer.weight.grad.square()
    write.consolidate()
    for name, square in squares.items():
        path, elastic = write.state_dict()["rules"][name]
        torch.testing.assert_close(elastic["fisher"], square / 6)
        assert elastic["fisher"].any()
        assert not path["path"].any()


def test_what_cannot_be_measured_is_refused() -> None:
    net = network()
    write = WriteStep(net, rules=[ElasticWeights(1.0)])
    x, y = torch.zeros(3, 2, 6, 6), torch.zeros(3, dtype=torch.int64)
    for inputs, labels in ((x[:0], y[:0]), (x, y[:2])):
        with pytest.raises(
            ValueError, match=r"samples in inputs and labels = .*: expected at least 1"
        ):
            mho.rules.measure_fisher(net, write, inputs, labels)
    several = network(2)
    with pytest.raises(ValueError, match="chips = 2: expected 1, so that each gradient"):
        mho.rules.measure_fisher(several, WriteStep(several), x, y)
    for (state,) in write.state_dict()["rules"].values():
        assert int(state["passes"]) == 0
