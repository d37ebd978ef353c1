"""Maximum likelihood: Newton's method where value, gradient and Hessian come from one batch.

The parameters are some that all groups (devices, sweeps) share and some that each has for itself.
A group's likelihood depends on the shared ones and its own, so that all groups are differentiated
in the same few evaluations: 1 + 2 q^2 for q = shared + own parameters of one group.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

Likelihood = Callable[[np.ndarray], np.ndarray]
"""Log-likelihoods (batch, groups) of parameters (batch, groups, q), shared ones first."""


@dataclass(frozen=True)
class Maximum:
    """Where a likelihood is largest."""

    shared: np.ndarray
    """(s,)"""
    own: np.ndarray
    """(groups, o)"""
    covariance: np.ndarray
    """Inverse of the observed information, (s + groups o) squared, shared ones first."""
    value: float
    """Log-likelihood."""
    settled: bool
    """Whether the gradient vanishes there and the curvature is that of a maximum."""

    def error(self, i: int) -> float:
        """Standard error of a shared parameter."""
        return float(np.sqrt(self.covariance[i, i]))

    def aic(self, further: int = 0) -> float:
        """Akaike's criterion, with `further` parameters that were estimated elsewhere."""
        return 2 * (len(self.covariance) + further) - 2 * self.value


def maximise(
    likelihood: Likelihood, shared: np.ndarray, own: np.ndarray | None = None, rounds: int = 60
) -> Maximum:
    """Climb from a start; parameters should be scaled so that 1 is a large change.

    Args:
        shared: (s,) start.
        own: (groups, o) start; None: one group without parameters of its own.
    """
    own = np.zeros((1, 0)) if own is None else own
    groups, mine = own.shape
    s = len(shared)
    steps = np.full(s + mine, 1e-3)
    start = np.concatenate([shared, own.ravel()])
    known: dict[bytes, tuple[float, np.ndarray, np.ndarray]] = {}

    def at(x: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        key = x.tobytes()
        if key not in known:
            known.clear()
            rows = np.concatenate(
                [np.broadcast_to(x[:s], (groups, s)), x[s:].reshape(groups, mine)], axis=1
            )
            known[key] = _assembled(*_derivatives(likelihood, rows, steps), s, groups, mine)
        return known[key]

    x = start
    for round_ in range(2):  # the second time with steps that suit the curvature
        found = minimize(
            lambda y: -at(y)[0], x, method="trust-exact",
            jac=lambda y: -at(y)[1], hess=lambda y: -at(y)[2],
            options={"maxiter": rounds, "gtol": 1e-2,
                     "initial_trust_radius": 0.5, "max_trust_radius": 5.0},
        )  # fmt: skip
        x = found.x
        if round_ == 0:
            steps = _steps(-at(x)[2], s, groups, mine)
            known.clear()
    value, gradient, hessian = at(x)
    bent = np.linalg.eigvalsh(-hessian)
    covariance = np.linalg.pinv(-hessian, hermitian=True)
    left = float(gradient @ covariance @ gradient)
    settled = bool(bent[0] > 0 and left < 1e-2)
    return Maximum(x[:s], x[s:].reshape(groups, mine), covariance, value, settled)


def _derivatives(
    likelihood: Likelihood, rows: np.ndarray, h: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Value (groups,), gradient (groups, q), Hessian (groups, q, q) by central differences."""
    groups, q = rows.shape
    up, down = np.triu_indices(q, 1)
    unit = np.diag(h)
    pairs = unit[up] + unit[down], unit[up] - unit[down]
    shifts = np.concatenate(
        [np.zeros((1, q)), unit, -unit, pairs[0], -pairs[0], pairs[1], -pairs[1]]
    )
    f = likelihood(rows[None] + shifts[:, None])
    if f.shape != (len(shifts), groups):
        raise AssertionError(f"likelihood of shape {f.shape}, not {(len(shifts), groups)}")
    parts = np.split(f, np.cumsum([1, q, q, *[len(up)] * 3]))
    middle, plus, minus, pp, mm, pm, mp = parts
    gradient = ((plus - minus) / (2 * h[:, None])).T
    hessian = np.zeros((groups, q, q))
    diagonal = (plus - 2 * middle + minus) / h[:, None] ** 2
    hessian[:, np.arange(q), np.arange(q)] = diagonal.T
    mixed = ((pp + mm - pm - mp) / (4 * (h[up] * h[down])[:, None])).T
    hessian[:, up, down] = hessian[:, down, up] = mixed
    return middle[0], gradient, hessian


def _assembled(
    value: np.ndarray, gradient: np.ndarray, hessian: np.ndarray, s: int, groups: int, mine: int
) -> tuple[float, np.ndarray, np.ndarray]:
    """Sums over groups where parameters are shared, blocks where they are not."""
    size = s + groups * mine
    g, h = np.zeros(size), np.zeros((size, size))
    g[:s], g[s:] = gradient[:, :s].sum(0), gradient[:, s:].ravel()
    h[:s, :s] = hessian[:, :s, :s].sum(0)
    for i in range(groups):
        at = slice(s + i * mine, s + (i + 1) * mine)
        h[:s, at], h[at, :s] = hessian[i, :s, s:], hessian[i, s:, :s]
        h[at, at] = hessian[i, s:, s:]
    return float(value.sum()), g, h


def _steps(information: np.ndarray, s: int, groups: int, mine: int) -> np.ndarray:
    """A tenth of the standard error that each parameter would have if all others were known."""
    curve = np.diag(information)
    own = curve[s:].reshape(groups, mine).max(axis=0, initial=0.0)
    curve = np.concatenate([curve[:s], own])
    return np.where(curve > 1e-4, 0.1 / np.sqrt(np.maximum(curve, 1e-4)), 1e-2).clip(1e-7, 5e-2)
