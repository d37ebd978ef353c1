"""The activation energy and all that goes with it: the maximum of the likelihood, and intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from mho.fit.arrhenius import Likelihood
from mho.fit.maximum import maximise

ALONE = 14.0
"""ln of the ratio of variances from which on the smaller one is not seen."""
STEEPEST = 6.0
"""Largest activation energy that is tried [eV], of either sign."""


@dataclass(frozen=True)
class Found:
    """Estimates at the reference temperature; nan for the error of what was not estimated."""

    energy: float
    """E_a [eV]."""
    start: float
    """ln(t0)."""
    rate: float
    spread: float
    """Standard deviation of rates between cells."""
    offset: float
    """Standard deviation of levels between traces of one unit or group."""
    noise: float
    """Standard deviation of a read."""
    names: tuple[str, ...]
    """Of the parameters of the covariance: energy, start, rate, and ln of noise, spread, offset."""
    covariance: np.ndarray
    value: float
    """Log-likelihood."""
    settled: bool
    kelvin: float
    """Reference temperature [K]."""
    free: bool
    """Whether t0 was found."""

    def error(self, name: str) -> float:
        """Standard error."""
        if name not in self.names:
            return math.nan
        k = self.names.index(name)
        variance = self.covariance[k, k]
        return math.sqrt(variance) if variance >= 0 else math.inf


def maximum(of: Likelihood, free: bool) -> Found:
    """Where the likelihood is largest: a grid, then Nelder and Mead's method, then Newton's.

    Args:
        free: whether t0 is to be found; else it is the first read after time 0.
    """
    names = ["energy"] + ["start"] * free + ["spread"]
    names += ["offset"] * (of.courses.levels != "own")

    def at(x: np.ndarray) -> dict:
        p = dict(zip(names, x.tolist(), strict=True))
        return {
            "energy": p["energy"], "start": p.get("start"),
            "spread": math.exp(min(p["spread"], ALONE)),
            "offset": math.exp(min(p.get("offset", -99.0), ALONE)),
        }  # fmt: skip

    def minus(x: np.ndarray) -> float:
        if abs(x[0]) > STEEPEST or np.abs(x).max() > 60:
            return 1e12
        return -of.profile(**at(x))

    starts = []
    for energy in np.linspace(-1.0, 3.0, 21):
        log = of.log_time(energy)
        log = log[np.isfinite(log)]
        low, high = float(log.min()), float(log.max())
        begins = [*np.linspace(low - 15, low, 6), *np.linspace(low, high, 6)[1:-1]]
        for start in begins if free else [0.0]:
            for spread in (-9.0, -3.0):
                for offset in (-4.0, 4.0) if of.courses.levels != "own" else (0.0,):
                    p = {"energy": energy, "start": start, "spread": spread, "offset": offset}
                    x = np.array([p[name] for name in names])
                    starts.append((minus(x), x))
    starts.sort(key=lambda each: each[0])
    chosen = [starts[0][1]]
    for _, x in starts[1:]:
        if len(chosen) < 3 and min(abs(x[0] - y[0]) for y in chosen) > 0.15:
            chosen.append(x)
    best, value = chosen[0], math.inf
    for x in chosen:
        simplex = np.concatenate([x[None], x + np.diag([0.1, 0.7, 1.0, 1.0][: len(x)])])
        how = {"initial_simplex": simplex, "xatol": 1e-5, "fatol": 1e-6, "maxiter": 600}
        got = minimize(minus, x, method="Nelder-Mead", options=how)
        if got.fun < value:
            best, value = got.x, float(got.fun)
    return _curved(of, free, at(best))


def _curved(of: Likelihood, free: bool, at: dict) -> Found:
    """Estimates with their covariance; a variance that the data do not ask for is 0."""
    value = of.profile(**at)
    for name in ("spread", "offset"):
        if at[name] and of.profile(**{**at, name: 0.0}) > value - 1e-3:
            at = {**at, name: 0.0}
    most = math.exp(ALONE)
    silent = at["spread"] > 0 and of.profile(**{**at, "spread": most}) > value - 1e-3
    if silent:  # reads and rates are not told apart: all of it is spread of rates
        at = {**at, "spread": most}
    ll, ly, yy, _ = of.parts(**at)
    n = of.free_reads
    rate = ly / ll if ll > 0 else 0.0
    noise = 0.5 * math.log(max(yy - rate * ly, 1e-300) / n)
    x = {"energy": at["energy"], "start": at["start"], "rate": rate, "noise": noise}
    x |= {m: noise + 0.5 * math.log(at[m]) for m in ("spread", "offset") if at[m] > 0}
    if not free:
        del x["start"]
    if silent:
        del x["noise"]
    names = tuple(x)

    def likelihood(rows: np.ndarray) -> np.ndarray:
        out = np.empty((len(rows), 1))
        for k, row in enumerate(rows[:, 0]):
            p = dict(zip(names, row.tolist(), strict=True))
            log = p["noise"] if "noise" in p else p["spread"] - ALONE / 2
            ratios = [math.exp(min(2 * (p[m] - log), 60.0)) if m in p else 0.0
                      for m in ("spread", "offset")]  # fmt: skip
            ll, ly, yy, logs = of.parts(p["energy"], p.get("start"), *ratios)
            square = yy - 2 * p["rate"] * ly + p["rate"] ** 2 * ll
            size = math.log(max(square, 1e-300)) - 2 * log
            left = math.exp(min(size, 600.0))
            out[k] = -0.5 * (n * (math.log(2 * math.pi) + 2 * log) + left + logs)
        return out

    got = maximise(likelihood, np.array(list(x.values())), rounds=20)
    p = dict(zip(names, got.shared.tolist(), strict=True))
    start = p["start"] if free else of.begin(p["energy"])
    size = np.array([of.scale if m == "rate" else 1.0 for m in names])
    spread, offset, noise = (
        of.scale * math.exp(p[m]) if m in p else 0.0 for m in ("spread", "offset", "noise")
    )
    return Found(
        p["energy"], start, of.scale * p["rate"], spread, offset, noise, names,
        got.covariance * np.outer(size, size), got.value - n * math.log(of.scale),
        got.settled, of.kelvin, free,
    )  # fmt: skip


def interval(of: Likelihood, found: Found, name: str, drop: float) -> tuple[float, float]:
    """Where the likelihood, at the best of all else, is less by `drop`; inf: nowhere."""
    at = {"energy": found.energy, "start": found.start, "rate": found.rate / of.scale}
    others = [n for n in ("energy", "start") if n != name and (n != "start" or found.free)]
    noise = max(found.noise, found.spread * math.exp(-ALONE / 2))
    ratios = {"spread": found.spread, "offset": found.offset}
    last = np.array([at[n] for n in others] + [2 * math.log(max(v / noise, 1e-4))
                    for n, v in ratios.items() if n == "spread" or v > 0])  # fmt: skip

    def excess(value: float) -> float:
        nonlocal last

        def minus(x: np.ndarray) -> float:
            p = dict(zip([*others, "spread", "offset"], x.tolist(), strict=False))
            p[name] = value
            if abs(p["energy"]) > 2 * STEEPEST or np.abs(x).max() > 100:
                return 1e12
            ratio = {n: math.exp(min(p.get(n, -99.0), ALONE)) for n in ratios}
            start = p["start"] if found.free else None
            return -of.profile(p["energy"], start, **ratio, rate=p.get("rate"))

        simplex = np.concatenate([last[None], last + 0.3 * np.eye(len(last))])
        how = {"initial_simplex": simplex, "xatol": 1e-4, "fatol": 1e-5, "maxiter": 400}
        got = minimize(minus, last, method="Nelder-Mead", options=how)
        last = got.x
        return float(got.fun)

    ends = []
    begin, middle = last, at[name]
    error = found.error(name) / (of.scale if name == "rate" else 1.0)
    error = error if 0 < error < abs(middle) + 1 else 0.3 * abs(middle) + 0.1
    limit = drop + excess(middle)
    for side in (-1, 1):
        last, near, far, step = begin, middle, middle, error
        for _ in range(9):
            far = near + side * step
            if excess(far) > limit:
                break
            near, step = far, 1.7 * step
        else:
            ends.append(side * math.inf)
            continue
        for _ in range(8):
            between = (near + far) / 2
            near, far = (near, between) if excess(between) > limit else (between, far)
        ends.append(far)
    if name == "rate":
        ends = [of.scale * end for end in ends]
    return ends[0], ends[1]
