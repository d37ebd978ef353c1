"""TikiTaka: pulses on fast arrays, and what they transfer."""

import pytest
import torch
from torch import nn

import mho
from builders.rule_steps import STEP, movements, tiki_taka, update, walk
from mho import Hardware, WriteStep
from mho.cells import MultiLevel
from mho.learning.layers.layer import memristive_layers


def test_many_pulses_at_once_are_many_single_pulses() -> None:
    rule = mho.rules.TikiTaka(granularity=0.1, window=1.0, cycle_noise=0.0)
    start = torch.tensor([-0.9, -0.2, 0.0, 0.4, 1.0])
    for sign in (1.0, -1.0):
        state = rule.init(start)
        state["fast"].copy_(start)
        rule.apply(update(start, torch.full((5,), sign * 0.7001 * STEP)), state)
        once = start.clone()
        for n in range(1, 9):
            once = once + sign * 0.1 * (1 - sign * once)
            hit = state["pulses"] == n
            torch.testing.assert_close(state["fast"][hit], once[hit])
        assert ((state["pulses"] == 7) | (state["pulses"] == 8)).all()


def test_pulse_counts_keep_the_mean() -> None:
    rule, weight = tiki_taka(granularity=0.02), torch.zeros(20_000)
    state = rule.init(weight)
    rule.apply(update(weight, torch.full((20_000,), -0.005 * STEP)), state)
    assert state["pulses"].float().mean().item() == pytest.approx(0.25, abs=0.02)
    assert (state["fast"] <= 0.01).all()


def test_random_pulses_decay_to_the_symmetry_point(generator: torch.Generator) -> None:
    rule, weight = tiki_taka(granularity=0.02), torch.zeros(500)
    state = rule.init(weight)
    state["fast"].copy_(torch.linspace(-0.9, 0.9, 500))
    for _ in range(300):
        delta = 0.02 * STEP * torch.randn(500, generator=generator)
        rule.apply(update(weight, delta), state)
    assert state["fast"].abs().mean() < 0.15
    assert state["fast"].mean().abs() < 0.03


def test_a_persistent_movement_is_transferred(generator: torch.Generator) -> None:
    sign = torch.tensor([1.0, -1.0]).repeat(100)
    deltas = 0.02 * STEP * (sign + torch.randn(200, 200, generator=generator))
    rule, start = tiki_taka(gain=0.05), torch.zeros(200)
    state = rule.init(start)
    end = walk(rule, state, start, deltas)[-1]
    assert (end * sign >= 3 * STEP).all()
    assert (state["buffer"].abs() < 1).all()


def test_the_weight_moves_at_transfers_alone(generator: torch.Generator) -> None:
    rule, start = tiki_taka(transfer_every=4, gain=2.0), torch.zeros(200)
    path = torch.stack([start, *walk(rule, rule.init(start), start, movements(generator, (200,)))])
    moved = (path.diff(dim=0) != 0).any(1)
    assert moved.nonzero().flatten().tolist() == [*range(3, 40, 4)]


def test_cycle_noise_spreads_and_keeps_the_mean() -> None:
    ends = []
    for noise in (0.0, 0.5):
        rule, weight = tiki_taka(cycle_noise=noise), torch.zeros(20_000)
        state = rule.init(weight)
        rule.apply(update(weight, torch.full((20_000,), 0.0401 * STEP)), state)
        ends.append(state["fast"][state["pulses"] == 4])
    exact, noisy = ends
    assert noisy.mean().item() == pytest.approx(exact.mean().item(), rel=0.02)
    assert noisy.std().item() == pytest.approx(exact.mean().item() * 0.5 / 2, rel=0.05)


def test_the_wear_of_the_fast_arrays_is_read_from_the_state() -> None:
    model = nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 3))
    net = mho.convert(model, Hardware(device=MultiLevel(g_min=1e-6, g_max=9e-6)))
    step = WriteStep(net, rules=[tiki_taka()])
    assert mho.rules.fast_pulses(step.state_dict()) == (0, 0)
    with torch.no_grad():
        for layer in memristive_layers(net).values():
            layer.weight += 0.0999 * layer.step
    step()
    total, most = mho.rules.fast_pulses(step.state_dict())
    assert most == 10
    assert 45 * 9 <= total <= 45 * 10
    plain = WriteStep(net, rules=[mho.rules.Accumulate()])
    assert mho.rules.fast_pulses(plain.state_dict()) == (0, 0)
