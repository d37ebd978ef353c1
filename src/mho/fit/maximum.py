"""Maximum likelihood: Newton's method where value, gradient and Hessian come from one batch.

The parameters are some that all groups (devices, sweeps) share and some that each has for itself.
A group's likelihood depends on the shared ones and its own, so that all groups are differentiated
in the same few evaluations: 1 + 2 q^2 for q = shared + own parameters of one group.

Where the likelihood is a sum of many terms (`Sum`), 1 + 2 q do on the way: the curvature is then
that of the terms' gradients, minus the sum of their squares (Berndt, Hall, Hall and Hausman 1974),
and the Hessian is taken once, at the end.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import minimize

Likelihood = Callable[[np.ndarray], np.ndarray]
"""Log-likelihoods (batch, groups) of parameters (batch, groups, q), shared ones first."""

MANY = 2500
"""Terms times parameters from which on gradients of the terms stand for the Hessian."""
LAST = 8
"""Rounds by the Hessian that may follow then."""
AT_ONCE = 2**18
"""Terms of a batch that are evaluated at once: as many as a cache holds."""
NEAR = 1e-4
"""Log-likelihood that may be left to gain."""

_Curve = tuple[float, np.ndarray, np.ndarray]
"""Value, gradient and Hessian of all parameters."""


@dataclass(frozen=True)
class Sum:
    """A log-likelihood of many terms."""

    terms: Callable[[np.ndarray], np.ndarray]
    """Terms (batch, n) of parameters (batch, groups, q)."""
    group: np.ndarray
    """(n,) group of each."""
    groups: int
    """How many there are."""
    _member: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_member", np.eye(self.groups)[self.group])

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Log-likelihoods (batch, groups)."""
        rows = max(1, AT_ONCE // len(self.group))
        return np.concatenate(
            [self.terms(x[k : k + rows]) @ self._member for k in range(0, len(x), rows)]
        )


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

    @property
    def rows(self) -> np.ndarray:
        """(groups, s + o) parameters of each group, as a likelihood takes them."""
        return np.concatenate([np.tile(self.shared, (len(self.own), 1)), self.own], axis=1)

    def error(self, i: int) -> float:
        """Standard error of a shared parameter; inf: not known."""
        return deviation(self.covariance[i, i])

    def aic(self, further: int = 0) -> float:
        """Akaike's criterion, with `further` parameters that were estimated elsewhere."""
        return 2 * (len(self.covariance) + further) - 2 * self.value


def deviation(variance: float) -> float:
    """Standard deviation of an estimate; inf where the data give none."""
    return math.sqrt(variance) if math.isfinite(variance) and variance >= 0 else math.inf


def maximise(
    likelihood: Likelihood | Sum,
    shared: np.ndarray,
    own: np.ndarray | None = None,
    rounds: int = 60,
) -> Maximum:
    """Climb from a start; parameters should be scaled so that 1 is a large change.

    Where the likelihood is no number at the start, the start comes back, not settled.

    Args:
        shared: (s,) start.
        own: (groups, o) start; None: one group without parameters of its own.
    """
    own = np.zeros((1, 0)) if own is None else own
    climb = _Climb(likelihood, len(shared), *own.shape)
    x = np.concatenate([shared, own.ravel()])
    if isinstance(likelihood, Sum) and len(likelihood.group) * len(climb.steps) > MANY:
        x = climb.upwards(x, _scores, rounds // 2)
        climb.steps = climb.suited(climb.at(x, _scores)[2])
        gain = _left(*climb.at(x, _derivatives)[1:])
        if not 0 <= gain < NEAR:
            x = climb.upwards(x, _derivatives, min(rounds, LAST))
    else:
        x = climb.upwards(x, _derivatives, rounds)  # again with steps that suit the curvature
        climb.steps = climb.suited(climb.at(x, _derivatives)[2])
        x = climb.upwards(x, _derivatives, rounds)
    value, gradient, hessian = climb.at(x, _derivatives)
    if not math.isfinite(value):
        size = np.full(hessian.shape, math.inf)
        return Maximum(shared, own, size, -math.inf, settled=False)
    bent = np.linalg.eigvalsh(-hessian)
    covariance = np.linalg.pinv(-hessian, hermitian=True)
    left = float(gradient @ covariance @ gradient)
    settled = bool(bent[0] > 0 and left < 1e-2)
    s = len(shared)
    return Maximum(x[:s], x[s:].reshape(own.shape), covariance, value, settled)


def _left(gradient: np.ndarray, hessian: np.ndarray) -> float:
    """What a step to the top of the parabola would gain; below 0: it has no top."""
    if not np.isfinite(gradient).all() or np.linalg.eigvalsh(-hessian)[0] <= 0:
        return -1.0
    return 0.5 * float(gradient @ np.linalg.solve(-hessian, gradient))


class _Climb:
    """Derivatives of a likelihood with respect to all parameters, and the way up by them."""

    def __init__(self, likelihood: Likelihood | Sum, s: int, groups: int, mine: int) -> None:
        self.likelihood, self.s, self.groups, self.mine = likelihood, s, groups, mine
        self.steps = np.full(s + mine, 1e-3)
        self._known: tuple[bytes, _Curve] | None = None

    def at(self, x: np.ndarray, differentiate: Callable) -> _Curve:
        """Value, gradient and Hessian; the last ones are kept."""
        key = x.tobytes() + self.steps.tobytes() + differentiate.__name__.encode()
        if self._known is None or self._known[0] != key:
            shared = np.broadcast_to(x[: self.s], (self.groups, self.s))
            rows = np.concatenate([shared, x[self.s :].reshape(self.groups, self.mine)], axis=1)
            value, gradient, hessian = differentiate(self.likelihood, rows, self.steps)
            found = _assembled(value, gradient, hessian, self.s, self.groups, self.mine)
            if not all(np.isfinite(part).all() for part in found):
                size = len(x)
                found = -math.inf, np.zeros(size), -np.eye(size)
            self._known = key, found
        return self._known[1]

    def upwards(self, x: np.ndarray, differentiate: Callable, rounds: int) -> np.ndarray:
        """Where a climb by a kind of derivatives ends."""
        if not math.isfinite(self.at(x, differentiate)[0]):
            return x

        def enough(y: np.ndarray) -> None:
            if differentiate is _scores and 0 <= _left(*self.at(y, _scores)[1:]) < NEAR:
                raise StopIteration

        found = minimize(
            lambda y: -self.at(y, differentiate)[0], x, method="trust-exact",
            jac=lambda y: -self.at(y, differentiate)[1],
            hess=lambda y: -self.at(y, differentiate)[2], callback=enough,
            options={"maxiter": rounds, "gtol": 1e-2,
                     "initial_trust_radius": 0.5, "max_trust_radius": 5.0},
        )  # fmt: skip
        return found.x

    def suited(self, hessian: np.ndarray) -> np.ndarray:
        """A tenth of the standard error that each parameter would have if all others were known."""
        curve = np.diag(-hessian)
        own = curve[self.s :].reshape(self.groups, self.mine).max(axis=0, initial=0.0)
        curve = np.concatenate([curve[: self.s], own])
        steps = np.where(curve > 1e-4, 0.1 / np.sqrt(np.maximum(curve, 1e-4)), 1e-2)
        return steps.clip(1e-7, 5e-2)


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


def _scores(
    likelihood: Sum, rows: np.ndarray, h: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same with the curvature of the terms' gradients for the Hessian."""
    groups, q = rows.shape
    gradient, hessian = np.empty((groups, q)), np.empty((groups, q, q))
    unit = np.diag(h)
    shifted = rows[None] + np.concatenate([np.zeros((1, q)), unit, -unit])[:, None]
    at_once = max(1, AT_ONCE // len(likelihood.group))
    terms = np.concatenate(
        [likelihood.terms(shifted[k : k + at_once]) for k in range(0, len(shifted), at_once)]
    )
    each = (terms[1 : q + 1] - terms[q + 1 :]) / (2 * h[:, None])
    value = np.bincount(likelihood.group, terms[0], groups)
    for g in range(groups):
        mine = each[:, likelihood.group == g]
        gradient[g], hessian[g] = mine.sum(1), -mine @ mine.T
    return value, gradient, hessian


def _assembled(
    value: np.ndarray, gradient: np.ndarray, hessian: np.ndarray, s: int, groups: int, mine: int
) -> _Curve:
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
