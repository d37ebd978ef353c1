"""Pulse trains -> `PulseResponse`, by the likelihood of each read given the one before.

The window is where pulses stop moving the cell, if the data show such ends (reads that heap up
there); else the mean of the ends of the trains, and the other numbers are relative to that. A
device that saturates smoothly has the same response seen from any window.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from mho.errors import invalid
from mho.fit.components import between
from mho.fit.electrical import conductance, resolution
from mho.fit.maximum import Maximum, maximise
from mho.fit.outcome import (
    Fit,
    Goodness,
    Parameter,
    Picture,
    Rival,
    Series,
    Z,
    far_out,
    given,
    judge,
    on_line,
    on_log,
)
from mho.fit.table import Table
from mho.fit.trains import Trains, trains
from mho.fit.walk import Walk, exact_reads, noisy_reads
from mho.physics import PulseResponse

ENDS = ("low", "high")
CURVES = ("set_curve", "reset_curve")
DEFAULT_LEVELS = 9


@dataclass(frozen=True)
class Model:
    """Which parts of the walk are estimated."""

    name: str
    noisy: bool
    """Whether reads err."""
    bounded: bool
    """Whether the window stops the cell."""
    curved: bool = True
    window: tuple[float, float] | None = (0.0, 1.0)
    """The window, in units of that of reference; None: estimated too."""

    @property
    def names(self) -> list[str]:
        """Parameters that devices share."""
        ends = ENDS if self.window is None else ()
        read = ("log_read",) if self.noisy else ()
        return [*ends, *(CURVES if self.curved else ()), "log_ratio", "log_noise", *read]

    def walk(self, x: np.ndarray) -> Walk:
        """The walk of parameters (batch, devices, q)."""
        fixed = dict(zip(ENDS, self.window or (0.0, 1.0), strict=True))
        fixed |= {"set_curve": 0.0, "reset_curve": 0.0, "log_read": math.log(1e-5)}
        values = {k: np.full(x.shape[:-1], v) for k, v in fixed.items()}
        values |= {name: x[..., i] for i, name in enumerate(self.names)}
        return Walk(**values, log_pulses=x[..., -1])


def fit_pulses(table: Table, v_read: float | None = None, levels: int | None = None) -> Fit:
    """Window, pulses, non-linearity, ratio and spreads of pulsed cells.

    Args:
        table: pulse number, polarity or pulse voltage, conductance; perhaps device, cycle.
        v_read: read voltage [V], where the file has currents.
        levels: levels of the cell; None: 9, or a pulse a level.
    """
    g = conductance(table, v_read)
    chains = trains(table, g)
    _check(table, chains)
    wild = _screen(chains)
    chains = chains.without(wild)
    digit = resolution(table, g, v_read)
    heaped = _heaped(chains.g)
    low, width = _reference(chains, heaped)
    models = _models(heaped)
    fits = [(m, _maximum(m, chains, low, width)) for m in models]
    model, best = min(fits, key=lambda each: each[1].aic() + 1e6 * (not each[1].settled))
    late = _late(model, best, chains, low, width)
    if late.any():
        wild, chains = wild | late, chains.without(late)
        fits = [(m, _maximum(m, chains, low, width, best, model)) for m in models]
        model, best = min(fits, key=lambda each: each[1].aic() + 1e6 * (not each[1].settled))
    even = replace(model, name=f"{model.name}, even steps", curved=False)
    fits.append((even, _maximum(even, chains, low, width)))
    parameters, remarks = _parameters(model, best, chains, low, width, digit)
    goodness, picture = _picture(model, best, chains, low, width, wild, table, g)
    if not best.settled:
        remarks.append("the likelihood has no clear maximum: intervals are not to be trusted")
    record, more = _record(parameters, levels)
    return Fit(
        kind="pulses",
        table="device",
        record=record,
        parameters=parameters,
        goodness=goodness,
        rivals=[Rival(m.name, f.aic(), len(f.covariance)) for m, f in fits],
        picture=picture,
        outliers=sorted({int(n) for n in table.lines[chains.row[wild]]}),
        remarks=remarks + more,
    )


def _check(table: Table, chains: Trains) -> None:
    """Refuse what cannot be fitted."""
    if (chains.g < 0).any():
        c, k = np.argwhere(chains.g < 0)[0]
        where = table.where(int(chains.row[c, k]))
        raise invalid(f"{where}, conductance", float(chains.g[c, k]), "0 S or more")
    before, after, pulses, up, device, _, _ = chains.transitions()
    for sign, name in ((True, "SET"), (False, "RESET")):
        found = int((up == sign).sum())
        if found < 5:
            allowed = f"at least 5 reads after {name} pulses; there are {found}"
            raise invalid(f"{table.path}, polarity", f"{name} missing" * (not found), allowed)
    step = (after - before) / pulses
    if not np.median(step[~up]) <= 0 <= np.median(step[up]):
        found = f"a SET pulse moves by {np.median(step[up]):.3g} S"
        allowed = "SET that raises the conductance, RESET that lowers it; is the sign swapped?"
        raise invalid(f"{table.path}, polarity", found, allowed)
    counts = np.bincount(device[up], minlength=chains.devices)
    if counts.min() < 3:
        name = f"device {np.argmin(counts) + 1}"
        raise invalid(f"{table.path}, {name}", int(counts.min()), "at least 3 reads after SET")


def _screen(chains: Trains) -> np.ndarray:
    """Reads far off the middle of their neighbours, which no pulse explains."""
    g = chains.g
    off = np.full(g.shape, np.nan)
    off[:, 1:-1] = g[:, 1:-1] - 0.5 * (g[:, :-2] + g[:, 2:])
    turn = np.zeros(g.shape, dtype=bool)
    turn[:, 1:-1] = (chains.up[:, 2:] != chains.up[:, 1:-1]) | (
        chains.up[:, 1:-1] != chains.up[:, :-2]
    )
    turn[:, 1:-1] |= chains.pulses[:, 2:] != chains.pulses[:, 1:-1]
    off[turn] = np.nan
    size = np.abs(np.nan_to_num(off))
    peak = np.ones(g.shape, dtype=bool)
    peak[:, 1:] &= size[:, 1:] >= size[:, :-1]
    peak[:, :-1] &= size[:, :-1] >= size[:, 1:]
    return far_out(off.ravel(), times=2.0).reshape(g.shape) & peak


def _heaped(g: np.ndarray) -> bool:
    """Whether the least or largest read comes again and again: an end, and reads without error."""
    seen = g[np.isfinite(g)]
    values, counts = np.unique(seen, return_counts=True)
    usual = float(np.median(counts))
    return bool(max(counts[0], counts[-1]) >= max(4.0, 4 * usual) and len(values) > 8)


def _reference(chains: Trains, heaped: bool) -> tuple[float, float]:
    """Low end and width of the window that conductances are scaled by [S]."""
    if heaped:
        low, high = float(np.nanmin(chains.g)), float(np.nanmax(chains.g))
    else:
        low, high = (float(end.mean()) for end in chains.ends())
    if high <= low:
        found = f"{low:.4g} S after RESET, {high:.4g} S after SET"
        allowed = "trains in which SET raises the conductance; is the sign swapped?"
        raise invalid("polarity", found, allowed)
    return low, high - low


def _models(heaped: bool) -> list[Model]:
    if heaped:
        return [Model("exact reads, ends met", noisy=False, bounded=True)]
    return [
        Model("exact reads, no ends met", noisy=False, bounded=False),
        Model("noisy reads, no ends met", noisy=True, bounded=False),
        Model("noisy reads, ends met", noisy=True, bounded=True, window=None),
    ]


def _maximum(
    model: Model,
    chains: Trains,
    low: float,
    width: float,
    near: Maximum | None = None,
    of: Model | None = None,
) -> Maximum:
    """The likelihood of a model, maximised."""
    shared, own = _start(model, chains, low, width)
    if near is not None and of == model:
        shared, own = near.shared, near.own
    member = np.eye(chains.devices)[chains.device]
    g = (chains.g - low) / width
    if model.noisy:

        def likelihood(x: np.ndarray) -> np.ndarray:
            walk = model.walk(x).of(chains.device)
            return noisy_reads(walk, g, chains.pulses, chains.up, model.bounded)[0] @ member

        if model.window is None:
            shared = _scan(likelihood, shared, own, g)
        return maximise(likelihood, shared, own)
    before, after, pulses, up, device, _, _ = chains.transitions()
    before, after = (before - low) / width, (after - low) / width
    sums = np.eye(chains.devices)[device]

    def exact(x: np.ndarray) -> np.ndarray:
        walk = model.walk(x).of(device)
        return exact_reads(walk, before, after, pulses, up, model.bounded)[0] @ sums

    return maximise(exact, shared, own)


def _start(model: Model, chains: Trains, low: float, width: float) -> tuple[np.ndarray, np.ndarray]:
    """First guesses, from mean steps."""
    before, after, pulses, up, device, _, _ = chains.transitions()
    step = (after - before) / width / pulses
    u = (before - low) / width
    steps, curves = {}, {}
    for sign in (True, False):
        some, at = step[up == sign], u[up == sign]
        slope, offset = np.polyfit(at, some, 1) if np.ptp(at) > 0 else (0.0, some.mean())
        ends = np.maximum(np.abs([offset, offset + slope]), 1e-6)
        first, last = ends if sign else ends[::-1]
        curves[sign] = float(np.clip(np.log(first / last), 0.1, 4.0))
        steps[sign] = max(abs(float(some.mean())), 1e-6)
    error = 1.4826 * float(np.median(np.abs(step - np.where(up, steps[True], -steps[False]))))
    guess = {
        "low": 0.0,
        "high": 1.0,
        "set_curve": curves[True],
        "reset_curve": curves[False],
        "log_ratio": math.log(steps[False] / steps[True]),
        "log_noise": math.log(max(error, 1e-5)),
        "log_read": math.log(max(error / 2, 1e-5)),
    }
    own = [
        -math.log(max(float(step[up & (device == d)].mean()), 0.2 * steps[True]))
        for d in range(chains.devices)
    ]
    return np.array([guess[name] for name in model.names]), np.array(own)[:, None]


def _scan(likelihood, shared: np.ndarray, own: np.ndarray, g: np.ndarray) -> np.ndarray:
    """Ends of the window from a look along each; the likelihood is rough far from them."""
    shared = shared.copy()
    quantiles = [np.nanquantile(g, q) for q in (0.0, 0.01, 0.03, 0.06, 0.1, 0.15)]
    tops = [np.nanquantile(g, 1 - q) for q in (0.0, 0.01, 0.03, 0.06, 0.1, 0.15)]
    shared[0], shared[1] = quantiles[1], tops[1]
    for i, grid in ((1, tops), (0, quantiles), (1, tops)):
        rows = np.repeat(np.concatenate([np.tile(shared, (len(own), 1)), own], 1)[None], 6, 0)
        rows[:, :, i] = np.array(grid)[:, None]
        shared[i] = grid[int(np.argmax(likelihood(rows).sum(1)))]
    return shared


def _predicted(
    model: Model, best: Maximum, chains: Trains, low: float, width: float
) -> tuple[np.ndarray, np.ndarray]:
    """Prediction of each read [S] and its deviation [S], both (chains, reads)."""
    x = np.concatenate([np.tile(best.shared, (len(best.own), 1)), best.own], 1)[None]
    g = (chains.g - low) / width
    if model.noisy:
        walk = model.walk(x).of(chains.device)
        _, mean, sd = noisy_reads(walk, g, chains.pulses, chains.up, model.bounded)
        return low + width * mean[0], width * sd[0]
    before, after, pulses, up, device, c, k = chains.transitions()
    walk = model.walk(x).of(device)
    pair = ((before - low) / width, (after - low) / width)
    _, mean, sd = exact_reads(walk, *pair, pulses, up, model.bounded)
    means, sds = np.full(g.shape, np.nan), np.full(g.shape, np.nan)
    means[c, k] = mean[0].clip(walk.low[0], walk.high[0]) if model.bounded else mean[0]
    sds[c, k] = sd[0]
    return low + width * means, width * sds


def _late(model: Model, best: Maximum, chains: Trains, low: float, width: float) -> np.ndarray:
    """Reads that the model does not believe, the first of those in a row."""
    mean, sd = _predicted(model, best, chains, low, width)
    out = far_out(((chains.g - mean) / sd).ravel(), least=1.0).reshape(mean.shape)
    out[:, 1:] &= ~out[:, :-1]
    return out


def _parameters(
    model: Model, best: Maximum, chains: Trains, low: float, width: float, digit: float
) -> tuple[list[Parameter], list[str]]:
    """Parameters of the record, with intervals."""
    names, cov, n = model.names, best.covariance, len(best.shared)
    at = {name: i for i, name in enumerate(names)}
    value = {name: float(best.shared[i]) for name, i in at.items()}
    remarks = []
    if model.window is None:
        ends = [low + width * value[e] for e in ENDS]
        window = [
            on_line(f"g_{e}", g, width * best.error(at[w]), "S")
            for e, w, g in zip(("min", "max"), ENDS, ends, strict=True)
        ]
        span = value["high"] - value["low"]
    else:
        window, span = _window(model, chains, low, width, digit), 1.0
        if not model.bounded:
            remarks.append("window: the mean ends of the trains; the rest is relative to it")
    into = np.zeros(len(cov))  # d ln(cycle_spread) / d parameters
    into[at["log_noise"]] = 1.0
    if model.window is None:
        into[at["low"]], into[at["high"]] = 1 / span, -1 / span
    pulses, spread, steps = _devices(best, n)
    log_n, drawn, z = steps
    into[n:] = 1 / len(best.own)
    noise_error = math.sqrt(max(0.0, into @ cov @ into) + drawn)
    log_cycle = value["log_noise"] + log_n - math.log(span)
    out = [*window, pulses]
    for name, label in zip(CURVES, ("SET", "RESET"), strict=True):
        if name in at:
            each = on_line(f"nonlinearity {label}", value[name], best.error(at[name]))
            if each.value < 0 and (each.high or 0.0) < 0:
                remarks.append(f"{label} steps grow on the way; the family has none such: 0")
            out.append(replace(each, value=max(0.0, each.value), low=max(0.0, each.low or 0.0)))
    out.append(on_log("reset_ratio", value["log_ratio"], best.error(at["log_ratio"])))
    out.append(on_log("cycle_spread", log_cycle, noise_error, width=z))
    out += spread
    if model.noisy:
        into = np.zeros(len(cov))
        into[at["log_read"]] = 1.0
        if model.window is None:
            into[at["low"]], into[at["high"]] = 1 / span, -1 / span
        error = math.sqrt(max(0.0, into @ cov @ into))
        out.append(on_log("read_noise", value["log_read"] - math.log(span), error))
    return out, remarks


def _window(
    model: Model, chains: Trains, low: float, width: float, digit: float
) -> list[Parameter]:
    """Ends that were not part of the likelihood."""
    if model.bounded:
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


def _devices(
    best: Maximum, shared: int
) -> tuple[Parameter, list[Parameter], tuple[float, float, float]]:
    """Pulses, the spread between devices, and ln(pulses) with its variance beyond that of the
    likelihood, which is that of the devices drawn, and the width of its interval.

    Errors of devices have a part in common, by the non-linearity; it blurs their mean alone.
    """
    logs, covariance = best.own[:, 0], best.covariance[shared:, shared:]
    n = len(logs)
    if n == 1:
        error = math.sqrt(covariance[0, 0])
        return on_log("pulses", logs[0], error), [], (float(logs[0]), 0.0, Z)
    common = (covariance.sum() - np.trace(covariance)) / (n * (n - 1))
    of = between(logs, np.maximum(np.diag(covariance) - common, 1e-12))
    # step factors are lognormal of mean 1: the mean of ln(pulses) is raised by tau^2 / 2
    log = float(logs.mean()) - of.tau**2 / 2
    drawn = of.tau**2 / n + of.tau**4 / (2 * (n - 1))
    error = math.sqrt(covariance.mean() + drawn)
    cov = [math.sqrt(math.expm1(min(t, 20.0) ** 2)) for t in (of.tau, of.low, of.high)]
    spread = Parameter("device_spread", cov[0], cov[1], cov[2])
    return on_log("pulses", log, error, width=of.width), [spread], (log, drawn, of.width)


def _record(parameters: list[Parameter], levels: int | None) -> tuple[PulseResponse, list[str]]:
    """The record, and what it could not take as it was found."""
    value = {p.name: p.value for p in parameters}
    remarks = []
    pulses = max(1, round(value["pulses"]))
    least = min(DEFAULT_LEVELS, pulses + 1)
    spread = value.get("device_spread", 0.0)
    if spread > 1:
        remarks.append(f"device_spread {spread:.3g}: written as 1, the most that the family takes")
    curves = [min(10.0, value.get(f"nonlinearity {s}", 0.0)) for s in ("SET", "RESET")]
    record = PulseResponse(
        g_min=max(0.0, value["g_min"]),
        g_max=value["g_max"],
        levels=levels or max(2, least),
        pulses=pulses,
        nonlinearity=(curves[0], curves[1]),
        reset_ratio=value["reset_ratio"],
        cycle_spread=value["cycle_spread"],
        device_spread=min(1.0, spread),
        read_noise=min(1.0, value.get("read_noise", 0.0)),
    )
    return record, remarks


def _picture(
    model: Model,
    best: Maximum,
    chains: Trains,
    low: float,
    width: float,
    wild: np.ndarray,
    table: Table,
    g: np.ndarray,
) -> tuple[Goodness, Picture]:
    """Reads over what was predicted from the read before, and the standardized difference."""
    mean, sd = _predicted(model, best, chains, low, width)
    seen = np.isfinite(chains.g) & np.isfinite(mean)
    residual = (chains.g - mean) / sd
    ends = np.ones(seen.shape, dtype=bool)
    if model.bounded and not model.noisy:  # a read at an end tells only that it was reached
        ends = (chains.g > low) & (chains.g < low + width)
    told = seen & ends
    goodness = judge(chains.g[told], mean[told], residual[told])
    position = np.cumsum(chains.pulses, axis=1)
    shown = range(min(len(chains.g), 4))
    series = [
        Series(f"train {c + 1}", position[c][seen[c]], chains.g[c][seen[c]], mean[c][seen[c]])
        for c in shown
    ]
    rows = chains.row[wild]
    picture = Picture(
        "pulses",
        "G [S]",
        series,
        position[told],
        residual[told],
        left_out=(position[wild], g[rows]),
    )
    return goodness, picture
