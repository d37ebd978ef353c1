"""Retention traces -> `PowerLaw` or `LogTime`: a straight line a cell, in ln t."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from mho.errors import invalid
from mho.fit.bake import fit_bakes
from mho.fit.devices import apart, listed, rows_of
from mho.fit.outcome import (
    CONFIDENCE,
    Fit,
    Parameter,
    Picture,
    Rival,
    Series,
    far_out,
    given,
    judge,
    on_line,
)
from mho.fit.random_effects import between, deviation
from mho.fit.reading.table import Table
from mho.fit.traces import APART, SAME, Traces, traces_of
from mho.physics import LogTime, PowerLaw

MOST_WILD = 0.2
"""Share of wild reads from which on all of a trace is set aside."""


@dataclass(frozen=True)
class Lines:
    """Straight lines y = a + b x with one error for all, a line a trace."""

    level: np.ndarray
    slope: np.ndarray
    centre: np.ndarray
    """Mean x of each trace."""
    spread: np.ndarray
    """Sum of squares of x about it."""
    squares: float
    free: int

    def at(self, x: np.ndarray, trace: np.ndarray) -> np.ndarray:
        """The lines at points of traces."""
        return self.level[trace] + self.slope[trace] * (x - self.centre[trace])


def fit_retention(table: Table, v_read: float | None = None) -> Fit:
    """The law of relaxation by Akaike's criterion, its rate and the spread between cells.

    Where temperatures are `APART` or more, `fit_bakes` finds the activation energy too.

    Args:
        table: time after programming and conductance; perhaps temperature, and device, cycle,
            state, level: one trace each.
        v_read: read voltage [V], where the file has currents.
    """
    traces = traces_of(table, v_read)
    if traces.several:
        return fit_bakes(traces)
    remarks = list(traces.remarks)
    _check_times(traces)
    early = traces.time == 0
    if early.any():
        lines = ", ".join(map(str, sorted(set(traces.table.lines[early].tolist()))[:8]))
        remarks.append(f"reads at t = 0 have no logarithm and are left out: line {lines}")
    traces = traces.kept(~early)
    table, g, time, trace = traces.table, traces.g, traces.time, traces.trace
    t0 = float(time.min())
    x = np.log(time / t0)
    names = traces.names
    wild = _wild(x, np.log(g), trace)
    lost = _lost(x, g, trace, wild)
    if lost.any():
        remarks.append(
            f"{listed(names, np.flatnonzero(lost))} did not keep to a straight line in ln t as the "
            "others did: set aside as a whole, no part of the record"
        )
    wild |= lost[trace]
    kept = ~wild
    x, y, on = x[kept], g[kept], np.unique(trace[kept], return_inverse=True)[1]
    power, log = _lines(x, np.log(y), on), _lines(x, y, on)
    count = 2 * (on.max() + 1) + 1
    likelihood = _likelihoods(x, y, on)
    family = max(likelihood, key=lambda name: likelihood[name])
    rate = f"{'nu' if family == 'power-law' else 'rate'}"
    lines = power if family == "power-law" else log
    sign, unit = (-1.0, "1") if family == "power-law" else (1.0, "S")
    mean, spread, more = _rates(lines, sign, rate, unit)
    values = {p.name: p.value for p in (mean, *spread)}
    law = PowerLaw if family == "power-law" else LogTime
    at_heat = {"temperature": float(np.median(traces.warm))} if len(traces.warm) else {}
    if at_heat:
        remarks.append(
            f"the law is that at {at_heat['temperature']:.4g} K; reads at temperatures {APART:g} K "
            "apart would tell its activation energy"
        )
    record = law.from_dict({"t0": t0, **values, **at_heat})
    fitted = lines.at(x, on)
    error = math.sqrt(lines.squares / lines.free)
    residual = ((np.log(y) if family == "power-law" else y) - fitted) / error
    fitted = np.exp(fitted) if family == "power-law" else fitted
    noise = deviation(lines.squares, lines.free)
    name = "error of a read, share" if family == "power-law" else "error of a read"
    at = t0 * np.exp(x)
    shown = [names[k] for k in np.flatnonzero(~lost)[:6]]
    series = [
        Series(name, at[on == k], y[on == k], fitted[on == k]) for k, name in enumerate(shown)
    ]
    return Fit(
        kind="retention",
        table="retention",
        record=record,
        parameters=[given("t0", t0, "s"), mean, *spread, Parameter(name, *noise, unit)],
        goodness=judge(y, fitted, residual),
        rivals=[Rival(name, 2 * count - 2 * value, count) for name, value in likelihood.items()],
        picture=Picture(
            "time [s]", "G [S]", series, at, residual, "log",
            (time[wild], g[wild]), device=table.devices(kept),
        ),
        outliers=sorted({int(n) for n in table.lines[wild]}),
        remarks=remarks + more,
    )  # fmt: skip


def _check_times(traces: Traces) -> None:
    """Refuse traces of fewer than three times, and what is a bake at one temperature."""
    path, after = traces.table.path, traces.time > 0
    counts = [len(np.unique(traces.time[rows[after[rows]]])) for rows in rows_of(traces.trace)]
    few = np.flatnonzero(np.array(counts) < 3)
    if not len(few):
        return
    if not len(traces.warm) or after.all():
        raise invalid(f"{path}, trace {few[0] + 1}", counts[few[0]], "at least 3 different times")
    y, n = np.log(traces.g), int(traces.trace.max()) + 1
    changed = ""
    size = [np.bincount(traces.trace[some], minlength=n) for some in (after, ~after)]
    if n > 1 and size[0].all() and size[1].all():
        mean = [np.bincount(traces.trace[some], y[some], n) for some in (after, ~after)]
        ratio = mean[0] / size[0] - mean[1] / size[1]
        changed = (
            f"; ln G of the {n} traces changed by {ratio.mean():.2g} +- {ratio.std(ddof=1):.2g}"
        )
    low, high = float(traces.warm.min()), float(traces.warm.max())
    told = f"{low:.4g} K" if high - low < SAME else f"{low:.4g} to {high:.4g} K"
    raise invalid(
        f"{path}, temperature after time 0",
        told,
        f"two or more temperatures, {APART:g} K apart, with bakes of several times, for an "
        f"activation energy; or reads at 3 times above 0 for a law at this temperature{changed}",
    )


def _lines(x: np.ndarray, y: np.ndarray, trace: np.ndarray) -> Lines:
    """Least squares."""
    n = np.bincount(trace)
    centre, level = np.bincount(trace, x) / n, np.bincount(trace, y) / n
    u, w = x - centre[trace], y - level[trace]
    spread = np.bincount(trace, u * u)
    slope = np.bincount(trace, u * w) / spread
    squares = float(np.sum((w - slope[trace] * u) ** 2))
    return Lines(level, slope, centre, spread, max(squares, 1e-300), len(x) - 2 * len(n))


def _lost(x: np.ndarray, g: np.ndarray, trace: np.ndarray, wild: np.ndarray) -> np.ndarray:
    """Traces (traces,) of which a share of reads is wild, or whose slope or scatter without these
    lies apart from that of the others, under the law that describes those which lie apart under
    none."""
    size = np.bincount(trace)
    many = np.bincount(trace, wild) > MOST_WILD * size
    if many.all():
        return np.zeros(len(size), dtype=bool)
    rows = ~wild & ~many[trace]
    out, left = many.copy(), np.flatnonzero(~many)
    out[left] = _apart(x[rows], g[rows], np.searchsorted(left, trace[rows]))
    return out


def _apart(x: np.ndarray, g: np.ndarray, trace: np.ndarray) -> np.ndarray:
    """Those of `_lost` by slope or scatter."""
    away = {}
    for family, y in (("power-law", np.log(g)), ("log-time", g)):
        lines = _lines(x, y, trace)
        squares = np.bincount(trace, (y - lines.at(x, trace)) ** 2) / np.bincount(trace)
        scatter = np.log(np.where(squares > 0, squares, np.nan))
        away[family] = apart(lines.slope) | apart(scatter, above=True)
    rest = ~np.any(list(away.values()), axis=0)[trace]
    if not rest.any() or rest.all():
        return away["power-law"] & away["log-time"]
    likely = _likelihoods(x[rest], g[rest], np.unique(trace[rest], return_inverse=True)[1])
    return away[max(likely, key=lambda family: likely[family])]


def _wild(x: np.ndarray, y: np.ndarray, trace: np.ndarray) -> np.ndarray:
    """Reads far off the median line of their trace (Theil 1950, Sen 1968).

    Each trace is its own scale, as errors may grow with the conductance.
    """
    residual = np.full(len(x), np.nan)
    for rows in rows_of(trace):
        some = rows if len(rows) <= 200 else rows[np.linspace(0, len(rows) - 1, 200).astype(int)]
        run = x[some][:, None] - x[some]
        steep = (y[some][:, None] - y[some])[run > 0] / run[run > 0]
        flat = y[rows] - np.median(steep) * x[rows]
        flat -= np.median(flat)
        scale = float(np.median(np.abs(flat)))
        if len(rows) >= 8 and scale > 0:
            residual[rows] = flat / scale
    return far_out(residual, times=2.5)


def _likelihoods(x: np.ndarray, g: np.ndarray, trace: np.ndarray) -> dict[str, float]:
    """Log-likelihood of the reads under each law."""
    y = np.log(g)
    return {
        "power-law": _density(_lines(x, y, trace), len(g)) - float(y.sum()),
        "log-time": _density(_lines(x, g, trace), len(g)),
    }


def _density(lines: Lines, n: int) -> float:
    """Log-likelihood of normal errors at its maximum."""
    return -0.5 * n * (math.log(2 * math.pi * lines.squares / n) + 1)


def _rates(
    lines: Lines, sign: float, name: str, unit: str
) -> tuple[Parameter, list[Parameter], list[str]]:
    """Mean rate, its spread between traces, and a remark if there is only one."""
    variance = lines.squares / lines.free / lines.spread
    slopes = sign * lines.slope
    if len(slopes) == 1:
        wide = float(stats.t.isf((1 - CONFIDENCE) / 2, lines.free))
        mean = on_line(name, float(slopes[0]), math.sqrt(variance[0]), unit, wide)
        return mean, [], ["one trace: how rates spread between cells is not known"]
    of = between(slopes, variance)
    mean = on_line(name, of.mean, of.error, unit, of.width)
    return mean, [Parameter(f"{name}_spread", of.tau, of.low, of.high, unit)], []
