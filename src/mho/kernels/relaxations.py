"""Relaxations of slow noise, moved on in time in one pass through memory."""

from __future__ import annotations

import numpy as np

from mho.kernels.compiled import compiled

_CELLS = 2048
"""Cells at a time: their numbers, which all relaxations take, stay in the nearest cache."""


@compiled
def move_on(
    relaxations: np.ndarray, numbers: np.ndarray, kept: np.ndarray, share: np.ndarray
) -> None:
    """`relaxations[i] = relaxations[i] kept[i] + numbers share[i]`, in place.

    Args:
        relaxations: (k, n).
        numbers: (n,).
        kept, share: (k,).
    """
    n = len(numbers)
    for begin in range(0, n, _CELLS):
        end = min(n, begin + _CELLS)
        drawn = numbers[begin:end]
        for i in range(len(kept)):
            row, keep, part = relaxations[i, begin:end], kept[i], share[i]
            for j in range(end - begin):
                row[j] = row[j] * keep + drawn[j] * part
