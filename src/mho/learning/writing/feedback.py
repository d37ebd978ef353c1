"""Error feedback: reading what was written, and going on from there."""

from __future__ import annotations

import torch
from torch import Tensor

from mho.arguments import checked
from mho.errors import invalid
from mho.hardware.mapping import level_index
from mho.hardware.writes import Stale
from mho.learning.layers.layer import ArrayLayer
from mho.learning.rules.rule import State

_MOST = torch.iinfo(torch.int16).max
"""Misses that can be counted."""


class ReadBack:
    """After each write the controller reads the weight, with read noise, and goes on from that.

    The weight then counts as standing at W_read, not at its level, and the shadow moves there too,

        W <- W + pull (W_read - W).

    With `pull` = 1 the shadow is resynchronised to the array: what the write missed is forgotten,
    and later gradients see to it. With 0 it stays, so that a weight that landed more than the
    threshold away is written again at the next step; its cells are then programmed even where
    their level stays. Tan et al. (10.1007/s11571-024-10069-1) compensate the quantization error;
    how is not public, this is our reading.

    A weight that misses the same level by more than the threshold `retries` times in a row is left
    alone until another level is nearest to its shadow: a stuck cell would else take a write at
    every step.

    Args:
        pull: share of the error that the shadow takes over, from 0 to 1.
        retries: misses in a row after which a weight is given up.
    """

    @checked
    def __init__(self, pull: float = 1.0, retries: int = 3) -> None:
        if not 0 <= pull <= 1:
            raise invalid("ReadBack.pull", pull, "from 0 to 1")
        if not 1 <= retries <= _MOST:
            raise invalid("ReadBack.retries", retries, f"from 1 to {_MOST}")
        self.pull, self.retries = pull, retries

    def init(self, layer: ArrayLayer) -> State:
        """For each weight (out * in,): misses in a row, int16, and the level they missed, int32."""
        if layer.chips != 1:
            raise invalid("chips", layer.chips, "1 with read-back: each chip misses in its own way")
        programming, device = layer.hardware.writing, layer.hardware.device
        if device.remembers and not programming.verifies:
            allowed = "verify with read-back on cells that pulses move; a blind burst sees no error"
            raise invalid("Hardware.programming", programming.family, allowed)
        n, device = layer.target.numel(), layer.target.device
        return {
            "misses": torch.zeros(n, dtype=torch.int16, device=device),
            "missed": torch.full((n,), -1, dtype=torch.int32, device=device),
        }

    def wanted(self, layer: ArrayLayer, stale: Stale, state: State) -> Stale:
        """Of stale positions and shadows, those whose level is not given up."""
        weights, shadow, outside = stale
        spent = state["misses"].index_select(0, weights) >= self.retries
        if not spent.any():
            return stale
        level = level_index(shadow, layer.full_scale, layer.hardware.levels, weights)
        alive = ~(spent & (state["missed"].index_select(0, weights) == level))
        return Stale(weights[alive], shadow[alive], outside)

    def after(self, layer: ArrayLayer, weights: Tensor, bound: float, state: State) -> None:
        """Read weights (n,) that were just written; `bound` is the threshold in weight units."""
        measured, target = layer.store.read_back(weights), layer.target.view(-1)
        aim = target.index_select(0, weights)
        level = level_index(aim, layer.full_scale, layer.hardware.levels, weights).to(torch.int32)
        missed = (measured - aim).abs_() > bound
        again = state["missed"].index_select(0, weights) == level
        count = state["misses"].index_select(0, weights).mul_(again).add_(1).mul_(missed)
        state["misses"].index_copy_(0, weights, count)
        state["missed"].index_copy_(0, weights, level)
        target.index_copy_(0, weights, measured)
        place = torch.unravel_index(weights, layer.weight.shape)  # in whatever memory format
        shadow = layer.weight[place]
        layer.weight[place] = shadow.lerp_(measured.to(shadow.dtype), self.pull)
        layer.hold_pruned()
        layer.mark_written()
