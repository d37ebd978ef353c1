"""Every rule against every property: what it stores, takes in place, and takes up again."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn

import mho
from builders.cells import FIVE_LEVELS
from builders.networks import mapped
from mho import WriteStep
from mho.cells import Verify
from mho.learning.rules.rule import Observes, Steers, Synapses, Update, UpdateRule

DEVICE = FIVE_LEVELS.replace(sigma=(2e-6,))


def network() -> nn.Module:
    return mapped(None, device=DEVICE, tile=(9, 12), programming=Verify())


def backward(net: nn.Module, seed: int = 1) -> None:
    x = torch.randn(8, 2, 6, 6, generator=torch.Generator().manual_seed(seed))
    net.zero_grad()
    (net(x) - 1).square().mean().backward()


RULES: dict[str, Callable[[], UpdateRule]] = {
    "interval": lambda: mho.rules.IntervalRule(1.0),
    "global": lambda: mho.rules.IntervalRule(1.0, mode="global"),
    "path importance": lambda: mho.rules.PathImportance(1.0, 0.01),
    "shuffled importance": lambda: mho.rules.PathImportance(1.0, 0.01, shuffled=4),
    "elastic weights": lambda: mho.rules.ElasticWeights(0.3),
    "synaptic intelligence": lambda: mho.rules.SynapticIntelligence(0.3),
    "bayesian steps": lambda: mho.rules.BayesianSteps(0.3, 100.0, 8),
    "hidden precision": lambda: mho.rules.HiddenPrecision(8, 3),
    "accumulate": lambda: mho.rules.Accumulate(),
    "stochastic rounding": lambda: mho.rules.StochasticRounding(3),
    "stochastic sparse": lambda: mho.rules.StochasticSparse(0.1),
    "sign update": lambda: mho.rules.SignUpdate(0.1),
    "tiki-taka": lambda: mho.rules.TikiTaka(0.01, 1.0, gain=0.5),
}
NOT_COUNTED = {"elastic weights": {"squares"}, "tiki-taka": {"pulses"}}
"""Needed while a task ends; wear."""
every_rule = pytest.mark.parametrize("name", RULES)


@every_rule
@pytest.mark.parametrize("shape", [(), (6, 5), (4, 2, 3, 3)])
def test_a_rule_says_what_a_synapse_stores(name: str, shape: tuple[int, ...]) -> None:
    rule = RULES[name]()
    weight = torch.full(shape, 0.3)
    state = rule.init(weight)
    assert set(rule.stored) <= set(state)
    assert len(set(rule.stored)) == len(rule.stored)
    if shape:
        per_synapse = {entry for entry, value in state.items() if value.shape == shape}
        assert per_synapse == set(rule.stored) | NOT_COUNTED.get(name, set())
    assert all(value.shape in (shape, ()) for value in state.values())
    storages = {value.untyped_storage().data_ptr() for value in (weight, *state.values())}
    assert len(storages) == 1 + len(state)


@every_rule
def test_any_rule_takes_its_steps_in_place_and_leaves_its_inputs(
    name: str, generator: torch.Generator
) -> None:
    rule = RULES[name]()
    weight, delta, gradient = 0.3 * torch.randn(3, 6, 5, generator=generator)
    state = rule.init(weight)
    shapes = {entry: value.shape for entry, value in state.items()}
    for _ in range(2):
        u = Update(weight, delta.clone(), gradient, step=0.5, full_scale=1.0, layer="a")
        kept, proposed = (weight.clone(), gradient.clone()), u.delta
        if isinstance(rule, Steers):
            rule.steer(weight, gradient.clone(), state)
        rule.apply(u, state)
        if isinstance(rule, Observes):
            rule.observe(gradient, state)
        rule.consolidate(Synapses(weight, 0.5, 1.0, "a"), state)
        assert u.delta is proposed
        assert u.delta.shape == (6, 5)
        assert torch.isfinite(u.delta).all()
        assert torch.equal(weight, kept[0])
        assert torch.equal(gradient, kept[1])
        assert {entry: value.shape for entry, value in state.items()} == shapes


@every_rule
def test_a_training_of_two_tasks_goes_on_where_it_was_saved(name: str) -> None:
    def start() -> tuple[nn.Module, WriteStep, torch.optim.Optimizer]:
        net = network()
        step = WriteStep(net, rules=[RULES[name]()], threshold=0.6)
        optimizer = torch.optim.Adam(net.parameters(), 0.05)
        step.attach(optimizer)
        return net, step, optimizer

    def learn(
        net: nn.Module, step: WriteStep, optimizer: torch.optim.Optimizer, seeds: range
    ) -> list[int]:
        counts = []
        for seed in seeds:
            backward(net, seed)
            optimizer.step()
            counts.append(step().weights)
        return counts

    def end(net: nn.Module, step: WriteStep) -> None:
        x = torch.randn(3, 2, 6, 6, generator=torch.Generator().manual_seed(5))
        mho.rules.measure_fisher(net, step, x, torch.arange(3))
        step.consolidate()

    parts = start()
    learn(*parts, range(4))
    end(*parts[:2])
    learn(*parts, range(4, 7))
    saved = copy.deepcopy([part.state_dict() for part in parts])
    future = learn(*parts, range(7, 10))
    end(*parts[:2])
    future += learn(*parts, range(10, 12))
    assert sum(future) > 0

    again = start()
    learn(*again, range(50, 51))  # another past, forgotten
    backward(again[0])
    again[2].step()  # a step not written
    for part, state in zip(again, saved, strict=True):
        part.load_state_dict(state)
    resumed = learn(*again, range(7, 10))
    end(*again[:2])
    assert resumed + learn(*again, range(10, 12)) == future
    for one, other in zip(parts[0].parameters(), again[0].parameters(), strict=True):
        assert torch.equal(one, other)
