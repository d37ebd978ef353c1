"""Rules that consolidate, against their equations and against training with the penalty itself."""

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from mho.learning.rules.rule import State, Synapses, Update, UpdateRule
from mho.rules import ElasticWeights, PathImportance, SynapticIntelligence


def end(rule: UpdateRule, weight: Tensor, state: State, layer: str = "a") -> None:
    """A task ends on a layer of full scale 1."""
    rule.consolidate(Synapses(weight, step=1.0, full_scale=1.0, layer=layer), state)


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
    end(rule, w, state)
    expected = gathered / gathered.mean()
    torch.testing.assert_close(state["importance"], expected.float(), rtol=1e-3, atol=1e-4)


def test_consolidation_has_mean_one_and_starts_anew(generator: torch.Generator) -> None:
    rule = PathImportance(1.0, 0.1)
    w, goal = torch.randn(2, 6, 5, generator=generator)
    curvature = torch.rand(6, 5, generator=generator)
    state = learned(rule, w, goal, curvature)
    for task in (1, 2, 3):
        end(rule, w, state)
        assert state["importance"].mean().item() == pytest.approx(task, rel=1e-4)
        assert (state["importance"] >= 0).all()
        assert torch.equal(state["anchor"], w)
        assert (state["path"] == 0).all()
        descend(rule, state, w, -goal, curvature, 20)


def test_consolidating_without_movement_adds_nothing(generator: torch.Generator) -> None:
    rule = PathImportance(1.0, 0.1)
    w = torch.randn(10, generator=generator)
    state = learned(rule, w, -w, torch.ones(10))
    end(rule, w, state)
    once = state["importance"].clone()
    end(rule, w, state)
    assert torch.equal(state["importance"], once)
    fresh = rule.init(w)
    end(rule, w, fresh)
    assert (fresh["importance"] == 0).all()


def test_important_synapses_forget_less(generator: torch.Generator) -> None:
    """After a second task, the first one's loss is lower with the rule than without."""
    first, second = torch.randn(2, 200, generator=generator)
    matters = (torch.rand(200, generator=generator) < 0.3).float() + 0.01

    def loss_after(rule: PathImportance) -> float:
        w = torch.zeros(200)
        state = learned(rule, w, first, matters, steps=60)
        end(rule, w, state)
        descend(rule, state, w, second, torch.full((200,), 0.3), 60)
        return (matters * (w - first).square()).sum().item()

    assert loss_after(PathImportance(1.0, 0.05)) < 0.5 * loss_after(PathImportance(0.0, 0.0))


numbers = st.floats(-3, 3, width=32)


@given(
    st.lists(
        st.tuples(numbers, numbers, numbers, numbers, st.floats(0, 1e4, width=32)), min_size=1
    ),
    st.floats(0, 50),
    st.floats(0, 1),
)
def test_a_step_is_the_written_equation(rows: list[tuple], damping: float, pull: float) -> None:
    before, delta, gradient, anchor, importance = torch.tensor(rows).unbind(1)
    rule = PathImportance(damping, pull)
    state = rule.init(anchor)
    state["importance"].copy_(importance)
    u = Update(before, delta.clone(), gradient, step=1.0, full_scale=1.0)
    rule.apply(u, state)
    for k, (w, d, g, a, i) in enumerate(torch.tensor(rows).double().tolist()):
        damped = d / (1 + damping * i)
        share = pull * i / (1 + pull * i)
        assert state["path"][k].item() == pytest.approx(-g * damped, rel=1e-4, abs=1e-6)
        expected = damped + share * (a - w - damped)
        assert u.delta[k].item() == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_strengths_and_importances_may_change_between_steps(generator: torch.Generator) -> None:
    """What is kept ready for the next step never outlives what it was made of."""
    rule = PathImportance(0.0, 0.0)
    weight, other = torch.randn(2, 30, generator=generator)
    states = [rule.init(weight), rule.init(other)]

    def moved(of: PathImportance, k: int) -> Tensor:
        u = Update(weight, torch.ones(30), None, step=1.0, full_scale=1.0)
        of.apply(u, states[k])
        return u.delta

    def check() -> None:
        for k in (0, 1):
            assert torch.equal(moved(rule, k), moved(PathImportance(rule.damping, rule.pull), k))

    check()
    for k in (0, 1):
        states[k]["importance"].uniform_(0, 3, generator=generator)
    rule.damping = 2.0
    check()
    half = moved(rule, 0)
    rule.pull = 0.3
    check()
    states[0]["importance"].mul_(2)
    check()
    assert (moved(rule, 0) != half).all()
    states[0]["importance"].zero_()
    assert torch.equal(moved(rule, 0), torch.ones(30))
    states = [copy.deepcopy(state) for state in states]
    rule = copy.deepcopy(rule)
    check()


def shuffled(seed: int | None, layer: str, tasks: int) -> list[Tensor]:
    """What each of several tasks adds to the importances of a layer."""
    rule, weight = PathImportance(0.0, 0.0, shuffled=seed), torch.zeros(6, 5)
    state, added = rule.init(weight), []
    own = torch.Generator().manual_seed(3)
    for _ in range(tasks):
        state["path"].uniform_(1, 2, generator=own)
        weight = torch.randn(6, 5, generator=own)
        held = state["importance"].clone()
        end(rule, weight, state, layer)
        added.append(state["importance"] - held)
    return added


def test_shuffled_importances_are_the_same_numbers_elsewhere() -> None:
    plain, dealt = (shuffled(seed, "a", 2) for seed in (None, 5))
    for one, other in zip(plain, dealt, strict=True):
        assert not torch.equal(one, other)
        one, other = one.flatten().sort().values, other.flatten().sort().values
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)
    # Where each number went: it had a rank, and stands where that rank is now.
    orders = [
        other.flatten().argsort()[one.flatten().argsort().argsort()]
        for one, other in zip(plain, dealt, strict=True)
    ]
    assert (orders[0] != orders[1]).any()  # each task is dealt out anew


def test_the_shuffle_is_keyed_by_seed_and_layer() -> None:
    state = torch.random.get_rng_state()
    first = shuffled(5, "a", 2)
    again = shuffled(5, "a", 2)
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))
    for seed, layer in ((6, "a"), (5, "b")):
        assert not torch.equal(shuffled(seed, layer, 1)[0], first[0])
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("bits", [4, 8, 16])
def test_paths_of_few_bits_keep_their_mean(bits: int) -> None:
    """Rounded at random to whole grains, within the bits; 16 bits are nearly the float."""
    rule, exact = PathImportance(0.0, 0.0, bits=bits, seed=3), PathImportance(0.0, 0.0)
    weight = torch.zeros(100, 50)
    states = [each.init(weight) for each in (rule, exact)]
    rate = torch.linspace(-1, 3, 5000).view(100, 50)
    for step in range(60):
        gradient = -rate * (1 + step / 10)
        for each, state in zip((rule, exact), states, strict=True):
            movement = Update(weight, torch.full_like(weight, 0.01), gradient, 0.1, 1.0, "a")
            each.apply(movement, state)
    few, many = (state["path"] for state in states)
    grain = states[0]["grain"]
    codes = few / grain
    assert torch.equal(codes, codes.round())
    assert codes.abs().max() <= 2 ** (bits - 1)
    scale = many.abs().max()
    assert few.sum() == pytest.approx(many.sum().item(), abs=float(grain) * 5000**0.5 * 8)
    assert (few - many).abs().mean() / scale < {4: 0.4, 8: 0.05, 16: 1e-3}[bits]
    rule.consolidate(Synapses(weight + 0.1, 0.1, 1.0, "a"), states[0])
    assert len(states[0]["importance"].unique()) <= 2**bits
    assert states[0]["importance"].mean() == pytest.approx(1, rel=0.1)
    assert not states[0]["grain"]
    assert not states[0]["path"].any()


# ------------------------------------------------------------------ penalties in the loss


def train(
    rule: UpdateRule,
    state: State,
    weight: Tensor,
    goal: Tensor,
    curvature: Tensor,
    make: Callable[..., torch.optim.Optimizer],
    steps: int,
) -> list[Tensor]:
    """Descend `curvature (w - goal)^2 / 2`; gradients of the loss, weight moves in place."""
    parameter = torch.nn.Parameter(weight)
    optimizer = make([parameter])
    seen = []
    for _ in range(steps):
        before = weight.clone()
        gradient = curvature * (weight - goal)
        seen.append(gradient.clone())
        parameter.grad = gradient.clone()
        rule.steer(weight, parameter.grad, state)
        optimizer.step()
        u = Update(before, weight - before, gradient, step=1.0, full_scale=1.0)
        rule.apply(u, state)
        assert torch.equal(u.delta, weight - before)
    return seen


def sgd(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, 0.05)


def adam(parameters: Any) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, 0.05)


def penalized(
    weight: Tensor, goal: Tensor, curvature: Tensor, penalty: Callable[[Tensor], Tensor], make: Any
) -> Tensor:
    """The same descent with the penalty in the loss and autograd."""
    parameter = torch.nn.Parameter(weight.clone())
    optimizer = make([parameter])
    for _ in range(15):
        optimizer.zero_grad()
        loss = (curvature * (parameter - goal).square()).sum() / 2 + penalty(parameter)
        loss.backward()
        optimizer.step()
    return parameter.detach()


@pytest.mark.parametrize("make", [sgd, adam])
def test_elastic_weights_descend_the_penalized_loss(make: Any, generator: torch.Generator) -> None:
    rule, strength = ElasticWeights(2.5), 2.5
    weight, goal = torch.randn(2, 4, 6, generator=generator)
    curvature = torch.rand(4, 6, generator=generator)
    state, fisher = rule.init(weight), torch.zeros(4, 6)
    free = weight.clone()
    train(rule, state, weight, goal, curvature, make, 15)
    torch.testing.assert_close(
        weight, penalized(free, goal, curvature, lambda _: torch.zeros(()), make)
    )
    for samples in (7, 3):
        gradients = torch.randn(samples, 4, 6, generator=generator)
        for gradient in gradients:
            rule.observe(gradient, state)
        end(rule, weight, state)
        fisher = fisher + gradients.square().mean(0)
        torch.testing.assert_close(state["fisher"], fisher)
        assert torch.equal(state["anchor"], weight)
        assert not state["squares"].any()
        anchor, goal = weight.clone(), -goal

        def penalty(w: Tensor, f: Tensor = fisher, a: Tensor = anchor) -> Tensor:
            return strength / 2 * (f * (w - a).square()).sum()

        expected = penalized(weight, goal, curvature, penalty, make)
        train(rule, state, weight, goal, curvature, make, 15)
        torch.testing.assert_close(weight, expected, rtol=1e-4, atol=1e-5)


def test_elastic_weights_without_fisher_information_are_refused() -> None:
    rule, weight = ElasticWeights(1.0), torch.ones(3)
    state = rule.init(weight)
    with pytest.raises(
        RuntimeError, match=r"'fc' has no Fisher information .*call mho\.rules\.measure_fisher"
    ):
        end(rule, weight + 1, state, "fc")
    assert torch.equal(state["anchor"], weight)
    rule.observe(weight, state)
    end(rule, weight, state)
    with pytest.raises(RuntimeError, match="no Fisher information of this task"):
        end(rule, weight, state)


@pytest.mark.parametrize("make", [sgd, adam])
def test_synaptic_intelligence_is_the_papers(make: Any, generator: torch.Generator) -> None:
    """Three tasks against the written sums, in double precision."""
    strength, damping, full_scale = 0.7, 0.1, 3.0
    rule = SynapticIntelligence(strength, damping)
    weight = torch.randn(4, 6, generator=generator)
    state, omega, anchor = rule.init(weight), torch.zeros(4, 6).double(), weight.clone()
    for _ in range(3):
        goal = torch.randn(4, 6, generator=generator)
        curvature = torch.rand(4, 6, generator=generator)

        def penalty(w: Tensor, o: Tensor = omega, a: Tensor = anchor) -> Tensor:
            return strength * (o.float() * (w - a).square()).sum()

        expected = penalized(weight, goal, curvature, penalty, make)
        walked = []

        class Spy(SynapticIntelligence):
            def apply(self, update: Update, state: State, to: list = walked) -> None:
                to.append((update.gradient.double(), update.delta.double()))
                super().apply(update, state)

        train(Spy(strength, damping), state, weight, goal, curvature, make, 15)
        torch.testing.assert_close(weight, expected, rtol=1e-3, atol=1e-4)
        path = -sum(gradient * movement for gradient, movement in walked)
        distance = (weight - anchor).double().square()
        omega = omega + (path / (distance + damping * full_scale**2)).clamp(min=0)
        rule.consolidate(Synapses(weight, 1.0, full_scale, "a"), state)
        torch.testing.assert_close(state["omega"], omega.float(), rtol=1e-3, atol=1e-5)
        assert not state["path"].any()
        anchor = weight.clone()
        assert torch.equal(state["anchor"], anchor)


def test_a_synapse_that_raised_the_loss_has_no_importance() -> None:
    rule = SynapticIntelligence(1.0, damping=0.5)
    state = rule.init(torch.zeros(3))
    delta, gradient = torch.tensor([1.0, 1.0, 0.0]), torch.tensor([2.0, -3.0, -3.0])
    rule.apply(Update(torch.zeros(3), delta, gradient, 1.0, 1.0), state)
    end(rule, delta, state)
    torch.testing.assert_close(state["omega"], torch.tensor([0.0, 3 / 1.5, 0.0]))


def test_synaptic_intelligence_does_not_depend_on_the_unit_of_weights(
    generator: torch.Generator,
) -> None:
    """The same network in other units: weights s times, gradients 1/s times, omega 1/s^2 times."""
    omegas = []
    for unit in (1.0, 3.0):
        rule = SynapticIntelligence(1.0)
        own = torch.Generator().manual_seed(2)
        weight = torch.randn(20, generator=own) * unit
        state = rule.init(weight)
        for _ in range(5):
            delta, gradient = torch.randn(2, 20, generator=own)
            rule.apply(Update(weight, delta * unit, gradient / unit, unit, unit), state)
            weight = weight + delta * unit
        rule.consolidate(Synapses(weight, unit, unit), state)
        omegas.append(state["omega"] * unit**2)
    assert omegas[0].any()
    torch.testing.assert_close(*omegas)


def test_rules_without_a_gradient_gather_no_path() -> None:
    for rule in (SynapticIntelligence(1.0), PathImportance(1.0, 0.1)):
        state = rule.init(torch.zeros(3))
        rule.apply(Update(torch.zeros(3), torch.ones(3), None, 1.0, 1.0), state)
        assert not state["path"].any()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PathImportance(-1.0, 0.0), r"PathImportance\.damping = -1\.0: expected at"),
        (lambda: PathImportance(0.0, math.nan), r"PathImportance\.pull = nan: expected a"),
        (lambda: PathImportance(0.0, 0.0, bits=17), r"PathImportance\.bits = 17: expected 2 to"),
        (lambda: PathImportance(0.0, 0.0, 0.0), r"PathImportance\.floor = 0\.0: expected above"),
        (lambda: ElasticWeights(-1.0), r"ElasticWeights\.strength = -1\.0: expected at least 0"),
        (lambda: ElasticWeights(math.nan), r"ElasticWeights\.strength = nan: expected a finite"),
        (lambda: SynapticIntelligence(-1.0), r"SynapticIntelligence\.strength = -1\.0: expected"),
        (lambda: SynapticIntelligence(1.0, 0.0), r"Intelligence\.damping = 0\.0: expected above"),
    ],
)
def test_impossible_rules_are_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
