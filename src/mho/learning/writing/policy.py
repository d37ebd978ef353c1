"""Write policies: which of the weights that have moved far enough are written, and when.

A policy thins out what a `WriteStep` found stale; several act one after another. They see all
layers at once, so that a budget can be one for the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from mho.arguments import checked
from mho.errors import invalid
from mho.learning.rules.rule import State


class Candidates(NamedTuple):
    """Weights of one layer that are off their programmed level."""

    weights: Int64[Tensor, " n"]
    """Flat positions."""
    shadow: Float[Tensor, " n"]
    """Where the shadow stands, in weight units."""
    distance: Float[Tensor, " n"]
    """Distance from the programmed level, in steps between levels."""

    def take(self, which: Tensor) -> Candidates:
        """Some of them: positions or a mask."""
        return Candidates(*(t[which] for t in self))


class WritePolicy(Protocol):
    """One link of the chain."""

    def init(self) -> State:
        """State of the policy, tensors only."""
        ...

    def select(self, stale: Sequence[Candidates], state: State) -> Sequence[Candidates]:
        """What is to be written of what is stale, layer by layer."""
        ...


class Every:
    """Write only at every k-th step: k batches move the shadow between two write phases."""

    @checked
    def __init__(self, steps: int) -> None:
        if steps < 1:
            raise invalid("Every.steps", steps, "at least 1")
        self.steps = steps

    def init(self) -> State:
        """Steps so far."""
        return {"step": torch.zeros((), dtype=torch.int64)}

    def select(self, stale: Sequence[Candidates], state: State) -> Sequence[Candidates]:
        """All of it, or nothing."""
        state["step"] += 1
        if int(state["step"]) % self.steps == 0:
            return stale
        return [s.take(slice(0)) for s in stale]  # type: ignore[arg-type]


class Budget:
    """At most so many weights in so many steps, those farthest from their level first.

    What one step leaves of its share the following ones may use, within the period.
    """

    @checked
    def __init__(self, weights: int, steps: int) -> None:
        if weights < 0:
            raise invalid("Budget.weights", weights, "at least 0")
        if steps < 1:
            raise invalid("Budget.steps", steps, "at least 1")
        self.weights, self.steps = weights, steps

    def init(self) -> State:
        """Steps so far, and weights written in this period."""
        return {name: torch.zeros((), dtype=torch.int64) for name in ("step", "spent")}

    def select(self, stale: Sequence[Candidates], state: State) -> Sequence[Candidates]:
        """The farthest, as far as the budget reaches."""
        within = int(state["step"]) % self.steps
        if within == 0:
            state["spent"].zero_()
        state["step"] += 1
        left = self.weights * (within + 1) // self.steps - int(state["spent"])
        sizes = [len(s.weights) for s in stale]
        if sum(sizes) > left:
            chosen = torch.cat([s.distance for s in stale]).topk(left).indices
            keep = torch.zeros(sum(sizes), dtype=torch.bool, device=chosen.device)
            keep[chosen] = True
            stale = [s.take(k) for s, k in zip(stale, keep.split(sizes), strict=True)]
        state["spent"] += min(left, sum(sizes))
        return stale
