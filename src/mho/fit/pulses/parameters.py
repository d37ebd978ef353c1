"""Parameters that every model of pulse trains has: the window, and what devices differ by."""

from __future__ import annotations

import math

import numpy as np

from mho.fit.maximum import Maximum, deviation
from mho.fit.outcome import Parameter, Z, given, on_line, on_log
from mho.fit.pulses.trains import Trains
from mho.fit.random_effects import between

DEFAULT_LEVELS = 9


def window_parameters(
    bounded: bool, chains: Trains, low: float, width: float, digit: float
) -> list[Parameter]:
    """Ends that were not part of the likelihood."""
    if bounded:
        half = max(0.5 * digit, 1e-9 * width)
        return [
            Parameter("g_min", low, low - half, low + half, "S"),
            Parameter("g_max", low + width, low + width - half, low + width + half, "S"),
        ]
    out = []
    for name, end in zip(("g_min", "g_max"), chains.ends(), strict=True):
        if len(end) < 2:
            out.append(given(name, float(end.mean()), "S"))
        else:
            of = between(end, np.zeros(len(end)))
            out.append(on_line(name, float(end.mean()), of.error, "S", of.width))
    return out


def device_parameters(
    best: Maximum, shared: int
) -> tuple[Parameter, list[Parameter], tuple[float, float, float]]:
    """Pulses, the spread between devices, and ln(pulses) with its variance beyond that of the
    likelihood, which is that of the devices drawn, and the width of its interval.

    Errors of devices have a part in common, by the non-linearity; it blurs their mean alone.
    """
    logs, covariance = best.own[:, 0], best.covariance[shared:, shared:]
    n = len(logs)
    if n == 1:
        error = deviation(covariance[0, 0])
        return on_log("pulses", logs[0], error), [], (float(logs[0]), 0.0, Z)
    common = (covariance.sum() - np.trace(covariance)) / (n * (n - 1))
    of = between(logs, np.maximum(np.diag(covariance) - common, 1e-12))
    # step factors are lognormal of mean 1: the mean of ln(pulses) is raised by tau^2 / 2
    log = float(logs.mean()) - of.tau**2 / 2
    drawn = of.tau**2 / n + of.tau**4 / (2 * (n - 1))
    error = deviation(covariance.mean() + drawn)
    cov = [math.sqrt(math.expm1(min(t, 20.0) ** 2)) for t in (of.tau, of.low, of.high)]
    spread = Parameter("device_spread", cov[0], cov[1], cov[2])
    return on_log("pulses", log, error, width=of.width), [spread], (log, drawn, of.width)
