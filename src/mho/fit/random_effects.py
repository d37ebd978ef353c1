"""One number for each device, each with an error of its own: what is common and what is spread.

The random-effects model `y_i = mu + a_i + e_i`, a_i ~ N(0, tau^2), e_i ~ N(0, v_i) with v_i known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.optimize import brentq

from mho.fit.outcome import CONFIDENCE


@dataclass(frozen=True)
class Between:
    """Mean over devices and the standard deviation between them."""

    mean: float
    error: float
    """Standard error of the mean."""
    width: float
    """Student's factor that makes an interval of it."""
    tau: float
    low: float
    """Ends of the interval of tau."""
    high: float


def between(y: np.ndarray, variance: np.ndarray) -> Between:
    """Mean, and spread with its exact interval.

    tau solves Q(tau) = n - 1 (Paule and Mandel 1982); its interval is where Q, chi-squared with
    n - 1 degrees of freedom whatever tau, is usual (Viechtbauer 2007, 10.1002/sim.2514).

    Args:
        y: (n,) estimates, n >= 2.
        variance: (n,) of each estimate.
    """
    free = len(y) - 1
    tail = (1 - CONFIDENCE) / 2
    wide = float(stats.t.isf(tail, free))
    if not variance.any():
        tau, low, high = deviation(float(np.sum((y - y.mean()) ** 2)), free)
        return Between(float(y.mean()), tau / np.sqrt(len(y)), wide, tau, low, high)
    tau, low, high = (
        _solve(y, variance, float(q))
        for q in (free, stats.chi2.isf(tail, free), stats.chi2.ppf(tail, free))
    )
    weight = 1 / np.maximum(tau**2 + variance, 1e-300)
    mean = float(weight @ y / weight.sum())
    # Hartung and Knapp: the error from the scatter itself, never below that of the model
    scatter = float(weight @ (y - mean) ** 2 / free)
    error = float(np.sqrt(max(1.0, scatter) / weight.sum()))
    return Between(mean, error, wide, tau, low, high)


def within(groups: list[np.ndarray]) -> tuple[float, float, float, int]:
    """Standard deviation inside groups with its chi-squared interval, and degrees of freedom."""
    free = sum(len(g) - 1 for g in groups)
    squares = sum(float(np.sum((g - g.mean()) ** 2)) for g in groups)
    return (*deviation(squares, free), free)


def deviation(squares: float, free: int) -> tuple[float, float, float]:
    """Standard deviation of normal errors and its interval, from a sum of squares."""
    tail = (1 - CONFIDENCE) / 2
    ends = (stats.chi2.isf(tail, free), stats.chi2.ppf(tail, free))
    low, high = (float(np.sqrt(squares / q)) for q in ends)
    return float(np.sqrt(squares / free)), low, high


def _solve(y: np.ndarray, variance: np.ndarray, q: float) -> float:
    """tau at which the weighted sum of squares is q; 0 where it never is as large."""

    def excess(tau: float) -> float:
        weight = 1 / np.maximum(tau * tau + variance, 1e-300)
        mean = weight @ y / weight.sum()
        return float(weight @ (y - mean) ** 2 - q)

    scale = float(np.ptp(y))
    if scale == 0 or excess(0.0) <= 0:
        return 0.0
    top = scale
    while excess(top) > 0:
        top *= 2
    root: float = brentq(excess, 0.0, top, xtol=1e-9 * scale)  # type: ignore[assignment]
    return root
