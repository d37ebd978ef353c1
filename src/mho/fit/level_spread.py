"""sigma of cells of many levels, a polynomial of the target, beside the offsets of devices."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import log_ndtr

from mho.fit.maximum import Maximum, maximise
from mho.fit.outcome import Parameter, on_line, on_log


def told_offsets(off: np.ndarray, device: np.ndarray) -> bool:
    """Whether offsets of devices can be told from the spread of a read: at least two devices were
    read more than once, and so were they all on average."""
    counts = np.bincount(device)
    return bool((counts >= 2).sum() >= 2 and len(off) >= 2 * len(counts))


def polynomial(coefficients: np.ndarray, x: np.ndarray) -> np.ndarray:
    """sum_k c_k x^k, of (..., k) at (n,): (..., n)."""
    return coefficients @ np.vander(x, coefficients.shape[-1], increasing=True).T


def most_likely(
    degree: int,
    x: np.ndarray,
    off: np.ndarray,
    noise: np.ndarray,
    floor: np.ndarray,
    device: np.ndarray,
) -> Maximum:
    """Coefficients of sigma(x), and the offset of each device where they can be told.

    Devices' offsets are integrated out under a flat prior (restricted likelihood: Patterson and
    Thompson 1971), so that sigma is not taken for too small; then they are at their mode. `noise`
    (n,) is the variance that reads add to sigma(x)^2.
    """
    told = told_offsets(off, device)
    order = np.argsort(device, kind="stable") if told else np.arange(len(x))
    x, off, noise, floor = x[order], off[order], noise[order], floor[order]
    count = np.bincount(device) if told else np.array([len(x)])
    groups, first = len(count), np.cumsum(count) - count

    def summed(terms: np.ndarray) -> np.ndarray:
        """Sums (..., groups) of terms (..., n)."""
        return np.add.reduceat(terms, first, axis=-1)

    def likelihood(rows: np.ndarray) -> np.ndarray:
        s = polynomial(rows[:, 0, : degree + 1], x)
        ok = s > 1e-9
        s = np.sqrt(np.where(ok, s, 1e-9) ** 2 + noise)
        if not told:
            log = -0.5 * (off / s) ** 2 - np.log(s) - 0.5 * math.log(2 * math.pi)
            log = np.where(np.isfinite(floor), log_ndtr(floor / s), log)
            return np.where(ok, log, -1e4)[:, None, :].sum(-1)
        weight = np.where(ok, s, 1e3) ** -2
        total = summed(weight)
        mean = summed(weight * off) / total
        square = summed(weight * off**2) - total * mean**2
        constant = 0.5 * math.log(2 * math.pi) * (count - 1)
        penalty = summed(np.where(ok, 0.0, 1e4))
        return -0.5 * square - summed(np.log(s)) - 0.5 * np.log(total) - constant - penalty

    start = np.zeros(degree + 1)
    resid = off - (np.repeat(summed(off) / count, count) if told else 0.0)
    start[0] = max(float(resid.std()), 1e-6)
    unit = start[0]
    found = maximise(
        lambda rows: likelihood(rows[..., : degree + 1] * unit), start / unit, np.zeros((groups, 0))
    )
    shared = found.shared * unit
    s = np.sqrt(np.maximum(polynomial(shared[None], x)[0], 1e-9) ** 2 + noise)
    mode = summed(s**-2 * off) / summed(s**-2) if told else np.zeros(1)
    return Maximum(shared, mode[:, None], found.covariance * unit**2, found.value, found.settled)


def sigma_of(
    best: Maximum, degree: int, low: float, width: float
) -> tuple[tuple[float, ...], list[Parameter]]:
    """Coefficients in powers of g [S^(1-k)], and each with its interval."""
    change = np.zeros((degree + 1, degree + 1))
    for k in range(degree + 1):  # x^k = ((g - low) / width)^k
        for j in range(k + 1):
            change[j, k] = width * math.comb(k, j) * (-low) ** (k - j) / width**k
    values = change @ best.shared[: degree + 1]
    errors = np.sqrt(np.diag(change @ best.covariance[: degree + 1, : degree + 1] @ change.T))
    units = ("S", "1", "1/S", "1/S^2")
    out = [
        on_line(f"sigma[{k}]", float(values[k]), float(errors[k]), units[k])
        for k in range(degree + 1)
    ]
    for name, at in (("g_min", 0.0), ("g_max", 1.0)):
        row = np.array([at**k for k in range(degree + 1)]) * width
        error = math.sqrt(row @ best.covariance[: degree + 1, : degree + 1] @ row)
        value = max(float(row @ best.shared[: degree + 1]), 1e-300)
        out.append(on_log(f"sigma({name})", math.log(value), error / value, "S"))
    return tuple(float(v) for v in values), out
