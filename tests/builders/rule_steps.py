"""Steps of one rule on bare tensors: what moves a weight, and where it comes."""

from typing import Any

import torch
from torch import Tensor

import mho
from mho.learning.rules.rule import State, Update, UpdateRule

STEP, FULL = 0.25, 1.0


def tiki_taka(**options: Any) -> mho.rules.TikiTaka:
    """Fast cells of 100 pulses to a window that is one step wide."""
    return mho.rules.TikiTaka(**({"granularity": 0.01, "window": 1.0} | options))


def update(before: Tensor, delta: Tensor, gradient: Tensor | None = None) -> Update:
    return Update(before, delta.clone(), gradient, STEP, FULL)


def walk(rule: UpdateRule, state: State, weight: Tensor, deltas: Tensor) -> list[Tensor]:
    """Weights after each of the deltas, the gradients being their negatives."""
    path = [weight]
    for delta in deltas:
        change = update(path[-1], delta, -delta)
        rule.apply(change, state)
        path.append(path[-1] + change.delta)
    return path[1:]


def movements(generator: torch.Generator, shape: tuple[int, ...], steps: int = 40) -> Tensor:
    """A persistent part for each weight and noise, some of it larger than a step."""
    drift = torch.randn(shape, generator=generator)
    return STEP * (0.3 * drift + 0.6 * torch.randn((steps, *shape), generator=generator))
