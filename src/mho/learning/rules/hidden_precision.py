"""Hidden weights of few bits."""

from __future__ import annotations

import torch
from torch import Tensor

from mho.arguments import checked
from mho.errors import invalid
from mho.hardware.philox import words
from mho.hardware.streams import key
from mho.learning.rules.rule import State, Synapses, Update


class HiddenPrecision:
    """The hidden weight is a number of few bits: movement is rounded at random, its mean kept.

        G_k = k s - reach full_scale,   s = 2 reach full_scale / (2^bits - 1),   k = 0 .. 2^bits - 1
        k <- k + floor(delta / s + u),   u uniform in (0, 1), of 16 bits;   k clamped

    from the G_k nearest to the weight, so that what stands between two of them before the first
    step is rounded to nearest. Movement below 2^-17 s is lost. Last in the chain: what comes after
    it would leave the grid.

    Args:
        bits: of the hidden weight, 2 to 16.
        seed: of the draws, which depend on it, the layer and the number of steps alone.
        reach: largest hidden weight, in units of the full scale, at least 1.
    """

    needs_gradient = False
    stored = ()

    @checked
    def __init__(self, bits: int, seed: int = 0, reach: float = 2.0) -> None:
        if not 2 <= bits <= 16:
            raise invalid("HiddenPrecision.bits", bits, "2 to 16")
        if not 1 <= reach < float("inf"):
            raise invalid("HiddenPrecision.reach", reach, "at least 1 full scale")
        self.bits, self.seed, self.reach = bits, seed, reach

    def init(self, weight: Tensor) -> State:
        """Steps so far."""
        return {"step": torch.zeros((), dtype=torch.int64)}

    def apply(self, update: Update, state: State) -> None:
        """Move from one value of the grid to another."""
        state["step"] += 1
        delta, before = update.delta, update.before
        most, edge = 2**self.bits - 1, self.reach * update.full_scale
        size = 2 * edge / most
        stream = key(self.seed, update.layer, "hidden", int(state["step"]), delta.numel())
        code = before.add(edge).mul_(1 / size).round_()
        delta.mul_(1 / size).add_(uniform(delta, stream)).floor_()
        delta.add_(code).clamp_(0, most).mul_(size).sub_(edge).sub_(before)

    def consolidate(self, synapses: Synapses, state: State) -> None:
        """Nothing."""


def uniform(like: Tensor, stream: int) -> Tensor:
    """Uniform numbers in (0, 1) of 16 bits, (k + 1/2) / 2^16, of a tensor's shape and dtype.

    Two from each word of the stream.
    """
    n = like.numel()
    halves = words([stream], (n + 1) // 2, like.device)[0].view(torch.int16)[:n]
    return halves.view(like.shape).to(like.dtype).mul_(2.0**-16).add_(0.5 + 2.0**-17)
