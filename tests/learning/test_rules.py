"""Update rules against their equations, written out once more the slow way."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from mho.learning.rules import IntervalRule, PathImportance, Update


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
        (lambda: IntervalRule(-1.0), r"IntervalRule\.m = -1\.0: allowed is at least 0"),
        (lambda: IntervalRule(math.nan), r"IntervalRule\.m = nan: allowed is at least 0"),
        (lambda: IntervalRule(1.0, "up"), r"direction = 'up': allowed is 'toward-threshold' or"),
        (lambda: IntervalRule(1.0, depth=0.5), r"depth = 0\.5: allowed is at least 1"),
        (lambda: PathImportance(-1.0, 0.0), r"PathImportance\.damping = -1\.0: allowed is at"),
        (lambda: PathImportance(0.0, math.nan), r"PathImportance\.pull = nan: allowed is at"),
        (lambda: PathImportance(0.0, 0.0, 0.0), r"PathImportance\.floor = 0\.0: allowed is above"),
    ],
)
def test_impossible_rules_are_refused(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


# ------------------------------------------------------------------ PathImportance


def learned(
    rule: PathImportance, w: Tensor, goal: Tensor, curvature: Tensor, steps: int = 20
) -> dict[str, Tensor]:
    """Descend `curvature (w - goal)^2 / 2`; w moves in place."""
    state = rule.init(w)
    descend(rule, state, w, goal, curvature, steps)
    return state


def descend(rule, state, w: Tensor, goal: Tensor, curvature: Tensor, steps: int) -> None:
    for _ in range(steps):
        gradient = curvature * (w - goal)
        u = Update(before=w, delta=-0.1 * gradient, gradient=gradient, step=1.0, full_scale=1.0)
        rule.apply(u, state)
        w.add_(u.delta)


def test_without_damping_and_pull_nothing_changes(generator: torch.Generator) -> None:
    rule = PathImportance(0.0, 0.0)
    w, delta = torch.randn(2, 50, generator=generator)
    state = rule.init(w)
    state["importance"].uniform_(0, 100, generator=generator)
    state["anchor"].normal_(generator=generator)
    u = Update(before=w, delta=delta.clone(), gradient=delta, step=1.0, full_scale=1.0)
    rule.apply(u, state)
    assert torch.equal(u.delta, delta)


@pytest.mark.parametrize("importance", [0.5, 1.0, 30.0, 1e8, 1e30])
def test_the_pull_leads_to_the_anchor_and_never_past_it(importance: float) -> None:
    rule = PathImportance(0.0, 0.2)
    w = torch.tensor([3.0, -2.0])
    state = rule.init(torch.tensor([1.0, 1.0]))
    state["importance"].copy_(torch.tensor([importance, 0.5]))
    share = 0.2 * state["importance"] / (1 + 0.2 * state["importance"])
    distance = w - 1.0
    for _ in range(300):
        u = Update(before=w, delta=torch.zeros(2), gradient=None, step=1.0, full_scale=1.0)
        rule.apply(u, state)
        w = w + u.delta
        torch.testing.assert_close(w - 1.0, (1 - share) * distance, rtol=1e-3, atol=1e-6)
        assert ((w - 1.0) * distance >= 0).all()
        distance = w - 1.0
    torch.testing.assert_close(w, torch.ones(2), rtol=0, atol=1e-5)


def test_damping_divides_the_movement() -> None:
    rule = PathImportance(3.0, 0.0)
    w = torch.zeros(3)
    state = rule.init(w)
    state["importance"].copy_(torch.tensor([0.0, 1.0, 5.0]))
    u = Update(before=w, delta=torch.ones(3), gradient=None, step=1.0, full_scale=1.0)
    rule.apply(u, state)
    torch.testing.assert_close(u.delta, torch.tensor([1.0, 1 / 4, 1 / 16]))


def test_importance_is_the_loss_gathered_over_the_distance(generator: torch.Generator) -> None:
    rule = PathImportance(0.0, 0.0, floor=0.1)
    w, goal = torch.randn(2, 40, generator=generator)
    curvature = torch.rand(40, generator=generator)
    start = w.clone()
    state = learned(rule, w, goal, curvature)
    # Slow truth: the same path in double precision.
    path, at = torch.zeros(40).double(), start.double()
    for _ in range(20):
        gradient = curvature * (at - goal)
        path += gradient * 0.1 * gradient
        at -= 0.1 * gradient
    distance = (at - start).square()
    gathered = path / (distance + 0.1 * distance.mean())
    rule.consolidate(w, state)
    expected = gathered / gathered.mean()
    torch.testing.assert_close(state["importance"], expected.float(), rtol=1e-3, atol=1e-4)


def test_consolidation_has_mean_one_and_starts_anew(generator: torch.Generator) -> None:
    rule = PathImportance(1.0, 0.1)
    w, goal = torch.randn(2, 6, 5, generator=generator)
    curvature = torch.rand(6, 5, generator=generator)
    state = learned(rule, w, goal, curvature)
    for task in (1, 2, 3):
        rule.consolidate(w, state)
        assert state["importance"].mean().item() == pytest.approx(task, rel=1e-4)
        assert (state["importance"] >= 0).all()
        assert torch.equal(state["anchor"], w)
        assert torch.equal(state["start"], w)
        assert (state["path"] == 0).all()
        descend(rule, state, w, -goal, curvature, 20)


def test_consolidating_without_movement_adds_nothing(generator: torch.Generator) -> None:
    rule = PathImportance(1.0, 0.1)
    w = torch.randn(10, generator=generator)
    state = learned(rule, w, -w, torch.ones(10))
    rule.consolidate(w, state)
    once = state["importance"].clone()
    rule.consolidate(w, state)
    assert torch.equal(state["importance"], once)
    fresh = rule.init(w)
    rule.consolidate(w, fresh)
    assert (fresh["importance"] == 0).all()


def test_important_synapses_forget_less(generator: torch.Generator) -> None:
    """After a second task, the first one's loss is lower with the rule than without."""
    first, second = torch.randn(2, 200, generator=generator)
    matters = (torch.rand(200, generator=generator) < 0.3).float() + 0.01

    def loss_after(rule: PathImportance) -> float:
        w = torch.zeros(200)
        state = learned(rule, w, first, matters, steps=60)
        rule.consolidate(w, state)
        descend(rule, state, w, second, torch.full((200,), 0.3), 60)
        return (matters * (w - first).square()).sum().item()

    assert loss_after(PathImportance(1.0, 0.05)) < 0.5 * loss_after(PathImportance(0.0, 0.0))
