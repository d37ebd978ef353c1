"""Weights as cells would hold them: to the nearest level, and off it by an error of that level."""

from __future__ import annotations

import numpy as np

from mho.kernels.compiled import compiled
from mho.kernels.ties import NEAR, direction


@compiled
def noisy_weights(
    w: np.ndarray,
    edge: np.ndarray,
    levels: int,
    errors: np.ndarray,
    which: np.ndarray,
    amount: float,
    out: np.ndarray,
) -> int:
    """Quantize weights (n,), and add an error to each.

    Args:
        w: weights (n,).
        edge: weight of the outermost levels (blocks,), each of an equal part of w, in order.
        levels: number of levels, evenly spaced in [-edge, edge].
        errors: (rows, size) errors of levels in units of the edge; row r is for the levels nearest
            to `r (levels - 1) / (rows - 1)`; size is a power of two.
        which: random numbers (n,), int16, that choose an error; not read where amount is 0.
        amount: factor of the errors.
        out: receives the weights (n,).

    Returns:
        How many weights lie beyond their edge.
    """
    last, rows, mask = levels - 1, errors.shape[0], errors.shape[1] - 1
    half, near = np.float32(last / 2), np.float32(levels * NEAR)
    factor, one, zero = np.float32(2 / last), np.float32(1), np.float32(0)
    much, every = np.float32(amount), np.float32(last)
    each, beyond = w.size // edge.size, 0
    for block in range(edge.size):
        scale = edge[block]
        for i in range(block * each, (block + 1) * each):
            place = np.rint((w[i] / scale + one) * half + near * np.float32(direction(i)))
            place = min(max(place, zero), every)
            value = (place * factor - one) * scale
            if amount != 0:
                level = int(place)
                row = level if rows == levels else (level * (rows - 1) + last // 2) // last
                value += much * scale * errors[row, which[i] & mask]
            out[i] = value
            beyond += abs(w[i]) > scale
    return beyond
