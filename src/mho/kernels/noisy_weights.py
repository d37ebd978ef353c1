"""Weights as cells would hold them: to the nearest level, and off it by an error of that level."""

from __future__ import annotations

import numpy as np

from mho.kernels.compiled import compiled, summing
from mho.kernels.ties import NEAR

_TOGETHER = 1 << 12
"""Weights that are worked on at a time, so that what is between the loops stays in the cache."""


@compiled
def noisy_weights(
    w: np.ndarray,
    edge: np.ndarray,
    levels: int,
    toward: np.ndarray,
    errors: np.ndarray,
    which: np.ndarray,
    out: np.ndarray,
) -> None:
    """Quantize weights (n,), and add an error to each.

    Args:
        w: weights (n,).
        edge: weight of the outermost levels (blocks,), each of an equal part of w, in order.
        levels: number of levels, evenly spaced in [-edge, edge].
        toward: direction of each weight (n,) that lies between two levels, see `ties`.
        errors: (rows, size) errors of levels in units of the edge; row r is for the levels nearest
            to `r (levels - 1) / (rows - 1)`; size is a power of two. Empty: none are added.
        which: random numbers (n,), int16, that choose an error; not read where there is none.
        out: receives the weights (n,).
    """
    last, rows, mask = levels - 1, errors.shape[0], errors.shape[1] - 1
    half, near = np.float32(last / 2), np.float32(levels * NEAR)
    factor, one, zero = np.float32(2 / last), np.float32(1), np.float32(0)
    every, each = np.float32(last), w.size // edge.size
    level = np.empty(_TOGETHER, np.int32)
    for block in range(edge.size):
        scale, end = edge[block], (block + 1) * each
        for begin in range(block * each, end, _TOGETHER):
            some = slice(begin, min(begin + _TOGETHER, end))
            given, ties, made = w[some], toward[some], out[some]
            for i in range(given.size):
                place = np.rint((given[i] / scale + one) * half + near * ties[i])
                place = min(max(place, zero), every)
                level[i] = np.int32(place)
                made[i] = (place * factor - one) * scale
            if errors.size == 0:
                continue
            choices = which[some]
            if rows == levels:
                for i in range(given.size):
                    made[i] += scale * errors[level[i], choices[i] & mask]
            else:
                for i in range(given.size):
                    row = (np.int64(level[i]) * (rows - 1) + last // 2) // last
                    made[i] += scale * errors[row, choices[i] & mask]


@summing
def block_sizes(w: np.ndarray, largest: np.ndarray, squares: np.ndarray) -> None:
    """Of weights (n,) in blocks of equal size, in order, in one pass.

    Args:
        largest: receives the largest |w| of each block (blocks,); nan if there is one.
        squares: receives the sum of the squares of each block (blocks,), float64.
    """
    # as bits, floats without their sign are ordered as they are, nan above all
    each, bits, size = w.size // largest.size, w.view(np.int32), largest.view(np.int32)
    for block in range(largest.size):
        most, total = np.int32(0), 0.0
        for begin in range(block * each, (block + 1) * each, _TOGETHER):
            some = slice(begin, min(begin + _TOGETHER, (block + 1) * each))
            given, unsigned, part = w[some], bits[some], np.float32(0)
            for i in range(given.size):
                most = max(most, unsigned[i] & np.int32(0x7FFFFFFF))
                part += given[i] * given[i]
            total += part
        size[block] = most
        squares[block] = total


@compiled
def held_back(grad: np.ndarray, w: np.ndarray, limits: np.ndarray, out: np.ndarray) -> None:
    """Gradients (n,) but for those that would take weights further beyond their limit.

    Args:
        limits: largest weight of each block (blocks,), each of an equal part of w, in order.
        out: receives the gradients.
    """
    each = w.size // limits.size
    for block in range(limits.size):
        limit, some = limits[block], slice(block * each, (block + 1) * each)
        given, weight, made = grad[some], w[some], out[some]
        for i in range(given.size):
            away = (abs(weight[i]) > limit) & (given[i] * weight[i] < 0)
            made[i] = np.float32(0) if away else given[i]
