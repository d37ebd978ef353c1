"""Update rules against their equations, written out once more the slow way."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import mho
from mho.learning.layers.layer import memristive_layers
from mho.learning.rules.rule import IntervalRule, Update


def update(before: Tensor, delta: Tensor, levels: int = 2, full_scale: float = 1.0) -> Update:
    step = 2 * full_scale / (levels - 1)
    return Update(
        before=before, delta=delta.clone(), gradient=None, step=step, full_scale=full_scale
    )


def applied(rule: IntervalRule, u: Update) -> Tensor:
    rule.apply(u, rule.init(u.before))
    return u.delta


weights = st.lists(st.floats(-2.875, 2.875, width=32), min_size=1, max_size=30).map(torch.tensor)


# ------------------------------------------------------------------ IntervalRule


@given(weights, st.floats(0.1, 5.0), st.floats(0.01, 1.0), st.sampled_from([-1.0, 1.0]))
def test_two_levels_give_the_binarized_rule(w: Tensor, m: float, size: float, sign: float) -> None:
    """Laborieux et al. 2021, eq. 1: movement that shrinks |w| is scaled by 1 - tanh^2(m |w|)."""
    delta = torch.full_like(w, sign * size)
    ours = applied(IntervalRule(m, depth=5.0), update(w, delta))
    shrinks = w.sign() * delta < 0
    metaplastic = 1 - torch.tanh(m * w.abs()) ** 2
    expected = torch.where(shrinks, metaplastic * delta, delta)
    off = w != 0  # at 0 both signs are a threshold away: see below
    torch.testing.assert_close(ours[off], expected[off], rtol=1e-5, atol=1e-7)
    assert torch.equal(ours[~off], delta[~off])


def test_a_weight_on_an_outermost_level_is_free_to_grow() -> None:
    w = torch.tensor([1.0, -1.0, 1.0, -1.0])
    delta = torch.tensor([0.1, -0.1, -0.1, 0.1])
    scale = 1 - math.tanh(2.0) ** 2
    ours = applied(IntervalRule(2.0), update(w, delta))
    torch.testing.assert_close(ours, delta * torch.tensor([1.0, 1.0, scale, scale]))


@given(weights, st.integers(2, 9), st.floats(0.3, 2.0), st.sampled_from([-1.0, 1.0]))
def test_many_levels_give_the_written_equation(
    w: Tensor, levels: int, full_scale: float, sign: float
) -> None:
    m, depth, step = 2.5, 3.0, 2 * full_scale / (levels - 1)
    grid = [-full_scale + k * step for k in range(levels)]
    delta = torch.full_like(w, sign * 0.1)
    expected, clear = [], []
    for value, move in zip(w.tolist(), delta.tolist(), strict=True):
        nearest = min(grid, key=lambda level: abs(level - value))
        distance = abs(value - nearest) / (step / 2)
        outside = abs(value) > full_scale
        d = min(1 + distance if outside else 1 - distance, depth)
        thresholds = [(a + b) / 2 for a, b in pairwise(grid)]
        goal = min(thresholds, key=lambda t: abs(t - value))
        towards = (goal - value) * move > 0
        expected.append(move * (1 - math.tanh(m * d) ** 2) if towards else move)
        # On a level between two thresholds, or on a threshold, the nearest is not one.
        clear.append(outside or 1e-3 < distance < 1 - 1e-3)
    ours = applied(IntervalRule(m, depth=depth), update(w, delta, levels, full_scale))
    mask = torch.tensor(clear)
    torch.testing.assert_close(ours[mask], torch.tensor(expected)[mask], rtol=2e-3, atol=1e-6)


@given(weights, st.integers(2, 9))
def test_no_strength_does_nothing(w: Tensor, levels: int) -> None:
    delta = torch.linspace(-1, 1, w.numel())
    for direction in ("toward-threshold", "both"):
        assert torch.equal(applied(IntervalRule(0.0, direction), update(w, delta, levels)), delta)


@given(weights, st.integers(2, 9))
def test_both_directions_scale_all_movement(w: Tensor, levels: int) -> None:
    delta = torch.full_like(w, 0.1)
    both = IntervalRule(2.0, "both")
    up, down = (applied(both, update(w, sign * delta, levels)) for sign in (1, -1))
    assert torch.equal(up, -down)
    assert (up <= delta).all()
    one = IntervalRule(2.0)
    scaled = torch.minimum(
        applied(one, update(w, delta, levels)), -applied(one, update(w, -delta, levels))
    )
    torch.testing.assert_close(up, scaled)


def test_depth_bounds_the_consolidation() -> None:
    delta = torch.tensor([-0.1])
    near, far = (
        applied(IntervalRule(0.5, depth=2.0), update(torch.tensor([w]), delta)) for w in (2.0, 9.0)
    )
    assert torch.equal(near, far)
    torch.testing.assert_close(far, delta * (1 - math.tanh(1.0) ** 2))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: IntervalRule(-1.0), r"IntervalRule\.m = -1\.0: expected at least 0"),
        (lambda: IntervalRule(math.nan), r"IntervalRule\.m = nan: expected a finite"),
        (lambda: IntervalRule(1.0, "up"), r"direction = 'up': expected 'toward-threshold' or"),
        (lambda: IntervalRule(1.0, mode="local"), r"mode = 'local': expected 'interval' or 'gl"),
        (lambda: IntervalRule(1.0, depth=0.5), r"depth = 0\.5: expected at least 1"),
    ],
)
def test_impossible_rules_are_refused(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


# ------------------------------------------------------------------ IntervalRule, mode "global"


@given(weights, st.integers(2, 9), st.floats(0.3, 2.0), st.sampled_from([-1.0, 1.0]))
def test_the_global_rule_knows_one_threshold_and_no_bound(
    w: Tensor, levels: int, full_scale: float, sign: float
) -> None:
    m, delta = 0.7, torch.full_like(w, sign * 0.1)
    expected = [
        move * (1 - math.tanh(m * abs(value) / full_scale) ** 2) if value * move < 0 else move
        for value, move in zip(w.tolist(), delta.tolist(), strict=True)
    ]
    rule = IntervalRule(m, depth=1.0, mode="global")
    ours = applied(rule, update(w, delta, levels, full_scale))
    torch.testing.assert_close(ours, torch.tensor(expected), rtol=1e-4, atol=1e-8)


def test_the_global_rule_leaves_a_weight_of_0_free() -> None:
    for zero, size in ((0.0, 0.3), (-0.0, -0.3), (-0.0, 0.3), (0.0, -1e-30)):
        delta = torch.tensor([size])
        rule = IntervalRule(5.0, mode="global")
        assert torch.equal(applied(rule, update(torch.tensor([zero]), delta)), delta)


def ancestor_adam(
    w: Tensor, gradient: Tensor, memory: dict, m: float, rate: float, decay: float
) -> None:
    """One step of the binarized networks' optimizer, weight by weight in double precision."""
    memory["t"] = t = memory.get("t", 0) + 1
    first, second = (memory.setdefault(k, [0.0] * w.numel()) for k in ("first", "second"))
    flat = w.view(-1)
    for k, g in enumerate(gradient.flatten().tolist()):
        value = flat[k].item()
        g += decay * value
        first[k] = 0.9 * first[k] + 0.1 * g
        second[k] = 0.999 * second[k] + 0.001 * g * g
        u = (first[k] / (1 - 0.9**t)) / (math.sqrt(second[k] / (1 - 0.999**t)) + 1e-8)
        if (value > 0) - (value < 0) and value * first[k] > 0:
            u *= 1 - math.tanh(m * abs(value)) ** 2
        flat[k] = value - rate * u


def test_adam_on_two_levels_is_the_ancestors_optimizer(generator: torch.Generator) -> None:
    """Laborieux et al. 2021: plain Adam, f_meta where the first moment threatens the sign."""
    device = mho.cells.MultiLevel(g_min=10e-6, g_max=90e-6, levels=2, sigma=(5e-6,))
    linear = nn.Linear(12, 5, bias=False)
    with torch.no_grad():
        linear.weight.copy_(torch.rand(5, 12, generator=generator) * 2 - 1)
        linear.weight.view(-1)[7] = 0.0
    hw = mho.Hardware(device=device, mapping="single")
    net = mho.convert(nn.Sequential(linear), hw, generator=generator)
    (layer,) = memristive_layers(net).values()
    assert layer.hardware.levels == 2
    m, rate, decay = 1.35, 0.05, 1e-3
    rule = IntervalRule(m * layer.full_scale, mode="global")
    step = mho.WriteStep(net, rules=[rule])
    optimizer = torch.optim.Adam(net.parameters(), rate, weight_decay=decay)
    slow, plain = layer.weight.detach().double(), layer.weight.detach().double()
    memories: tuple[dict, dict] = {}, {}
    written = 0
    for _ in range(25):
        x = torch.randn(16, 12, generator=generator)
        optimizer.zero_grad()
        (net(x) - x[:, :5]).square().mean().backward()
        gradient = layer.weight.grad.double()
        optimizer.step()
        written += step().weights
        ancestor_adam(slow, gradient, memories[0], m, rate, decay)
        ancestor_adam(plain, gradient, memories[1], 0.0, rate, decay)
        torch.testing.assert_close(layer.weight.detach(), slow.float(), rtol=1e-4, atol=1e-5)
    assert written > 0
    assert (plain - slow).abs().max() > 0.1
