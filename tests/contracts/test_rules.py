"""Every rule against every property: what it stores, takes in place, and takes up again."""

import copy
import io
from typing import Any

import pytest
import torch
from torch import nn

import mho
from builders.cells import FIVE_LEVELS
from builders.networks import mapped
from builders.rule_catalogue import RULES
from mho import WriteStep
from mho.cells import Verify
from mho.learning.rules.rule import Observes, Steers, Synapses, Update

DEVICE = FIVE_LEVELS.replace(sigma=(2e-6,))


def network() -> nn.Module:
    return mapped(None, device=DEVICE, tile=(9, 12), programming=Verify())


def backward(net: nn.Module, seed: int = 1) -> None:
    x = torch.randn(8, 2, 6, 6, generator=torch.Generator().manual_seed(seed))
    net.zero_grad()
    (net(x) - 1).square().mean().backward()


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


LONG = 2000
"""Steps after which a resumed training is still the unbroken one."""


@pytest.mark.parametrize(("name", "seed"), [*((n, 0) for n in (*RULES, "")), ("", 1), ("", 2)])
def test_a_resumed_training_stays_the_unbroken_one(name: str, seed: int) -> None:
    """Also thousands of steps later: where a weight is taken to stand comes back to the bit."""
    real = mho.cells.MultiLevel(
        g_min=10e-6, g_max=93e-6, levels=16, sigma=(2e-6,), device_spread=0.02, read_noise=0.01,
        stuck_off=0.01, endurance=3e3, endurance_spread=0.3,
    )  # fmt: skip
    hardware = mho.Hardware(
        device=real, programming=mho.cells.OpenLoop(), full_scale=5.0, dac_bits=6, adc_bits=7,
        tile=(5, 8),
    )  # fmt: skip
    x = torch.randn(24, 9, generator=torch.Generator().manual_seed(seed))
    y = torch.randint(4, (24,), generator=torch.Generator().manual_seed(seed))

    def start(chips: int) -> list[Any]:
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Linear(9, 4))
        net = mho.convert(model, hardware, generator=torch.Generator().manual_seed(chips))
        mho.calibrate(net, x)
        step = WriteStep(net, rules=[RULES[name]()] if name else [], threshold=0.65, widen=1)
        optimizer = torch.optim.SGD(net.parameters(), 0.05, 0.9, weight_decay=0.02)
        step.attach(optimizer)
        return [net, step, optimizer]

    def learn(net: nn.Module, step: WriteStep, optimizer: torch.optim.Optimizer, n: int) -> Any:
        written = []
        for k in range(n):
            optimizer.zero_grad()
            labels = y.roll(k // 40)  # there is always something new to learn
            nn.functional.cross_entropy(net(x), labels).backward()
            optimizer.step()
            written.append(step().weights)
        return written

    parts = start(seed)
    learn(*parts, 100)
    file = io.BytesIO()
    torch.save([part.state_dict() for part in parts], file)
    file.seek(0)
    again = start(seed + 50)
    for part, state in zip(again, torch.load(file, weights_only=True), strict=True):
        part.load_state_dict(state)
    assert torch.equal(again[0][0].target, parts[0][0].target)
    future = learn(*parts, LONG)
    assert learn(*again, LONG) == future
    assert any(future[LONG // 2 :])
    mine, theirs = parts[0].state_dict(), again[0].state_dict()
    for entry, value in mine.items():
        assert torch.equal(theirs[entry].nan_to_num(), value.nan_to_num()), entry
