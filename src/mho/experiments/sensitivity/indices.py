"""Sobol' indices of a model whose values are found elsewhere, one by one, with their intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

RESAMPLES = 1000
"""Of the bootstrap."""
CONFIDENCE = 0.95
"""Of the intervals."""


class Design(NamedTuple):
    """Points (n, d) in the unit cube at which a model of d inputs is wanted."""

    a: np.ndarray
    b: np.ndarray

    def crossed(self, i: int) -> np.ndarray:
        """The points of `a` with input i of `b`."""
        points = self.a.copy()
        points[:, i] = self.b[:, i]
        return points


class Index(NamedTuple):
    """A share of the variance and the interval that holds it."""

    value: float
    low: float
    high: float


class Indices(NamedTuple):
    """Of each input: what it explains alone, and with all that it does together with others."""

    first: list[Index]
    total: list[Index]
    variance: float
    """Of the model's values at the points of a and b."""


def design(n: int, d: int, seed: int) -> Design:
    """Two independent samples from one scrambled Sobol' sequence of 2 d columns.

    Args:
        n: points of each, a power of two.
        d: inputs.
        seed: of the scrambling.
    """
    from scipy.stats import qmc  # slow to load, and of use in this experiment alone

    both = qmc.Sobol(d=2 * d, bits=64, rng=np.random.default_rng(seed)).random(n)
    return Design(both[:, :d], both[:, d:])


def indices(a: Sequence[float], b: Sequence[float], crossed: np.ndarray, seed: int) -> Indices:
    """First-order and total-order indices with percentile intervals of a bootstrap over points.

    S_i = mean(f_B (f_ABi - f_A)) / V and T_i = mean((f_A - f_ABi)^2) / 2 V, all f less their mean
    (Saltelli et al., Comput. Phys. Commun. 181 (2010) 259; the latter is Jansen's). 0 where the
    values do not vary.

    Args:
        a, b: (n,) values at the points of the design.
        crossed: (d, n) values at its crossed points.
        seed: of the bootstrap.
    """
    from scipy.stats import sobol_indices

    f_a, f_b, n = np.asarray(a), np.asarray(b), len(a)
    drawn = np.random.default_rng(seed).integers(n, size=(RESAMPLES, n))
    rows = np.concatenate([np.arange(n)[None], drawn])  # the sample itself, then its resamples
    values = {"f_A": f_a[rows], "f_B": f_b[rows], "f_AB": np.asarray(crossed)[:, rows]}
    found = sobol_indices(func=values, n=n)
    variance = float(np.var([f_a, f_b]))
    return Indices(_with_intervals(found.first_order), _with_intervals(found.total_order), variance)


def _with_intervals(rows: np.ndarray) -> list[Index]:
    """Indices (1 + resamples, d), the sample's own in the first row."""
    tail = (1 - CONFIDENCE) / 2
    ends = np.quantile(rows[1:], (tail, 1 - tail), axis=0)
    return [Index(*map(float, each)) for each in zip(rows[0], *ends, strict=True)]
