"""Finding the few weights that left their level, at the speed of one pass through memory."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

_BLOCK = 1 << 15
"""Weights compared at a time, so that intermediate values stay in the processor's cache."""


def positions_apart(
    w: Float[Tensor, "*n"], target: Float[Tensor, "*n"], bound: float
) -> Int64[Tensor, " found"]:
    """Flat positions (n,) where `|w - target| > bound`, int64; nan counts too.

    Args:
        w, target: contiguous, of the same shape.
    """
    if w.device.type != "cpu" or w.dtype == torch.bfloat16:
        near = (w - target).abs_() <= bound
        return (~near).flatten().nonzero().squeeze(1)
    # NumPy compares and collects several times faster than torch does on one core.
    flat, goal = w.view(-1).numpy(), target.view(-1).numpy()
    near = np.empty(flat.size, dtype=bool)
    buffer = np.empty(min(_BLOCK, flat.size), dtype=flat.dtype)
    for start in range(0, flat.size, _BLOCK):
        part = slice(start, start + _BLOCK)
        distance = buffer[: near[part].size]
        np.subtract(flat[part], goal[part], out=distance)
        np.abs(distance, out=distance)
        np.less_equal(distance, bound, out=near[part])
    np.logical_not(near, out=near)
    return torch.from_numpy(np.flatnonzero(near))
