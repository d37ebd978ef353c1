"""Update rules of rival schemes for training in place, which keep no accumulating shadow."""

from __future__ import annotations

import torch
from torch import Tensor

from mho.errors import invalid
from mho.hardware.streams import key
from mho.learning.quantizer import level_index, level_value
from mho.learning.rules import State, Update


class StochasticRounding:
    """Probabilistic updates: the movement is rounded at random to whole steps, its mean kept.

        n = floor(delta / step + u),   u uniform in [0, 1)

    from the level at which the weight stands: a movement much smaller than a step mostly writes
    nothing, and nothing is accumulated. After the error-aware probabilistic update of
    10.1038/s41467-025-66240-7, whose exact probability is not modelled.

    Args:
        seed: of the draws, which depend on it and on the number of steps alone.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def init(self, weight: Tensor) -> State:
        """Steps so far."""
        return {"step": torch.zeros((), dtype=torch.int64)}

    def apply(self, update: Update, state: State) -> None:
        """Move by whole steps, from level to level."""
        state["step"] += 1
        words = (self.seed, "rounding", int(state["step"]), update.delta.numel())
        u = torch.empty(update.delta.shape, dtype=update.delta.dtype)
        u.uniform_(generator=torch.Generator().manual_seed(key(*words)))
        steps = update.delta.div_(update.step).add_(u.to(update.delta.device)).floor_()
        _move(update, steps)

    def consolidate(self, weight: Tensor, state: State) -> None:
        """Nothing."""


class SignUpdate:
    """Manhattan rule: one step against the gradient's sign, where it is largest.

    Zamanidoost et al. (2015, 10.1109/WISES.2015.7356978) move every weight by one pulse; with few
    levels that is too much, so that only the `share` of weights with the largest gradients moves.

    Args:
        share: of a layer's weights that move in a step, in (0, 1].
    """

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
        _move(update, -torch.sign(gradient) * (gradient.abs() >= least))

    def consolidate(self, weight: Tensor, state: State) -> None:
        """Nothing."""


def _move(update: Update, steps: Tensor) -> None:
    """Make `delta` lead from the level nearest to the weight by whole steps, within the window."""
    full = update.full_scale
    n = round(2 * full / update.step) + 1
    index = (level_index(update.before, full, n) + steps.long()).clamp_(0, n - 1)
    update.delta.copy_(level_value(index, full, n) - update.before)
