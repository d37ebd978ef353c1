"""Finding the few weights that left their level, at the speed of one pass through memory."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from mho.kernels import native
from mho.kernels.write import find_apart

SHARE = 16
"""Weights for each of which there is room for one that is apart, before room is made for all."""


def positions_apart(
    w: Float[Tensor, "*n"], target: Float[Tensor, "*n"], bound: float, edge: float
) -> tuple[Int64[Tensor, " found"], Float[Tensor, " found"], bool]:
    """Where both w and its part within the edges are more than `bound` from the target, nan too.

    Args:
        w, target: contiguous, of the same shape.
        bound: distance.
        edge: largest magnitude that counts.

    Returns:
        Flat positions (n,), int64; w there (n,); and whether it is finite at all places that w
        itself is farther off.
    """
    if not native(w, target):
        flat, goal = w.flatten(), target.flatten()
        found = (~((flat - goal).abs_() <= bound)).nonzero().squeeze(1)
        some, goal = flat[found], goal[found]
        apart = ~((some.clamp(-edge, edge) - goal).abs_() <= bound)
        return found[apart], some[apart], bool(some.isfinite().all())
    room = w.numel() // SHARE + 1
    while True:
        found, shadow = np.empty(room, np.int64), np.empty(room, np.float32)
        count, finite = find_apart(w.numpy(), target.numpy(), bound, edge, found, shadow)
        if count <= room:
            return torch.from_numpy(found[:count]), torch.from_numpy(shadow[:count]), finite
        room = count
