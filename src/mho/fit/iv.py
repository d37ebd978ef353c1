"""I-V sweeps -> `Ohmic`, `Sinh` or `Transistor`: one law, and each sweep its own conductance."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy import stats
from scipy.ndimage import median_filter

from mho.errors import invalid
from mho.fit.maximum import Maximum, maximise
from mho.fit.outcome import (
    CONFIDENCE,
    Fit,
    Parameter,
    Picture,
    Rival,
    Series,
    far_out,
    judge,
    on_log,
)
from mho.fit.reading.table import Table
from mho.fit.recognise import KINDS
from mho.physics import Ohmic, Sinh, Transistor

LAWS = {"ohmic": Ohmic, "sinh": Sinh, "1t1r": Transistor}
NAMES = {"ohmic": (), "sinh": ("v0",), "1t1r": ("beta", "overdrive")}
UNITS = {"v0": "V", "beta": "A/V^2", "overdrive": "V"}
NOISES = ("of one size", "in proportion")
FLOOR = 0.01
"""Least error under noise in proportion, as a share of that at the largest current."""


@dataclass(frozen=True)
class Sweeps:
    """Points of all sweeps."""

    v: np.ndarray
    i: np.ndarray
    sweep: np.ndarray
    line: np.ndarray
    top: float
    """Largest current [A]: the unit of the errors."""

    def kept(self, rows: np.ndarray) -> Sweeps:
        """Some of the points; the unit is theirs."""
        i = self.i[rows]
        return Sweeps(self.v[rows], i, self.sweep[rows], self.line[rows], float(np.abs(i).max()))


def fit_iv(table: Table) -> Fit:
    """The law of conduction by Akaike's criterion, with its parameters.

    Args:
        table: voltage and current; perhaps device, cycle, state: one sweep each.
    """
    points, remarks = _points(table)
    wild = _spikes(points)
    some = points.kept(~wild)
    fits = _all(some)
    (law, noise), best = _least(fits)
    fitted, residual = _residual(law, noise, best, some)
    wild[~wild] = far_out(residual)
    fitted, residual = _residual(law, noise, best, replace(points, top=some.top))
    near = judge(points.i[~wild], fitted[~wild], residual[~wild]).r_squared
    if wild.mean() > 0.1 or not near >= 0.9:
        row = int(np.argmax(np.abs(residual)))
        allowed = (
            "sweeps of one conductance each, which no law finds here; does the cell switch? keep "
            "|V| below that, or name the branches in a column cycle"
        )
        if "switching" in KINDS:
            allowed += "; --kind switching fits SET and RESET of a loop"
        raise invalid(f"{table.path}, line {points.line[row]}, current", float(points.i[row]),
                      allowed)  # fmt: skip
    kept = points.kept(~wild)
    if len(kept.v) < len(some.v):
        fits = _all(kept)
        (law, noise), best = _least(fits)
    fitted, residual = _residual(law, noise, best, kept)
    values = np.exp(best.shared[: len(NAMES[law])])
    free = max(1, len(kept.v) - len(best.covariance) + 1)
    parameters = [
        on_log(name, float(best.shared[k]), best.error(k), UNITS[name], _width(free, kept))
        for k, name in enumerate(NAMES[law])
    ]
    parameters += _conductances(best, _width(free, kept))
    if not best.settled:
        remarks.append("the likelihood has no clear maximum: see the intervals")
    remarks.append(f"errors of the current are taken {noise}")
    if law == "ohmic" and len(points.v):
        remarks.append(f"straight up to {np.abs(kept.v).max():.3g} V")
    if law == "1t1r":
        remarks.append(
            "the current levels off: where that is the compliance of the instrument and no "
            "transistor, leave those points out, or give a column Compliance [A]"
        )
    remarks += _offset(kept, fitted)
    record = LAWS[law].from_dict(dict(zip(NAMES[law], values.tolist(), strict=True)))
    series = []
    for s in range(min(4, int(points.sweep.max()) + 1)):
        rows = np.flatnonzero(kept.sweep == s)
        rows = rows[np.argsort(kept.v[rows], kind="stable")]
        series.append(Series(f"sweep {s + 1}", kept.v[rows], kept.i[rows], fitted[rows]))
    picture = Picture(
        "V [V]", "I [A]", series, kept.v, residual, left_out=(points.v[wild], points.i[wild])
    )
    return Fit(
        kind="iv",
        table="conduction",
        record=record,
        parameters=parameters,
        goodness=judge(kept.i, fitted, residual),
        rivals=[
            Rival(f"{name}, errors {kind}", fit.aic(), len(fit.covariance))
            for (name, kind), fit in fits.items()
        ],
        picture=picture,
        outliers=sorted({int(n) for n in points.line[wild]}),
        remarks=remarks,
    )


def _points(table: Table) -> tuple[Sweeps, list[str]]:
    """What is there, gaps and points at compliance left out; and what is said of the latter."""
    v, i = table.numbers["voltage"], table.numbers["current"]
    told = np.isfinite(v) & np.isfinite(i)
    remarks = []
    if "compliance" in table:
        limited = told & (np.abs(i) >= 0.98 * np.abs(table.numbers["compliance"]))
        told &= ~limited
        if limited.any():
            remarks.append(f"{int(limited.sum())} points at the compliance are left out")
    sweep = table.labels("device", "cycle", "state", "branch")
    for s in np.unique(sweep):
        rows = np.flatnonzero(told & (sweep == s) & (v != 0))
        where = f"{table.path}, sweep {s + 1}"
        if len(rows) < 5:
            raise invalid(where, f"{len(rows)} points", "at least 5, away from 0 V")
        if len(np.unique(v[rows])) < 3:
            allowed = "at least 3 different voltages; a current at one voltage gives no law"
            raise invalid(where, f"{len(np.unique(v[rows]))} voltages", allowed)
        if float(v[rows] @ i[rows]) <= 0:
            at = table.where(rows[0])
            allowed = "a current above 0 A on the whole, of the sign of the voltage"
            raise invalid(f"{at}, current", float(i[rows[0]]), allowed)
    top = float(np.abs(i[told]).max(initial=0.0))
    return Sweeps(v[told], i[told], sweep[told], table.lines[told], top), remarks


def _offset(points: Sweeps, fitted: np.ndarray) -> list[str]:
    """A remark if currents lie off the law by the same at either polarity: no part of a law."""
    off = points.i - fitted
    sides = [off[points.v > 0], off[points.v < 0]]
    if min(map(len, sides)) < 5:
        return []
    means = np.array([each.mean() for each in sides])
    errors = np.array([each.std(ddof=1) / math.sqrt(len(each)) for each in sides])
    if means[0] * means[1] <= 0 or (np.abs(means) <= 4 * errors).any():
        return []
    return [f"currents lie {means.mean():.2g} A off the law at either polarity: an offset of the "
            "instrument is no part of it, and should be taken off"]  # fmt: skip


def _spikes(points: Sweeps) -> np.ndarray:
    """Points that are twice the middle of the five around them, or of the other sign."""
    wild = np.zeros(len(points.v), dtype=bool)
    for s in range(int(points.sweep.max()) + 1):
        rows = np.flatnonzero(points.sweep == s)
        i = points.i[rows]
        middle = median_filter(i, size=5, mode="nearest")
        least = 0.02 * float(np.abs(middle).max())
        wild[rows] = np.abs(i - middle) > np.maximum(np.abs(middle), least)
    return wild


def _all(points: Sweeps) -> dict[tuple[str, str], Maximum]:
    """Each law under each kind of error."""
    return {(law, noise): _maximum(law, noise, points) for law in LAWS for noise in NOISES}


def _least(fits: dict[tuple[str, str], Maximum]) -> tuple[tuple[str, str], Maximum]:
    """The one of fewest parameters whose criterion is within 2 of the least."""
    aic = {each: fit.aic() + 1e9 * (not fit.settled) for each, fit in fits.items()}
    near = [each for each in fits if aic[each] <= min(aic.values()) + 2]
    best = min(near, key=lambda each: (len(fits[each].covariance), aic[each]))
    return best, fits[best]


def _maximum(law: str, noise: str, points: Sweeps) -> Maximum:
    """ln of: the law's parameters, the error over the largest current; ln g of each sweep."""
    sweeps = int(points.sweep.max()) + 1
    own = np.empty((sweeps, 1))
    for s in range(sweeps):
        rows = np.flatnonzero((points.sweep == s) & (points.v != 0))
        small = rows[np.argsort(np.abs(points.v[rows]))[: max(5, len(rows) // 3)]]
        slope = points.v[small] @ points.i[small] / (points.v[small] @ points.v[small])
        own[s] = math.log(max(float(slope), 1e-3 * points.top / np.abs(points.v).max()))
    most = float(np.abs(points.v).max())
    g = float(np.exp(own.max()))
    starts = {
        "ohmic": [()],
        "sinh": [(most / 2,), (most / 6,)],
        "1t1r": [(2 * points.top / most**2, most), (2 * g / most, most / 2), (10 * g, 1.0)],
    }[law]
    member = np.eye(sweeps)[points.sweep]

    def likelihood(rows: np.ndarray) -> np.ndarray:
        i = _currents(law, rows, points)
        size = _error(noise, rows[:, :1, len(NAMES[law])], i, points)
        log = -0.5 * ((points.i - i) / points.top / size) ** 2 - np.log(size)
        return (log - math.log(points.top) - 0.5 * math.log(2 * math.pi)) @ member

    guesses = []
    for start in starts:
        guess = np.array([*np.log(start), 0.0])
        rows = np.concatenate([np.tile(guess, (sweeps, 1)), own], axis=1)[None]
        off = float(np.std(points.i - _currents(law, rows, points)[0])) / points.top
        rows[..., len(start)] = guess[-1] = math.log(max(off, 1e-6))
        guesses.append((float(likelihood(rows).sum()), guess))
    return maximise(likelihood, max(guesses, key=lambda each: each[0])[1], own)


def _currents(law: str, rows: np.ndarray, points: Sweeps) -> np.ndarray:
    """Currents (batch, points) [A] of parameters (batch, sweeps, q), by the library's own law."""
    v = torch.from_numpy(points.v)
    g = torch.from_numpy(np.exp(np.clip(rows[:, points.sweep, -1], -60.0, 20.0)))
    shared = np.exp(np.clip(rows[:, 0, : len(NAMES[law])], -60.0, 4.6))
    kinds, which = np.unique(shared, axis=0, return_inverse=True)
    out = np.empty(g.shape)
    for k, values in enumerate(kinds.tolist()):
        record = LAWS[law].from_dict(dict(zip(NAMES[law], values, strict=True)))
        mine = which.ravel() == k
        out[mine] = record.current(v, g[torch.from_numpy(mine)]).numpy()
    return np.clip(np.nan_to_num(out), -1e6 * points.top, 1e6 * points.top)


def _error(noise: str, log: np.ndarray, i: np.ndarray, points: Sweeps) -> np.ndarray:
    """Standard error of each current, over the largest."""
    if noise == "of one size":
        return np.exp(log) * np.ones_like(i)
    return np.exp(log) * np.hypot(i / points.top, FLOOR)


def _residual(law: str, noise: str, best: Maximum, points: Sweeps) -> tuple[np.ndarray, np.ndarray]:
    """Fitted currents [A] and standardized residuals."""
    rows = np.concatenate([np.tile(best.shared, (len(best.own), 1)), best.own], axis=1)
    i = _currents(law, rows[None], points)[0]
    size = _error(noise, best.shared[-1:][None], i[None], points)[0]
    return i, (points.i - i) / points.top / size


def _width(free: int, points: Sweeps) -> float:
    """Student's factor, and what the likelihood takes the errors for too small."""
    return float(stats.t.isf((1 - CONFIDENCE) / 2, free)) * math.sqrt(len(points.v) / free)


def _conductances(best: Maximum, width: float) -> list[Parameter]:
    """Of each sweep, the first eight."""
    n = len(best.shared)
    return [
        on_log(f"g of sweep {s + 1}", float(best.own[s, 0]), best.error(n + s), "S", width)
        for s in range(min(8, len(best.own)))
    ]
