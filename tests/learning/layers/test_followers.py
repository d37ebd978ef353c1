"""A `WriteStep` goes where its network goes, and is not copied with it."""

import copy
import gc
import io
import weakref

import torch
from torch import nn

import mho
from builders.cells import FIVE_LEVELS
from builders.networks import mapped, train
from mho.nn import memristive_layers
from mho.rules import PathImportance, ReadBack


def network() -> nn.Module:
    return mapped(None, device=FIVE_LEVELS.replace(sigma=(2e-6,)))


def test_a_copy_and_a_pickle_have_no_followers() -> None:
    net = network()
    step = mho.WriteStep(net, rules=[PathImportance(1.0, 0.1)])
    file = io.BytesIO()
    torch.save(net, file)
    file.seek(0)
    for other in (copy.deepcopy(net), torch.load(file, weights_only=False)):
        for layer in memristive_layers(other).values():
            assert len(layer.followers) == 0
    for layer in memristive_layers(net).values():
        assert list(layer.followers) == [step]


def test_a_network_keeps_no_write_step_alive() -> None:
    net = network()
    gone = weakref.ref(mho.WriteStep(net, rules=[PathImportance(1.0, 0.1)]))
    mho.write(net)
    gc.collect()
    assert gone() is None


def test_a_write_step_made_before_a_cast_goes_on() -> None:
    net = network()
    step = mho.WriteStep(net, rules=[PathImportance(1.0, 0.1)], feedback=ReadBack(0.5), widen=1)
    train(net, step, 2, seed=1)
    net.double()
    net(torch.zeros(1, 2, 6, 6, dtype=torch.float64))
    optimizer = torch.optim.SGD(net.parameters(), 0.3)
    (net(torch.ones(2, 2, 6, 6, dtype=torch.float64)) - 1).square().mean().backward()
    optimizer.step()
    assert step().weights > 0


def test_a_write_step_made_before_a_move_has_moved() -> None:
    """To `meta`, which every machine has."""
    net = network()
    step = mho.WriteStep(net, rules=[PathImportance(1.0, 0.1)], feedback=ReadBack())
    net.to("meta")
    state = step.state_dict()
    for name, layer in memristive_layers(net).items():
        assert layer.weight.is_meta
        tensors = [v for s in (*state["rules"][name], state["feedback"][name]) for v in s.values()]
        assert len(tensors) > 3
        assert all(value.is_meta for value in tensors)
