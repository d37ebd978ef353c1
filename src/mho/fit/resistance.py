"""The resistance of one state and how it spreads: distributions fitted to its reads.

A read is `mean x (device factor) x (cycle factor)`. On the logarithm (lognormal) or on the
resistance itself (normal) that is a one-way layout, so that every interval has a known law.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats
from scipy.optimize import minimize

from mho.errors import invalid
from mho.fit.devices import rows_of
from mho.fit.outcome import CONFIDENCE, Parameter, Rival, on_line, on_log
from mho.fit.random_effects import Between, between, within
from mho.physics import Resistance, Spread


@dataclass(frozen=True)
class State:
    """What was found of one state under one distribution."""

    distribution: str
    log_likelihood: float
    count: int
    """Parameters that were estimated; an end that the extremes give counts twice."""
    resistance: Resistance
    parameters: list[Parameter]
    score: np.ndarray
    """Standard normal score of each read."""
    residual: np.ndarray
    """The same, within its device where devices were read several times."""
    quantile: Callable[[np.ndarray], np.ndarray]
    """Resistance of a standard normal score [ohm]."""


def compare(name: str, r: np.ndarray, device: np.ndarray, per_cycle: bool) -> list[State]:
    """Each distribution fitted to the reads of one state."""
    found = [_layout(name, kind, r, device, per_cycle) for kind in ("lognormal", "normal")]
    counts = np.unique(device, return_counts=True)[1]
    if len(counts) == 1 or counts.max() == 1:
        cut = _cut(name, r, per_cycle)
        found += [cut] if cut else []
    return found


def _layout(name: str, kind: str, r: np.ndarray, device: np.ndarray, per_cycle: bool) -> State:
    """Lognormal or normal, between devices and within them as far as the file tells them apart."""
    log = kind == "lognormal"
    y = np.log(r) if log else r
    _, device = np.unique(device, return_inverse=True)
    groups = [y[rows] for rows in rows_of(device)]
    nested = len(groups) > 1 and max(map(len, groups)) > 1
    sizes = np.array([len(g) for g in groups])
    means = np.array([g.mean() for g in groups])
    if nested:
        unit = np.ones(len(groups)) if log else means  # a cycle factor multiplies the device's
        inner = within([g / u for g, u in zip(groups, unit, strict=True)])[:3]
        own = inner[0] * unit
        of = between(means, own**2 / sizes)
        total = math.hypot(of.tau, inner[0] if log else inner[0] * math.hypot(of.mean, of.tau))
        density = _nested(groups, of, own)
        left = (y - means[device]) / (own * np.sqrt(1 - 1 / np.maximum(sizes, 1.5)))[device]
    else:
        inner, of = None, between(y, np.zeros(len(y)))
        total = of.tau
        density = float(stats.norm.logpdf(y, of.mean, y.std()).sum())
        left = (y - of.mean) / total
    if log:
        density -= float(np.sum(np.log(r)))
        mean = _lognormal_mean(name, of, inner, len(r) - len(groups))
    else:
        mean = on_line(f"{name}.mean", of.mean, of.error, "ohm", of.width)
    spread = (of.tau, of.low, of.high)
    covs = {"cycle" if per_cycle else "device": spread if log else _over(spread, of.mean)}
    if inner is not None:
        covs["cycle"] = inner
    parameters, spreads = [mean], {}
    for part, (value, low, high) in covs.items():
        if log:
            value, low, high = (math.sqrt(math.expm1(min(s, 2.1) ** 2)) for s in (value, low, high))
        parameters.append(Parameter(f"{name}.{part}.cov", value, low, high))
        spreads[part] = Spread(distribution="lognormal" if log else "normal", cov=min(10.0, value))

    def quantile(z: np.ndarray) -> np.ndarray:
        return np.exp(of.mean + total * z) if log else of.mean + total * z

    record = Resistance(mean=mean.value, **spreads)
    score = (y - of.mean) / total
    return State(kind, density, 2 + nested, record, parameters, score, left, quantile)


def _over(values: tuple[float, float, float], by: float) -> tuple[float, float, float]:
    return values[0] / by, values[1] / by, values[2] / by


def _lognormal_mean(
    name: str, of: Between, inner: tuple[float, float, float] | None, free: int
) -> Parameter:
    """exp(mu + s^2 / 2), s^2 of all spread (Cox's method, as in Land 1972)."""
    n = 1 + round(of.tau**2 / of.error**2) if of.error else 2
    parts = [(of.tau, max(n - 1, 1))]
    if inner is not None:
        parts.append((inner[0], max(free, 1)))
    shift = sum(s**2 for s, _ in parts) / 2
    error = math.sqrt(of.error**2 + sum(s**4 / (2 * (k + 2)) for s, k in parts))
    return on_log(f"{name}.mean", of.mean + shift, error, "ohm", of.width)


def _nested(groups: list[np.ndarray], of: Between, own: np.ndarray) -> float:
    """Log-density of a one-way layout: of the mean of each group, and of the rest within it.

    `own` (groups,) is the deviation within each group.
    """
    total = 0.0
    for y, s in zip(groups, own, strict=True):
        n = len(y)
        spread = of.tau**2 + s**2 / n
        square = (y.mean() - of.mean) ** 2 / spread + float(np.sum((y - y.mean()) ** 2)) / s**2
        logs = math.log(spread) + (n - 1) * math.log(s**2) + math.log(n)
        total -= 0.5 * (square + logs + n * math.log(2 * math.pi))
    return total


def _cut(name: str, r: np.ndarray, per_cycle: bool) -> State | None:
    """Normal between limits, the extremes of the sample; None: no such shape fits."""
    low, high = float(r.min()), float(r.max())
    scale = float(r.std())

    def minus(p: np.ndarray) -> float:
        mean, sd = p[0] * scale, math.exp(p[1]) * scale
        inside = stats.norm.cdf(high, mean, sd) - stats.norm.cdf(low, mean, sd)
        return -float(stats.norm.logpdf(r, mean, sd).sum() - len(r) * math.log(max(inside, 1e-300)))

    found = minimize(minus, [r.mean() / scale, 0.1], method="Nelder-Mead",
                     options={"xatol": 1e-6, "fatol": 1e-8, "maxiter": 800})  # fmt: skip
    mean, sd = found.x[0] * scale, math.exp(found.x[1]) * scale
    if not (low < mean < high) or sd > 3 * (high - low):
        return None
    h = 1e-3
    hessian = np.empty((2, 2))
    for i in range(2):
        for j in range(2):
            a, b = h * np.eye(2)[i], h * np.eye(2)[j]
            hessian[i, j] = (
                minus(found.x + a + b) - minus(found.x + a - b)
                - minus(found.x - a + b) + minus(found.x - a - b)
            ) / (4 * h * h)  # fmt: skip
    if np.linalg.eigvalsh(hessian)[0] <= 0:
        return None
    errors = np.linalg.inv(hessian)
    wide = float(stats.t.isf((1 - CONFIDENCE) / 2, len(r) - 2))
    part = "cycle" if per_cycle else "device"
    cov = sd / mean
    into = np.array([-scale / mean, 1.0])
    spread = Spread(
        distribution="truncated-normal", cov=min(10.0, cov), lower=max(1e-3, low / mean),
        upper=high / mean,
    )  # fmt: skip
    parameters = [
        on_line(f"{name}.mean", mean, scale * math.sqrt(errors[0, 0]), "ohm", wide),
        on_log(f"{name}.{part}.cov", math.log(cov), math.sqrt(into @ errors @ into), width=wide),
        Parameter(f"{name}.{part}.lower", low / mean, None, None),
        Parameter(f"{name}.{part}.upper", high / mean, None, None),
    ]
    inside = stats.norm.cdf([low, high], mean, sd)
    u = (stats.norm.cdf(r, mean, sd) - inside[0]) / (inside[1] - inside[0])
    n = len(r)
    score = stats.norm.ppf((u * n + 0.5) / (n + 1))

    def quantile(z: np.ndarray) -> np.ndarray:
        u = inside[0] + (inside[1] - inside[0]) * stats.norm.cdf(z)
        return stats.norm.ppf(u, mean, sd)

    kwargs = {part: spread}
    record = Resistance(mean=mean, **kwargs)
    name = "truncated normal"
    return State(name, -float(found.fun), 6, record, parameters, score, score, quantile)


def preferred(found: list[State]) -> State:
    """The first (lognormal), or what Akaike's criterion puts more than 2 below it."""
    aic = [2 * s.count - 2 * s.log_likelihood for s in found]
    least = int(np.argmin(aic))
    return found[least] if aic[least] < aic[0] - 2 else found[0]


def of_both(
    where: str, r: np.ndarray, on: np.ndarray, device: np.ndarray, per_cycle: bool
) -> tuple[dict[bool, State], list[Rival]]:
    """The preferred distribution of each state, by whether it is on, and all that were fitted.

    Args:
        where: the file, for errors.
        r: resistances (n,) [ohm].
        on: whether each is of the state of low resistance (n,).
        device: device of each (n,).
        per_cycle: as `compare` takes it.

    Raises:
        ValueError: on has the higher resistance.
    """
    best: dict[bool, State] = {}
    rivals: list[Rival] = []
    for state, name in ((True, "r_on"), (False, "r_off")):
        found = compare(name, r[on == state], device[on == state], per_cycle)
        rivals += [
            Rival(f"{name} {s.distribution}", 2 * s.count - 2 * s.log_likelihood, s.count)
            for s in found
        ]
        best[state] = preferred(found)
    if best[True].resistance.mean >= best[False].resistance.mean:
        raise invalid(f"{where}, state", "on has the higher resistance",
                      "on, LRS or 1 for the state of low resistance")  # fmt: skip
    return best, rivals
