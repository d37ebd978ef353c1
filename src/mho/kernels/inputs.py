"""How large the inputs of an output are together: what the noise of its read grows with."""

from __future__ import annotations

import numpy as np

from mho.kernels.compiled import compiled, summing


@summing
def row_sizes(x: np.ndarray, size: np.ndarray) -> None:
    """Root of the sum of squares of each row of x (..., inputs), into size (..., 1)."""
    inputs, every, sizes = x.shape[-1], x.reshape(-1), size.reshape(-1)
    for i in range(sizes.size):
        row, total = every[i * inputs :], np.float32(0)
        for j in range(inputs):
            total += row[j] * row[j]
        sizes[i] = np.sqrt(total)


@compiled
def patch_sizes(
    x: np.ndarray,
    kernel: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
    pad: tuple[int, int],
    size: np.ndarray,
) -> None:
    """Root of the sum of squares of each patch of x (n, channels, h, w), into size (n, h', w').

    Windows are summed over whole images end to end, which makes long loops of short lines; what
    reaches past a line's end is not among the patches.
    """
    n, channels, high, wide = x.shape
    line = wide + 2 * pad[1]
    squares = np.zeros((high + 2 * pad[0]) * line, np.float32)
    down = np.empty(squares.size - dilation[0] * (kernel[0] - 1) * line, np.float32)
    along = np.empty(down.size - dilation[1] * (kernel[1] - 1), np.float32)
    for image in range(n):
        for i in range(high):
            sums = squares[(i + pad[0]) * line + pad[1] :]
            first = x[image, 0, i]
            for j in range(wide):
                sums[j] = first[j] * first[j]
            for channel in range(1, channels):
                further = x[image, channel, i]
                for j in range(wide):
                    sums[j] += further[j] * further[j]
        _window_sums(squares, kernel[0], dilation[0] * line, down)
        _window_sums(down, kernel[1], dilation[1], along)
        for k in range(along.size):
            along[k] = np.sqrt(along[k])
        for i in range(size.shape[1]):
            sums, row = along[i * stride[0] * line :], size[image, i]
            for j in range(row.size):
                row[j] = sums[j * stride[1]]


@compiled
def _window_sums(x: np.ndarray, count: int, apart: int, total: np.ndarray) -> None:
    """Sums (m,) of `count` values of x, `apart` from each other, from every place on."""
    for k in range(total.size):
        total[k] = x[k]
    for term in range(1, count):
        later = x[term * apart :]
        for k in range(total.size):
            total[k] += later[k]
