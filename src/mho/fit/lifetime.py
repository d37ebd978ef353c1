"""Cycles to failure of many devices, some of which had not failed when the log ended."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from mho.fit.maximum import Maximum, maximise
from mho.fit.outcome import CONFIDENCE, Parameter, Rival, on_log

LEAST = 3
"""Failed devices from which on a distribution is fitted."""


@dataclass(frozen=True)
class Lifetime:
    """The lognormal distribution of cells' endurance, and Weibull's beside it."""

    median: float
    """[1]"""
    spread: float
    """Standard deviation of the logarithm [1]."""
    parameters: list[Parameter]
    rivals: list[Rival]
    weibull: tuple[float, float]
    """Scale and shape of Weibull's distribution, by its own likelihood [1]."""
    settled: bool


def fit_lifetime(life: np.ndarray, failed: np.ndarray) -> Lifetime | None:
    """Maximum of the likelihood with right-censoring; None: fewer than `LEAST` have failed.

    A device that failed counts with the density at its life, one that had not with the probability
    of a longer one (Meeker and Escobar, Statistical Methods for Reliability Data, 1998).

    Args:
        life: (devices,) cycles or pulses at the failure, or at the end of the log [1].
        failed: (devices,) whether it failed.
    """
    if failed.sum() < LEAST:
        return None
    y = np.log(life)
    middle = float(y.mean())
    normal = _maximum(y - middle, failed, "lognormal")
    weibull = _maximum(y - middle, failed, "Weibull")
    free = max(1, int(failed.sum()) - 1)
    wide = float(stats.t.isf((1 - CONFIDENCE) / 2, free))
    scale = math.sqrt(int(failed.sum()) / free)  # the likelihood takes the spread for too small
    log = middle + float(normal.shared[0])
    parameters = [
        on_log("endurance", log, scale * normal.error(0), width=wide),
        on_log("endurance_spread", float(normal.shared[1]) + math.log(scale), normal.error(1),
               width=wide),
    ]  # fmt: skip
    further = -2 * float(-y[failed].sum())  # densities of ln(life) as those of life
    rivals = [
        Rival(f"endurance {name}", found.aic() + further, 2)
        for name, found in (("lognormal", normal), ("Weibull", weibull))
    ]
    own = math.exp(middle + float(weibull.shared[0])), math.exp(-float(weibull.shared[1]))
    return Lifetime(
        math.exp(log), parameters[1].value, parameters, rivals, own,
        normal.settled and weibull.settled,
    )  # fmt: skip


def _maximum(y: np.ndarray, failed: np.ndarray, shape: str) -> Maximum:
    """Location and ln(scale) of ln(life): normal, or that of the smallest of many (Gumbel)."""

    def likelihood(rows: np.ndarray) -> np.ndarray:
        location, log = rows[:, 0, :1], np.clip(rows[:, 0, 1:2], -20.0, 20.0)
        z = np.clip((y - location) / np.exp(log), -300.0, 300.0)
        if shape == "lognormal":
            density, longer = stats.norm.logpdf(z) - log, stats.norm.logsf(z)
        else:
            density, longer = z - np.exp(z) - log, -np.exp(z)
        return np.where(failed, density, longer).sum(1, keepdims=True)

    start = np.array([float(np.median(y)), math.log(max(0.05, float(y.std())))])
    return maximise(likelihood, start)
