"""Sensing columns: the noise of a read, rounding and saturation, in one pass through memory.

Converters are given by the distance between the values that they round to and its inverse, both
(chips, groups, columns): each group of them serves an equal share of a chip's rows, in order.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mho.kernels.compiled import compiled, inlined, summing
from mho.kernels.inputs import row_sizes
from mho.kernels.normal import normals

NUMBERS = 1 << 13
"""Numbers of the noise that are drawn at a time, or those of one row or map if these are more."""

_NOTHING = np.float32(-0.0)
"""What leaves every number as it is when added, -0 among them."""


@compiled
def quantize(
    x: np.ndarray,
    inverse: np.ndarray,
    step: np.ndarray,
    most: int,
    out: np.ndarray,
    kept: np.ndarray,
) -> int:
    """Round x (chips * n, ...) to multiples of `step`, at most `most` of them to either side.

    Args:
        inverse, step: (chips, 1, 1).
        out: receives the converted values, shaped as x.
        kept: receives where none saturated (x.size,), bool, unless it is empty.

    Returns:
        How many saturated, nan included; 0 if nothing is kept.
    """
    given, converted, edge = x.reshape(-1), out.reshape(-1), np.float32(most)
    each, saturated = given.size // step.shape[0], 0
    for chip in range(step.shape[0]):
        part = slice(chip * each, (chip + 1) * each)
        passes = kept[part] if kept.size else kept
        per, lsb = inverse[chip, 0, 0], step[chip, 0, 0]
        saturated += _convert(given[part], per, lsb, edge, _NOTHING, converted[part], passes)
    return saturated


@compiled
def stop(x: np.ndarray, passes: np.ndarray, out: np.ndarray) -> None:
    """`out = x where passes else 0`, all of one shape."""
    _stop(x.reshape(-1), passes.reshape(-1), out.reshape(-1))


@inlined
def _stop(x: np.ndarray, passes: np.ndarray, out: np.ndarray) -> None:
    """`stop` of (n,)."""
    for k in range(x.size):
        out[k] = x[k] if passes[k] else np.float32(0)


@summing
def stop_sums(
    grad: np.ndarray, passes: np.ndarray, out: np.ndarray, sums: np.ndarray, pixels: int
) -> None:
    """As `stop`; also the sums of `grad` by column, in whatever order.

    Args:
        grad: (n, columns, pixels), in any shape.
        passes: of as many, or empty: everything passes, and `out` is left alone.
        sums: (columns,).
    """
    values, through, left = grad.reshape(-1), passes.reshape(-1), out.reshape(-1)
    columns = sums.size
    n = values.size // (columns * pixels)
    sums[:] = np.float32(0)
    for i in range(n):
        some = slice(i * columns * pixels, (i + 1) * columns * pixels)
        image = values[some]
        if pixels == 1:
            for j in range(columns):
                sums[j] += image[j]
        else:
            for j in range(columns):
                plane, total = image[j * pixels : (j + 1) * pixels], np.float32(0)
                for k in range(plane.size):
                    total += plane[k]
                sums[j] += total
        if through.size:
            _stop(image, through[some], left[some])


@compiled
def sense_rows(
    y: np.ndarray,
    size: np.ndarray,
    noise: float,
    keys: np.ndarray,
    inverse: np.ndarray,
    step: np.ndarray,
    most: int,
    bias: np.ndarray,
    kept: np.ndarray,
) -> int:
    """Add noise to rows of columns y (chips * n, ..., columns) and convert them, in place.

    Args:
        size: root of the sum of the squared inputs of each row, in any shape.
        noise: standard deviation where that is 1; 0: none, and no size is read.
        keys: of each chip's noise (chips,), uint64.
        most: largest code; 0: no conversion.
        bias: added after the conversion (columns,), or empty; empty where there is none.
        kept: receives where the converter did not saturate (y.size,), bool, unless it is empty.

    Returns:
        How many saturated; 0 if nothing is kept.
    """
    columns, chips = y.shape[-1], step.shape[0]
    every, sizes = y.reshape(-1), size.reshape(-1)
    n = every.size // columns // chips
    each = n // step.shape[1]
    together = max(1, NUMBERS // columns)
    z = np.empty(together * columns, np.float32)
    edge, deviation, saturated = np.float32(most), np.float32(noise), 0
    for chip in range(chips):
        for begin in range(0, n, together):
            end = min(begin + together, n)
            if noise > 0:
                normals(z[: (end - begin) * columns], keys[chip], begin * columns)
            for i in range(begin, end):
                first = (chip * n + i) * columns
                row = every[first : first + columns]
                if noise > 0:
                    scale = deviation * sizes[chip * n + i]
                    own = z[(i - begin) * columns :]
                    for j in range(columns):
                        row[j] += scale * own[j]
                if most == 0:
                    continue
                per, lsb = inverse[chip, i // each], step[chip, i // each]
                if kept.size:
                    passes, beyond = kept[first : first + columns], np.int32(0)
                    for j in range(columns):
                        code = np.rint(row[j] * per[j])
                        passes[j] = abs(code) <= edge
                        beyond += np.int32(not abs(code) <= edge)
                        row[j] = _clamped(code, edge) * lsb[j]
                    saturated += int(beyond)
                else:
                    for j in range(columns):
                        row[j] = _clamped(np.rint(row[j] * per[j]), edge) * lsb[j]
    if bias.size:
        for i in range(chips * n):
            row = every[i * columns : (i + 1) * columns]
            for j in range(columns):
                row[j] += bias[j]
    return saturated


@compiled
def sense_rows_of(y: np.ndarray, x: np.ndarray, *how: Any) -> int:
    """`sense_rows` of the rows that inputs x (chips * n, ..., inputs) gave."""
    size = np.empty((y.size // y.shape[-1], 1), np.float32)
    row_sizes(x, size)
    return sense_rows(y, size, *how)


@compiled
def sense_maps(
    y: np.ndarray,
    size: np.ndarray,
    noise: float,
    keys: np.ndarray,
    inverse: np.ndarray,
    step: np.ndarray,
    most: int,
    bias: np.ndarray,
    kept: np.ndarray,
) -> int:
    """As `sense_rows`, of maps y (chips * n, columns, h, w) with sizes (chips * n, groups, h, w),
    each for an equal share of the columns, in order."""
    _, columns, high, wide = y.shape
    pixels, chips, groups = high * wide, step.shape[0], size.shape[1] if noise > 0 else 1
    share = columns // groups
    every, sizes = y.reshape(-1), size.reshape(-1)
    n = every.size // (columns * pixels) // chips
    together = min(columns, max(1, NUMBERS // pixels))
    z = np.empty(together * pixels, np.float32)
    edge, deviation, saturated = np.float32(most), np.float32(noise), 0
    for image in range(chips * n):
        chip = image // n
        for j in range(columns):
            first = (image * columns + j) * pixels
            plane, per, lsb = every[first : first + pixels], inverse[chip, 0, j], step[chip, 0, j]
            plus = bias[j] if bias.size else _NOTHING
            if noise > 0:
                if j % together == 0:
                    count = min(together, columns - j) * pixels
                    begin = first - chip * n * columns * pixels
                    normals(z[:count], np.uint64(keys[chip]), begin)
                own = z[j % together * pixels :]
                across = sizes[(image * groups + j // share) * pixels :]
                for k in range(pixels):
                    plane[k] += deviation * across[k] * own[k]
            if most > 0:
                passes = kept[first : first + pixels] if kept.size else kept
                saturated += _convert(plane, per, lsb, edge, plus, plane, passes)
    return saturated


@inlined
def _convert(
    x: np.ndarray,
    per: np.float32,
    lsb: np.float32,
    edge: np.float32,
    plus: np.float32,
    out: np.ndarray,
    passes: np.ndarray,
) -> int:
    """Round x (n,) with one converter of step `lsb`, and add `plus`, into `out`, which may be x.

    Returns:
        How many saturated, if `passes` (n,) receives where none did.
    """
    beyond = np.int32(0)
    if passes.size == 0:
        for k in range(x.size):
            out[k] = _clamped(np.rint(x[k] * per), edge) * lsb + plus
    else:
        for k in range(x.size):
            code = np.rint(x[k] * per)
            passes[k] = abs(code) <= edge
            beyond += np.int32(not abs(code) <= edge)
            out[k] = _clamped(code, edge) * lsb + plus
    return int(beyond)


@compiled
def _clamped(code: np.float32, edge: np.float32) -> np.float32:
    """Code within the edges; nan stays."""
    if code > edge:
        return edge
    return -edge if code < -edge else code
