"""Update rules of other schemes for training in place: each weight moves from level to level.

What the optimizer proposes is never kept in the weight itself. The scheme that needs a second array
is in `mho.learning.rules.tiki_taka`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from mho.arguments import checked
from mho.errors import invalid
from mho.hardware.philox import uniforms
from mho.hardware.streams import key
from mho.learning.layers.quantizer import level_index, level_value
from mho.learning.rules.rule import State, Synapses, Update


class StochasticRounding:
    """Probabilistic updates: the movement is rounded at random to coarse steps, its mean kept.

        n = floor(delta / (granularity step) + u) granularity,   u uniform in (0, 1)

    from the level at which the weight stands: a movement much smaller than that mostly writes
    nothing, and nothing is accumulated. After the error-aware probabilistic update of
    10.1038/s41467-025-66240-7, which takes the size of a write from the cells' write error; its
    exact probability is not modelled.

    Args:
        seed: of the draws, which depend on it, the layer and the number of steps alone.
        granularity: size of a write, in steps between levels, a whole number.
    """

    lands_on_levels = True
    needs_gradient = False
    stored = ()

    @checked
    def __init__(self, seed: int = 0, granularity: int = 1) -> None:
        if granularity < 1:
            raise invalid("StochasticRounding.granularity", granularity, "at least 1 step")
        self.seed, self.granularity = seed, granularity

    def init(self, weight: Tensor) -> State:
        """Steps so far."""
        return {"step": torch.zeros((), dtype=torch.int64)}

    def apply(self, update: Update, state: State) -> None:
        """Move by whole steps, from level to level."""
        state["step"] += 1
        words = (self.seed, update.layer, "rounding", int(state["step"]))
        u = draw(uniforms, update.delta, *words)
        size = self.granularity * update.step
        move(update, update.delta.div_(size).add_(u).floor_().mul_(self.granularity))

    def consolidate(self, synapses: Synapses, state: State) -> None:
        """Nothing."""


class SignUpdate:
    """Manhattan rule: one step against the gradient's sign, where it is largest.

    Zamanidoost et al. (2015, 10.1109/WISES.2015.7356978) move every weight by one pulse; with few
    levels that is too much, so that only the `share` of weights with the largest gradients moves.

    Args:
        share: of a layer's weights that move in a step, in (0, 1].
    """

    lands_on_levels = True
    needs_gradient = True
    stored = ()

    @checked
    def __init__(self, share: float) -> None:
        if not 0 < share <= 1:
            raise invalid("SignUpdate.share", share, "above 0, at most 1")
        self.share = share

    def init(self, weight: Tensor) -> State:
        """No state."""
        return {}

    def apply(self, update: Update, state: State) -> None:
        """Move by one step where the gradient is among the largest."""
        if update.gradient is None:
            update.delta.zero_()
            return
        gradient = update.gradient
        moved = max(1, round(self.share * gradient.numel()))
        least = gradient.abs().flatten().kthvalue(gradient.numel() - moved + 1).values
        move(update, -torch.sign(gradient) * (gradient.abs() >= least))

    def consolidate(self, synapses: Synapses, state: State) -> None:
        """Nothing."""


class Accumulate:
    """Threshold accumulation: movement is gathered digitally until it is worth a write.

        a <- a + delta / step
        n = sign(a) floor(|a| + max(0, 1 - threshold))   where |a| >= threshold, else 0
        a <- a - n

    and the weight moves by n levels: nothing is lost but what leads beyond the window. With a
    threshold of 1 this is the digital half of mixed-precision training (Nandakumar et al. 2020,
    10.3389/fnins.2020.00406), n = trunc(chi / epsilon), with one level as the granularity epsilon;
    their blind pulses are here writes to a level, with the errors of the hardware's programming.
    Other thresholds are our choice: late moves above 1, early ones, paid back later, below.

    Args:
        threshold: in steps between levels, above 0.5, where what is left of a move would ask for
            the move back.
    """

    lands_on_levels = True
    needs_gradient = False
    stored = ("gathered",)

    @checked
    def __init__(self, threshold: float = 1.0) -> None:
        if not threshold > 0.5:
            raise invalid("Accumulate.threshold", threshold, "above 0.5 steps")
        self.threshold = threshold

    def init(self, weight: Tensor) -> State:
        """Movement gathered, in steps."""
        return {"gathered": torch.zeros_like(weight)}

    def apply(self, update: Update, state: State) -> None:
        """Gather, and move by whole steps where there is enough."""
        gathered = state["gathered"].add_(update.delta, alpha=1 / update.step)
        size = gathered.abs()
        early = max(0.0, 1 - self.threshold)
        steps = size.add(early).floor_().copysign_(gathered).mul_(size >= self.threshold)
        gathered.sub_(steps)
        move(update, steps)

    def consolidate(self, synapses: Synapses, state: State) -> None:
        """Nothing."""


class StochasticSparse:
    """Stochastic sparse updates with momentum: a few weights, drawn by velocity, move by one step.

        v <- momentum v + delta
        P = min(1, c |v|)   with c such that the mean of P over the layer is `share`
        where drawn: move by sign(v), v <- 0

    so that up to the clipping the mean movement is along the velocity. A reconstruction of Wang et
    al. (2019, arXiv 1906.02393), of which we know the abstract: the probability, one step as the
    size, and that a move spends the velocity are our choice. A layer's share counts weights without
    velocity; if fewer than the share have any, all these move. The learning rate cancels.

    Args:
        share: of a layer's weights that move in a step, on average, in (0, 1].
        momentum: in [0, 1); 0 where the optimizer has momentum of its own.
        seed: of the draws, which depend on it and on the number of steps alone.
    """

    lands_on_levels = True
    needs_gradient = False
    stored = ("velocity",)

    @checked
    def __init__(self, share: float, momentum: float = 0.9, seed: int = 0) -> None:
        if not 0 < share <= 1:
            raise invalid("StochasticSparse.share", share, "above 0, at most 1")
        if not 0 <= momentum < 1:
            raise invalid("StochasticSparse.momentum", momentum, "at least 0, below 1")
        self.share, self.momentum, self.seed = share, momentum, seed

    def init(self, weight: Tensor) -> State:
        """Steps so far, and velocity."""
        return {"step": torch.zeros((), dtype=torch.int64), "velocity": torch.zeros_like(weight)}

    def apply(self, update: Update, state: State) -> None:
        """Draw weights and move them by one step."""
        state["step"] += 1
        velocity = state["velocity"].mul_(self.momentum).add_(update.delta)
        chance = _chances(velocity.abs(), self.share)
        words = (self.seed, update.layer, "sparse", int(state["step"]))
        drawn = draw(uniforms, velocity, *words) < chance
        move(update, velocity.sign() * drawn)
        velocity.masked_fill_(drawn, 0.0)

    def consolidate(self, synapses: Synapses, state: State) -> None:
        """Nothing."""


def move(update: Update, steps: Tensor) -> None:
    """Make `delta` lead from the level nearest to the weight by whole steps, within the window."""
    full = update.full_scale
    n = round(2 * full / update.step) + 1
    index = (level_index(update.before, full, n) + steps.long()).clamp_(0, n - 1)
    update.delta.copy_(level_value(index, full, n) - update.before)


def draw(make: Callable[..., Tensor], like: Tensor, *words: int | str) -> Tensor:
    """Random numbers for each weight by `uniforms` or `normals`, keyed by words."""
    n = like.numel()
    return make([key(*words, n)], n, like.device).view(like.shape).to(like.dtype)


def _chances(size: Tensor, share: float) -> Tensor:
    """`min(1, c size)` of mean `share`.

    The sum is the least of the lines `j + c (sum without the j largest)`: the last of them to reach
    the wanted sum gives c.
    """
    flat = size.flatten()
    wanted = share * len(flat)
    largest, where = flat.topk(max(1, math.ceil(wanted)))
    others = flat.index_fill(0, where, 0.0).sum()
    rest = (largest.flip(0).cumsum(0).flip(0) + others).clamp_(min=1e-30)
    c = ((wanted - torch.arange(len(rest), device=rest.device)) / rest).amax()
    return size.mul(c).clamp_(max=1.0)
