"""Codes of converters whose gain, offset and thresholds are their own."""

from __future__ import annotations

import numpy as np

from mho.kernels.compiled import compiled


@compiled
def find_codes(
    v: np.ndarray,
    gain: np.ndarray,
    offset: np.ndarray,
    tables: np.ndarray,
    which: np.ndarray,
    most: int,
) -> None:
    """Replace values v (chips, outer, groups, inner, columns, pixels) [LSB] by their codes.

    Code c has c + most of the thresholds at or below `v * gain + offset`; a step beyond the outmost
    ones it is most + 1 or -most - 1. nan stays.

    Args:
        gain, offset: (chips, groups, columns).
        tables: thresholds in order (chips, tables, 2 * most); none: evenly spaced ones.
        which: table of each converter (groups, columns), int64.
        most: largest code.
    """
    chips, outer, groups, inner, columns, pixels = v.shape
    edge = np.float32(most)
    for chip in range(chips):
        for o in range(outer):
            for group in range(groups):
                for i in range(inner):
                    for j in range(columns):
                        per, plus = gain[chip, group, j], offset[chip, group, j]
                        some = v[chip, o, group, i, j]
                        if tables.shape[1] == 0:
                            for k in range(pixels):
                                some[k] = np.rint(some[k] * per + plus)
                            continue
                        t = tables[chip, which[group, j]]
                        for k in range(pixels):
                            some[k] = _code(some[k] * per + plus, t, most, edge)


@compiled
def _code(u: np.float32, t: np.ndarray, most: int, edge: np.float32) -> np.float32:
    """Code of u among thresholds t, sought from the nearest even one."""
    if not abs(u) < np.inf:
        return u
    last = t.size - 1
    if u >= t[last] + np.float32(1):
        return edge + np.float32(1)
    if u < t[0] - np.float32(1):
        return -edge - np.float32(1)
    below = min(max(int(np.rint(u)) + most, 0), t.size)
    while below <= last and u >= t[below]:
        below += 1
    while below > 0 and u < t[below - 1]:
        below -= 1
    return np.float32(below - most)
