"""The inputs of each output: patches, and how large they are together, with which the noise of a
read grows."""

from __future__ import annotations

import numpy as np

from mho.kernels.compiled import compiled, summing

NUMBERS = 1 << 12
"""Pixels of small images that are summed together, or those of one image if these are more."""


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

    Windows are summed over whole images end to end, several small ones together, which makes long
    loops of short lines; what reaches past the end of a line or an image is not among the patches.
    """
    n, channels, high, wide = x.shape
    line, lines = wide + 2 * pad[1], high + 2 * pad[0]
    pixels, area = high * wide, line * lines
    together = max(1, min(n, NUMBERS // area))
    given, plane = x.reshape(-1), np.empty(pixels, np.float32)
    squares = np.zeros(together * area, np.float32)
    down = np.empty(squares.size - dilation[0] * (kernel[0] - 1) * line, np.float32)
    along = np.empty(down.size - dilation[1] * (kernel[1] - 1), np.float32)
    for first in range(0, n, together):
        count = min(together, n - first)
        for image in range(count):
            _add_squares(given[(first + image) * channels * pixels :], channels, pixels, plane)
            for i in range(high):
                into = squares[image * area + (i + pad[0]) * line + pad[1] :]
                row = plane[i * wide : (i + 1) * wide]
                for j in range(row.size):
                    into[j] = row[j]
        _window_sums(squares, kernel[0], dilation[0] * line, down)
        _window_sums(down, kernel[1], dilation[1], along)
        for image in range(count):
            for i in range(size.shape[1]):
                begin, row = image * area + i * stride[0] * line, size[first + image, i]
                if stride[1] == 1:
                    sums = along[begin : begin + row.size]
                    for j in range(sums.size):
                        row[j] = np.sqrt(sums[j])
                else:
                    for j in range(row.size):
                        row[j] = np.sqrt(along[begin + j * stride[1]])


@compiled
def cut_patches(
    x: np.ndarray,
    stride: tuple[int, int],
    dilation: tuple[int, int],
    patches: np.ndarray,
) -> None:
    """Patches of x (n, channels, h, w), into patches (n, h', w', channels, *kernel)."""
    n, down, along, channels, high, wide = patches.shape
    every = patches.reshape(n, down, along, channels * high * wide)
    for image in range(n):
        for i in range(down):
            rows = every[image, i]
            for channel in range(channels):
                for a in range(high):
                    line = x[image, channel, i * stride[0] + a * dilation[0]]
                    first = (channel * high + a) * wide
                    for b in range(wide):
                        for j in range(along):
                            rows[j, first + b] = line[j * stride[1] + b * dilation[1]]


@compiled
def _add_squares(x: np.ndarray, channels: int, pixels: int, total: np.ndarray) -> None:
    """Sums over channels of the squares of x (channels * pixels,), into total (pixels,)."""
    total[:] = np.float32(0)
    pairs = channels // 2
    for pair in range(pairs):
        a, b = x[2 * pair * pixels :], x[(2 * pair + 1) * pixels :]
        for k in range(total.size):
            total[k] = total[k] + a[k] * a[k] + b[k] * b[k]
    if channels > 2 * pairs:
        a = x[2 * pairs * pixels :]
        for k in range(total.size):
            total[k] += a[k] * a[k]


@compiled
def _window_sums(x: np.ndarray, count: int, apart: int, total: np.ndarray) -> None:
    """Sums (m,) of `count` values of x, `apart` from each other, from every place on."""
    done = 1
    if count < 3:
        for k in range(total.size):
            total[k] = x[k]
    else:
        done, b, c = 3, x[apart:], x[2 * apart :]
        for k in range(total.size):
            total[k] = x[k] + b[k] + c[k]
    for term in range(done, count):
        later = x[term * apart :]
        for k in range(total.size):
            total[k] += later[k]
