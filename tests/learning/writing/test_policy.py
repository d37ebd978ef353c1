"""Write policies thin out what is stale."""

import pytest
import torch
from torch import nn

import mho
from builders.cells import FIVE_LEVELS
from mho import Hardware, WriteStep
from mho.learning.layers.layer import memristive_layers
from mho.learning.writing.policy import Candidates


def network() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(5)
        model = nn.Sequential(nn.Linear(12, 9), nn.ReLU(), nn.Linear(9, 4))
    return mho.convert(model, Hardware(device=FIVE_LEVELS, programming=mho.cells.OpenLoop()))


def nudge(net: nn.Module, size: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for layer in memristive_layers(net).values():
            noise = torch.randn(layer.weight.shape, generator=generator)
            layer.weight.add_(noise, alpha=size * layer.step)


def written(net: nn.Module, step: WriteStep, steps: int = 8, size: float = 0.5) -> list[int]:
    counts = []
    for seed in range(steps):
        nudge(net, size, seed)
        counts.append(step().weights)
    return counts


def stale(apart: list[float]) -> Candidates:
    return Candidates(torch.arange(len(apart)), torch.zeros(len(apart)), torch.tensor(apart))


def test_every_writes_at_every_kth_step_alone() -> None:
    net = network()
    counts = []
    step = WriteStep(net, widen=1, policies=[mho.rules.Every(3)])
    for seed in range(9):
        before = net(torch.ones(2, 12))
        nudge(net, 0.5, seed)
        counts.append(step().weights)
        assert torch.equal(net(torch.ones(2, 12)), before) == (counts[-1] == 0)
    assert [n > 0 for n in counts] == [False, False, True] * 3


def test_a_budget_keeps_the_farthest_over_all_layers() -> None:
    policy = mho.rules.Budget(weights=4, steps=2)
    state = policy.init()
    first = policy.select([stale([0.6, 0.9, 0.7]), stale([0.8])], state)
    assert [s.weights.tolist() for s in first] == [[1], [0]]
    second = policy.select([stale([]), stale([1.0])], state)
    assert [len(s.weights) for s in second] == [0, 1]
    third = policy.select([stale([0.6] * 5), stale([0.9])], state)  # a new period
    assert sum(len(s.weights) for s in third) == 2
    assert third[1].weights.tolist() == [0]


def test_what_a_step_leaves_of_the_budget_later_ones_may_use() -> None:
    policy = mho.rules.Budget(weights=6, steps=3)
    state = policy.init()
    assert len(policy.select([stale([])], state)[0].weights) == 0
    assert len(policy.select([stale([0.6] * 9)], state)[0].weights) == 4
    assert len(policy.select([stale([0.6] * 9)], state)[0].weights) == 2


def test_a_budget_bounds_what_is_written() -> None:
    free, net = network(), network()
    assert sum(written(free, WriteStep(free, widen=1), 6)) > 30
    counts = written(net, WriteStep(net, widen=1, policies=[mho.rules.Budget(10, 6)]), 6)
    assert sum(counts) == 10
    cells = mho.ledger(net).totals()
    assert cells["writes"] <= cells["cells"] + 2 * 10


def test_policies_compose_and_their_state_comes_back() -> None:
    net = network()
    step = WriteStep(net, widen=1, policies=[mho.rules.Every(2), mho.rules.Budget(12, 8)])
    written(net, step, 3)
    saved = net.state_dict(), step.state_dict()
    saved = tuple(torch.utils._pytree.tree_map(lambda t: t.clone(), s) for s in saved)
    future = written(net, step, 5)
    again = network()
    resumed = WriteStep(again, widen=1, policies=[mho.rules.Every(2), mho.rules.Budget(12, 8)])
    again.load_state_dict(saved[0])
    resumed.load_state_dict(saved[1])
    assert written(again, resumed, 5) == future
    with pytest.raises(ValueError, match="WriteStep state"):
        resumed.load_state_dict({})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: mho.rules.Every(0), r"Every\.steps = 0"),
        (lambda: mho.rules.Budget(-1, 2), r"Budget\.weights = -1"),
        (lambda: mho.rules.Budget(3, 0), r"Budget\.steps = 0"),
    ],
)
def test_impossible_policies_are_refused(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
