"""Finding the few weights that left their level, at the speed of one pass through memory."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

_BLOCK = 1 << 16
"""Weights compared at a time, so that intermediate values stay in the processor's cache."""


def positions_apart(w: Tensor, target: Tensor, limit: float, bound: float) -> Tensor:
    """Flat positions (n,) where `|clip(w, -limit, limit) - target| > bound`, int64; nan counts too.

    Args:
        w, target: contiguous, of the same shape.
    """
    if w.device.type != "cpu" or w.dtype == torch.bfloat16:
        near = w.clamp(-limit, limit).sub_(target).abs_() <= bound
        return (~near).flatten().nonzero().squeeze(1)
    # NumPy compares and collects several times faster than torch does on one core.
    flat, goal = w.view(-1).numpy(), target.view(-1).numpy()
    apart = np.empty(flat.size, dtype=bool)
    buffer = np.empty(min(_BLOCK, flat.size), dtype=flat.dtype)
    for start in range(0, flat.size, _BLOCK):
        part = slice(start, start + _BLOCK)
        distance = buffer[: apart[part].size]
        np.clip(flat[part], -limit, limit, out=distance)
        np.subtract(distance, goal[part], out=distance)
        np.abs(distance, out=distance)
        np.less_equal(distance, bound, out=apart[part])
    np.logical_not(apart, out=apart)
    return torch.from_numpy(np.flatnonzero(apart))
