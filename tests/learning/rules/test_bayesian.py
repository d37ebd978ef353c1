"""Bayesian synapses against the published equations and the posterior they approach."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from mho.learning.rules.rule import State, Update
from mho.rules import BayesianSteps


def stepped(
    rule: BayesianSteps, state: State, weight: Tensor, gradient: Tensor | None, delta: Tensor
) -> Tensor:
    u = Update(weight, delta.clone(), gradient, step=0.5, full_scale=2.0)
    rule.apply(u, state)
    return weight + u.delta


@given(st.floats(-3, 3), st.floats(-0.1, 0.1), st.floats(0.05, 1.0), st.integers(2_000, 10_000_000))
def test_small_steps_are_the_papers_equations(
    mean: float, gradient: float, share: float, memory: int
) -> None:
    """d mu = -s^2 g + s^2 (m - mu) / (N s0^2), d s = -s^3 h / 2 + s (s0^2 - s^2) / (2 N s0^2)."""
    prior = 0.1  # learning rate of an uncertain synapse: sigma_prior^2
    rule = BayesianSteps(math.sqrt(prior) / 2.0, memory)
    weight, g = torch.tensor([mean]).double(), torch.tensor([gradient]).double()
    state = rule.init(weight)
    state["precision"].div_(share)
    sigma = math.sqrt(share * prior)
    after = stepped(rule, state, weight, g, -prior * g) - weight
    d_mean = -(sigma**2) * gradient - sigma**2 * mean / (memory * prior)
    assert after.item() == pytest.approx(d_mean, rel=1e-6, abs=1e-12)
    d_sigma = -(sigma**3) * gradient**2 / 2
    d_sigma += sigma * (prior - sigma**2) / (2 * memory * prior)
    now = math.sqrt(prior / state["precision"].item())
    assert now - sigma == pytest.approx(d_sigma, rel=2e-2, abs=1e-9)


@pytest.mark.parametrize("curvature", [0.0, 0.3, 40.0, 1e6])
def test_certainty_settles_where_learning_and_forgetting_balance(curvature: float) -> None:
    rule = BayesianSteps(sigma=0.25, memory=20, batch=8)
    weight = torch.zeros(3)
    state = rule.init(weight)
    gradient = torch.full((3,), math.sqrt(curvature / 8))
    settled = 1 + 20 * 0.25**2 * 2.0**2 * curvature
    for _ in range(400):
        stepped(rule, state, weight, gradient, weight)
        assert (state["precision"] >= 1).all()
        assert (state["precision"] <= settled * 1.0001).all()
    torch.testing.assert_close(state["precision"], torch.full((3,), settled), rtol=1e-5, atol=0)
    for steps in range(1, 5):  # and fades by 1 / memory a step
        stepped(rule, state, weight, None, weight)
        expected = 1 + (settled - 1) * 0.95**steps
        torch.testing.assert_close(
            state["precision"], torch.full((3,), expected), rtol=1e-5, atol=0
        )


@given(st.floats(1, 1e4), st.floats(0.01, 10), st.floats(-1e3, 1e3), st.floats(0, 1e4))
def test_any_step_is_stable(memory: float, sigma: float, mean: float, gradient: float) -> None:
    """Without a proposal the mean goes back to 0 and never past it; certainty stays finite."""
    rule = BayesianSteps(sigma, memory, 100)
    weight, g = torch.tensor([mean]), torch.tensor([gradient])
    state = rule.init(weight)
    for _ in range(5):
        after = stepped(rule, state, weight, g, torch.zeros(1))
        assert after.abs() <= weight.abs()
        assert (after * weight >= 0).all()
        assert 1 - 1e-5 <= state["precision"].item() < math.inf
        weight = after


def test_certainty_is_that_of_a_running_mean(generator: torch.Generator) -> None:
    """A constant seen with noise of variance 1: each observation is one unit of information.

    From 50 units on at the constant itself, without forgetting, the mean after n more is off by
    sqrt(n) / (50 + n), and 50 + n is the precision.
    """
    steps, prior, truth = 400, 4.0, 1.5
    rule = BayesianSteps(sigma=1.0, memory=1e7)  # of full scale 2: sigma_prior^2 = 4
    weight = torch.full((4000,), truth)
    state = rule.init(weight)
    state["precision"].mul_(50 * prior)
    for _ in range(steps):
        gradient = weight - (truth + torch.randn(4000, generator=generator))
        weight = stepped(rule, state, weight, gradient, -prior * gradient)
    assert state["precision"].mean().item() / prior == pytest.approx(450, rel=0.03)
    assert weight.mean().item() == pytest.approx(truth, abs=0.005)
    assert weight.std().item() == pytest.approx(math.sqrt(400) / 450, rel=0.05)


def test_certain_synapses_forget_less() -> None:
    rule = BayesianSteps(sigma=0.5, memory=1000, batch=10)
    weight, goal = torch.zeros(2), torch.ones(2)
    curvature = torch.tensor([5.0, 0.05])
    state = rule.init(weight)
    for _ in range(100):
        gradient = curvature * (weight - goal) + torch.tensor([0.5, 0.005])
        weight = stepped(rule, state, weight, gradient, -0.1 * gradient)
    found = weight.clone()
    for _ in range(20):
        weight = stepped(rule, state, weight, torch.full((2,), 0.1), torch.full((2,), -0.01))
    moved = (weight - found).abs()
    assert moved[0] < 0.5 * moved[1]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BayesianSteps(0.0, 10), r"BayesianSteps\.sigma = 0\.0: expected above 0"),
        (lambda: BayesianSteps(math.nan, 10), r"BayesianSteps\.sigma = nan: expected a finite"),
        (lambda: BayesianSteps(1.0, 0.5), r"BayesianSteps\.memory = 0\.5: expected at least 1"),
        (lambda: BayesianSteps(1.0, 10, 0), r"BayesianSteps\.batch = 0: expected at least 1"),
    ],
)
def test_impossible_synapses_are_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
