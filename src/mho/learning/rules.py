"""Update rules: what a synapse makes of the movement that the optimizer proposes.

A rule is a pair of functions, `init` and `apply`, as in gradient-transformation chains; `apply`
changes the proposed movement in place. Any torch optimizer can stand before any chain of rules.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from mho.errors import invalid

State = dict[str, Tensor]


@dataclass
class Update:
    """One step of one layer, all tensors of the weight's shape."""

    before: Tensor
    """Shadow weight before the optimizer's step."""
    delta: Tensor
    """Movement proposed; rules change it in place."""
    gradient: Tensor | None
    """Gradient that led to it."""
    step: float
    """Distance between weight levels."""
    full_scale: float
    """Weight of the outermost level."""
    layer: str = ""
    """Name of the layer: what rules draw at random depends on it."""


class UpdateRule(Protocol):
    """One link of the chain.

    A rule that moves weights from level to level says so by `lands_on_levels = True`: it needs a
    threshold below one step.
    """

    def init(self, weight: Tensor) -> State:
        """State of this rule for a layer."""
        ...

    def apply(self, update: Update, state: State) -> None:
        """Change `update.delta` in place."""
        ...

    def consolidate(self, weight: Tensor, state: State) -> None:
        """A task has ended."""
        ...


class IntervalRule:
    """Metaplasticity of multi-level synapses: a reconstruction of D'Agostino et al. (2023).

    With levels a step apart and W_Q the level nearest to W,

        d = 1 - |W - W_Q| / (step / 2)            0 on a threshold, 1 on a level
        d = 1 + (|W| - full_scale) / (step / 2)   beyond the outermost levels, at most `depth`
        M = 1 - tanh^2(m d)

    scales the part of the movement that leads towards the nearest threshold. With two levels this
    is the binarized rule of Laborieux et al. (2021, 10.1038/s41467-021-22768-y). The exact rule of
    the paper (arXiv 2306.12142) is not public.

    Args:
        m: strength of consolidation, at least 0; the paper reports 2 to 4 as useful.
        direction: scale only movement towards the threshold, or all movement.
        depth: largest d beyond the outermost levels.
    """

    def __init__(
        self,
        m: float,
        direction: Literal["toward-threshold", "both"] = "toward-threshold",
        depth: float = 3.0,
    ) -> None:
        if not m >= 0:
            raise invalid("IntervalRule.m", m, "at least 0")
        if direction not in ("toward-threshold", "both"):
            raise invalid("IntervalRule.direction", direction, "'toward-threshold' or 'both'")
        if not depth >= 1:
            raise invalid("IntervalRule.depth", depth, "at least 1")
        self.m, self.direction, self.depth = m, direction, depth

    def init(self, weight: Tensor) -> State:
        """No state: the position between levels is the metaplastic variable."""
        return {}

    def apply(self, update: Update, state: State) -> None:
        """Scale the movement by M."""
        half, w = update.step / 2, update.before
        n = round(update.full_scale / half)
        position = w.div(half).add_(n).div_(2).round_().mul_(2).sub_(n)
        level = position.mul_(half).clamp_(-update.full_scale, update.full_scale)
        away = w - level
        outside = w.abs() >= update.full_scale
        reach = away.abs().div_(half)
        d = torch.where(outside, 1 + reach, 1 - reach).clamp_(max=self.depth)
        m = 1 - torch.tanh(d.mul_(self.m)).square_()
        if self.direction == "toward-threshold":
            # Outside, the only threshold lies inwards; inside, it lies away from the level.
            leads = torch.where(outside, w * update.delta < 0, away * update.delta >= 0)
            m = torch.where(leads, m, 1.0)
        update.delta.mul_(m)

    def consolidate(self, weight: Tensor, state: State) -> None:
        """Nothing: consolidation is continuous."""


class PathImportance:
    """Consolidation by the importance that each synapse gathered along its own path.

    Over a task each synapse accumulates `-gradient x movement`, what it contributed to lowering the
    loss (Zenke et al. 2017, arXiv 1703.04200); at the end of the task this, over the squared
    distance travelled and normalized to mean 1 in each layer, is added to its importance I, and its
    weight becomes the anchor. Later steps are damped and pulled back,

        delta <- delta / (1 + damping I),   W <- W + (anchor - W) pull I / (1 + pull I),

    which is local to the synapse and stable for any importance.

    Args:
        damping: at least 0.
        pull: share of the way back to the anchor in each step, for a synapse of mean importance.
        floor: squared distance below which importance stops growing, as a share of the layer's
            mean squared distance.
    """

    def __init__(self, damping: float, pull: float, floor: float = 0.1) -> None:
        for name, value in (("damping", damping), ("pull", pull)):
            if not value >= 0:
                raise invalid(f"PathImportance.{name}", value, "at least 0")
        if not floor > 0:
            raise invalid("PathImportance.floor", floor, "above 0")
        self.damping, self.pull, self.floor = damping, pull, floor

    def init(self, weight: Tensor) -> State:
        """Path integral, start of the task, importance, anchor."""
        return {
            "path": torch.zeros_like(weight),
            "start": weight.clone(),
            "importance": torch.zeros_like(weight),
            "anchor": weight.clone(),
        }

    def apply(self, update: Update, state: State) -> None:
        """Damp and pull back; account for the path that remains."""
        importance, delta = state["importance"], update.delta
        delta.div_(importance.mul(self.damping).add_(1))
        if update.gradient is not None:
            state["path"].addcmul_(update.gradient, delta, value=-1)
        pull = importance.mul(self.pull)
        pull.div_(pull + 1)
        delta.add_(pull.mul_(state["anchor"] - update.before - delta))

    def consolidate(self, weight: Tensor, state: State) -> None:
        """Turn the path into importance; anchor here; start anew."""
        travelled = (weight - state["start"]).square_()
        distance = (travelled + self.floor * travelled.mean()).clamp_(min=1e-30)
        gathered = state["path"].clamp(min=0).div_(distance)
        state["importance"].add_(gathered.div_(gathered.mean().clamp(min=1e-30)))
        state["anchor"].copy_(weight)
        state["start"].copy_(weight)
        state["path"].zero_()
