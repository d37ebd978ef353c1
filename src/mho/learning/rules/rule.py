"""Update rules: what a synapse makes of the movement that the optimizer proposes.

A rule is a pair of functions, `init` and `apply`, as in gradient-transformation chains; `apply`
changes the proposed movement in place. Any torch optimizer can stand before any chain of rules. A
rule may also act on the gradient before the optimizer sees it (`steer`), and look at gradients that
no step is made of (`observe`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import torch
from torch import Tensor

from mho.arguments import checked
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
    """Gradient of the loss that led to it, without what rules added by `steer`."""
    step: float
    """Distance between weight levels."""
    full_scale: float
    """Weight of the outermost level."""
    layer: str = ""
    """Name of the layer: what rules draw at random depends on it."""


@dataclass(frozen=True)
class Synapses:
    """The synapses of one layer, as a task's end finds them."""

    weight: Tensor
    """Shadow weight; not to be changed."""
    step: float
    """Distance between weight levels."""
    full_scale: float
    """Weight of the outermost level."""
    layer: str = ""
    """Name of the layer."""


class UpdateRule(Protocol):
    """One link of the chain.

    A rule that moves weights from level to level says so by `lands_on_levels = True`: it needs a
    threshold below one step. By `needs_gradient = True` a rule refuses movement whose gradient is
    not known, by False it says that it never looks at `Update.gradient`; one that says nothing is
    given the gradient if there is one.
    """

    @property
    def stored(self) -> tuple[str, ...]:
        """Entries of the state that a synapse keeps from step to step beside its shadow weight.

        The memory of a scheme; counters, and what is needed only while a task ends, are left out.
        A class attribute of the rules here.
        """
        ...

    def init(self, weight: Tensor) -> State:
        """State of this rule for a layer."""
        ...

    def apply(self, update: Update, state: State) -> None:
        """Change `update.delta` in place."""
        ...

    def consolidate(self, synapses: Synapses, state: State) -> None:
        """A task has ended."""
        ...


@runtime_checkable
class Steers(Protocol):
    """What a rule has that puts a penalty into the loss; see `WriteStep.attach`."""

    def steer(self, weight: Tensor, gradient: Tensor, state: State) -> None:
        """Change the gradient in place, before the optimizer's step."""
        ...


@runtime_checkable
class Observes(Protocol):
    """What a rule has that measures gradients; see `WriteStep.observe`."""

    def observe(self, gradient: Tensor, state: State) -> None:
        """See the gradient of one pass after which no step is made; not to be changed."""
        ...


class IntervalRule:
    """Metaplasticity of multi-level synapses: a reconstruction of D'Agostino et al. (2023).

    With levels a step apart and W_Q the level nearest to W,

        d = 1 - |W - W_Q| / (step / 2)            0 on a threshold, 1 on a level
        d = 1 + (|W| - full_scale) / (step / 2)   beyond the outermost levels, at most `depth`
        M = 1 - tanh^2(m d)

    scales the part of the movement that leads towards the nearest threshold. With two levels this
    is the binarized rule of Laborieux et al. (2021, 10.1038/s41467-021-22768-y), but for `depth`.
    The exact rule of the paper (arXiv 2306.12142) is not public. In mode "global" the binarized
    rule is taken over as it stands, for any number of levels: `d = |W| / full_scale`, without
    bound, and 0 is the only threshold.

    Args:
        m: strength of consolidation, at least 0; the paper reports 2 to 4 as useful.
        direction: scale only movement towards the threshold, or all movement.
        depth: largest d beyond the outermost levels, in mode "interval".
        mode: thresholds between all neighbouring levels, or only at 0.
    """

    needs_gradient = False
    stored = ()

    @checked
    def __init__(
        self,
        m: float,
        direction: Literal["toward-threshold", "both"] = "toward-threshold",
        depth: float = 3.0,
        mode: Literal["interval", "global"] = "interval",
    ) -> None:
        if not m >= 0:
            raise invalid("IntervalRule.m", m, "at least 0")
        if direction not in ("toward-threshold", "both"):
            raise invalid("IntervalRule.direction", direction, "'toward-threshold' or 'both'")
        if not depth >= 1:
            raise invalid("IntervalRule.depth", depth, "at least 1")
        if mode not in ("interval", "global"):
            raise invalid("IntervalRule.mode", mode, "'interval' or 'global'")
        self.m, self.direction, self.depth, self.mode = m, direction, depth, mode

    def init(self, weight: Tensor) -> State:
        """No state: the position between levels is the metaplastic variable."""
        return {}

    def apply(self, update: Update, state: State) -> None:
        """Scale the movement by M."""
        d, leads = self._global(update) if self.mode == "global" else self._interval(update)
        lost = d.mul_(self.m).tanh_().square_()
        if self.direction == "toward-threshold":
            lost.mul_(leads)
        update.delta.mul_(lost.neg_().add_(1))

    def _interval(self, update: Update) -> tuple[Tensor, Tensor]:
        """Distance d from the nearest threshold, and whether the movement leads towards it."""
        half, w = update.step / 2, update.before
        n = round(update.full_scale / half)
        position = w.div(half).add_(n).div_(2).round_().mul_(2).sub_(n)
        level = position.mul_(half).clamp_(-update.full_scale, update.full_scale)
        away = torch.sub(w, level, out=level)
        beyond = w.abs().sub_(update.full_scale)
        d = (away / half).copysign_(beyond).add_(1).clamp_(max=self.depth)
        # Outside, the only threshold lies inwards; inside, it lies away from the level.
        outside = beyond >= 0
        inwards = (w * update.delta < 0).logical_and_(outside)
        return d, (away.mul_(update.delta) >= 0).logical_and_(~outside).logical_or_(inwards)

    def _global(self, update: Update) -> tuple[Tensor, Tensor]:
        """The same with 0 as the only threshold; from 0 itself all movement leads away."""
        w = update.before
        return w.abs().div_(update.full_scale), w * update.delta < 0

    def consolidate(self, synapses: Synapses, state: State) -> None:
        """Nothing: consolidation is continuous."""
