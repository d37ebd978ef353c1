"""Conversion of outputs about their bias, and its gradients, in one pass each.

Values are (n, columns, pixels) in any shape; each column has a bias and a step of its own.
"""

from __future__ import annotations

import numpy as np

from mho.kernels.compiled import compiled, summing


@compiled
def convert(
    x: np.ndarray,
    bias: np.ndarray,
    inverse: np.ndarray,
    step: np.ndarray,
    most: int,
    out: np.ndarray,
    saturated: np.ndarray,
) -> None:
    """Round x less its bias to multiples of `step`, at most `most` of them to either side, and add
    the bias again.

    Args:
        x: (n, columns, pixels).
        bias, inverse, step: (columns,); `inverse` is 1 / step.
        out: receives the values, shaped as x.
        saturated: receives how many saturated of each column (columns,), int64, nan included.
    """
    edge = np.float32(most)
    saturated[:] = 0
    for i in range(x.shape[0]):
        if x.shape[2] == 1:
            row, made = x[i, :, 0], out[i, :, 0]
            for j in range(row.size):
                code = np.rint((row[j] - bias[j]) * inverse[j])
                saturated[j] += not abs(code) <= edge
                made[j] = _within(code, edge) * step[j] + bias[j]
            continue
        for j in range(x.shape[1]):
            row, made = x[i, j], out[i, j]
            about, per, lsb, beyond = bias[j], inverse[j], step[j], np.int32(0)
            for k in range(row.size):
                code = np.rint((row[k] - about) * per)
                beyond += np.int32(not abs(code) <= edge)
                made[k] = _within(code, edge) * lsb + about
            saturated[j] += beyond


@summing
def back(
    grad: np.ndarray,
    x: np.ndarray,
    bias: np.ndarray,
    inverse: np.ndarray,
    step: np.ndarray,
    most: int,
    out: np.ndarray,
    to_range: np.ndarray,
    lost: np.ndarray,
) -> None:
    """Gradients of `convert`.

    With v = x - bias and c what it is converted to, that to x is `grad` where v does not saturate,
    and that to the logarithm of a range the sum of `grad c`, less `grad v` where it does not.

    Args:
        grad, x: (n, columns, pixels).
        out: receives the gradients to x.
        to_range, lost: receive, of each column (columns,), float64, the gradient to the logarithm
            of its range, and the sum of the gradients that did not pass.
    """
    edge = np.float32(most)
    to_range[:] = 0.0
    lost[:] = 0.0
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            given, row, made = grad[i, j], x[i, j], out[i, j]
            about, per, lsb = bias[j], inverse[j], step[j]
            total, stopped = np.float32(0), np.float32(0)
            for k in range(row.size):
                v = row[k] - about
                code = np.rint(v * per)
                through = given[k] if abs(code) <= edge else np.float32(0)
                made[k] = through
                total += given[k] * (_within(code, edge) * lsb) - through * v
                stopped += given[k] - through
            to_range[j] += total
            lost[j] += stopped


@compiled
def _within(code: np.float32, edge: np.float32) -> np.float32:
    """Code within the edges; nan stays."""
    if code > edge:
        return edge
    return -edge if code < -edge else code
