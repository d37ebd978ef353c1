"""Program-and-read tables -> `MultiLevel`: how far reads lie from their targets, by target."""

from __future__ import annotations

import math

import numpy as np

from mho.errors import invalid
from mho.fit.devices import listed, medians, names_of, rows_of
from mho.fit.electrical import conductance, resolution
from mho.fit.level_spread import most_likely, polynomial, sigma_of, told_offsets
from mho.fit.maximum import Maximum
from mho.fit.outcome import (
    Fit,
    Parameter,
    Picture,
    Rival,
    Series,
    far_out,
    given,
    judge,
)
from mho.fit.random_effects import between
from mho.fit.reading.table import Table
from mho.fit.repeats import writes_of
from mho.fit.stuck import Stuck, stuck
from mho.physics import MultiLevel

DEGREES = {0: "constant sigma", 1: "sigma linear in G", 2: "quadratic", 3: "cubic"}


def fit_levels(table: Table, v_read: float | None = None, levels: int | None = None) -> Fit:
    """Window, levels, sigma(G) and the offsets of devices.

    Args:
        table: target and read-back; perhaps device, and repeat: reads of one write.
        v_read: read voltage [V], where the file has currents.
        levels: levels of the cell; None: the number of distinct targets, if evenly spaced.
    """
    read, target = conductance(table, v_read), _targets(table)
    told = np.isfinite(read) & np.isfinite(target)
    if told.sum() < 10:
        raise invalid(f"{table.path}, target and read", int(told.sum()), "at least 10 pairs")
    table, read, target = table.kept(told), read[told], target[told]
    now = _first_reads(table, target)
    table, read, target = table.kept(now), read[now], target[now]
    writes = writes_of(table, read, target, resolution(table, read, v_read))
    table, read, target = writes.table, writes.read, writes.target
    low, high = float(target.min()), float(target.max())
    if low == high:
        raise invalid(f"{table.path}, target", low, "at least two targets")
    states, remarks = _states(target, levels)
    if not now.all():
        remarks.append(
            f"{int((~now).sum())} reads at later times are left out; --kind retention --add fits "
            "how cells relax"
        )
    width = high - low
    x, off = (target - low) / width, (read - target) / width
    device = table.labels("device")
    lost = stuck(x, (read - low) / width, device)
    remarks += _of_stuck(table, read, lost, device)
    least = resolution(table, read, v_read) / width
    wild = lost.rows.copy()
    _, follows = np.unique(device[~wild], return_inverse=True)
    wild[~wild] = _wild(x[~wild], off[~wild], follows, least)
    _check_follow(table, x[~wild], off[~wild])
    remarks += _of_failed(wild & ~lost.rows, target, read)
    x, off, lines = x[~wild], off[~wild], table.lines[~wild]
    noise = writes.variance[~wild] / width**2
    _, device = np.unique(device[~wild], return_inverse=True)
    floor = np.where(read[~wild] <= 0, -target[~wild] / width, -np.inf)
    centre = told_offsets(off, device)
    fits = {
        d: most_likely(d, x, off, noise, floor, device) for d in DEGREES if d < len(np.unique(x))
    }
    degree = _simplest(fits)
    best = fits[degree]
    sigma, sigmas = sigma_of(best, degree, low, width)
    parameters = [given("g_min", low, "S"), given("g_max", high, "S"), given("levels", states)]
    parameters += sigmas
    spread = np.maximum(polynomial(best.shared[None, : degree + 1], x)[0], 1e-12)
    spread = np.sqrt(spread**2 + noise)
    shift = np.zeros(len(x))
    if centre:
        parameters.append(_device_spread(x, off, device, spread))
        shift = best.own[device, 0]
    shares = lost.shares()
    residual = (off - shift) / spread
    _bias(off, spread, device, width, remarks)
    if not best.settled:
        remarks.append("the likelihood has no clear maximum: intervals are not to be trusted")
    record = MultiLevel(
        g_min=max(0.0, low),
        g_max=high,
        levels=states,
        sigma=sigma,
        device_spread=min(1.0, parameters[-1].value) if centre else 0.0,
    ).replace(**{each.name: each.value for each in shares})
    if writes.noise is not None:
        record = record.replace(read_noise=min(1.0, writes.noise.value / width))
        shares = [*shares, writes.noise]
        remarks.append("repeated reads of a write count once, as their mean; their scatter is "
                       "written as read_noise, a share of the window")  # fmt: skip
    at = low + width * x
    order = np.argsort(at, kind="stable")
    measured = read[~wild]
    picture = Picture(
        "target [S]",
        "read back [S]",
        [Series("read back", at[order], measured[order], at[order])],
        at,
        residual,
        left_out=(target[wild], read[wild]),
        device=table.devices(~wild),
    )
    return Fit(
        kind="levels",
        table="device",
        record=record,
        parameters=[*parameters, *shares],
        goodness=judge(measured, at + width * shift, residual[np.argsort(lines, kind="stable")]),
        rivals=[Rival(DEGREES[d], f.aic(), len(f.covariance)) for d, f in fits.items()],
        picture=picture,
        outliers=sorted({*writes.lines, *(int(n) for n in table.lines[wild])}),
        remarks=remarks,
    )


def _simplest(fits: dict[int, Maximum]) -> int:
    """1, or the lowest degree beyond it whose criterion is less by 6 than that of 1.

    Taking the least would bend a straight line, or flatten it, in one file of three, and intervals
    know nothing of such a choice; a straight line holds a constant sigma within its interval.
    """
    aic = {d: f.aic() + 1e6 * (not f.settled) for d, f in fits.items() if d > 0} or {0: 0.0}
    return next(d for d in aic if aic[d] <= min(aic.values()) + 6)


def _targets(table: Table) -> np.ndarray:
    """Targets [S]."""
    target = table.numbers["target"]
    bad = np.flatnonzero(target < 0)
    if len(bad):
        raise invalid(f"{table.where(bad[0])}, target", float(target[bad[0]]), "0 S or more")
    return target


def _first_reads(table: Table, target: np.ndarray) -> np.ndarray:
    """Reads (n,) at the first time of each write, where cells were read at the same few times."""
    time = table.numbers.get("time")
    if time is None or not np.isfinite(time).all():
        return np.ones(len(table), dtype=bool)
    level = np.unique(target, return_inverse=True)[1]
    write = table.labels("device", "cycle") * (int(level.max()) + 1) + level
    _, write = np.unique(write, return_inverse=True)
    writes, times = int(write.max()) + 1, len(np.unique(time))
    if not 2 <= times <= len(time) / 2 or len(time) < 1.5 * writes:
        return np.ones(len(table), dtype=bool)
    first = np.full(writes, np.inf)
    np.minimum.at(first, write, time)
    return time == first[write]


def _states(target: np.ndarray, levels: int | None) -> tuple[int, list[str]]:
    """Number of levels, and a remark where the targets do not say it."""
    found = np.unique(target)
    if levels is not None:
        return levels, []
    gaps = np.diff(found)
    if gaps.max() <= 1.2 * gaps.min() and len(found) <= 4096:
        return len(found), []
    return 9, [f"{len(found)} targets, not evenly spaced: 9 levels are written; --levels sets them"]


def _of_stuck(table: Table, read: np.ndarray, lost: Stuck, device: np.ndarray) -> list[str]:
    """What is said of cells that do not follow, or lie apart."""
    remarks = []
    names, rows = names_of(table, device), rows_of(device)
    whatever = "whatever {its} target"
    for cells, how, counted in (
        (lost.off, whatever, "counted in stuck_off"),
        (lost.on, whatever, "counted in stuck_on"),
        (lost.other, "in no step with {its} targets", "no part of the record"),
        (lost.far, "much farther off {its} targets than the others", "no part of the record"),
    ):
        if not cells:
            continue
        g = read[np.concatenate([rows[d] for d in cells])]
        verb, its = ("reads", "its") if len(cells) == 1 else ("read", "their")
        does = f"{verb} {g.min():.3g} to {g.max():.3g} S {how.format(its=its)}"
        remarks.append(f"{listed(names, cells)} {does}: set aside as a whole, {counted}")
    return remarks


def _of_failed(wild: np.ndarray, target: np.ndarray, read: np.ndarray) -> list[str]:
    """What is said of single reads far off: perhaps failed writes, which a chip would have too."""
    if not wild.any():
        return []
    worst = int(np.argmax(np.where(wild, np.abs(read - target), -1.0)))
    return [
        f"{int(wild.sum())} of {len(wild)} reads lie far from their targets (farthest: "
        f"{read[worst]:.3g} S for {target[worst]:.3g} S); if these are failed writes, they are no "
        "part of sigma, and the family has no failure rate"
    ]


def _check_follow(table: Table, x: np.ndarray, off: np.ndarray) -> None:
    """Refuse reads that say nothing of how cells land on their targets."""
    what = f"{table.path}, target and read"
    if len(x) < 10 or len(np.unique(x)) < 2:
        allowed = "at least 10 pairs, of two targets, after those far off are set aside"
        raise invalid(what, len(x), allowed)
    if not off.any():
        raise invalid(what, "equal in every row", "reads of cells, which differ from their targets")
    slope = 1 + float(np.polyfit(x, off, 1)[0])
    if not 0.5 < slope < 2:
        allowed = (
            "reads that follow their targets; are both in the unit that the heading says, and is "
            "the read-back that of the same cell?"
        )
        raise invalid(
            f"{what}, rise of the reads over that of the targets", f"{slope:.3g}", allowed
        )


def _wild(x: np.ndarray, off: np.ndarray, device: np.ndarray, least: float) -> np.ndarray:
    """Reads far off, against the others near the same target; `least`: last digit of a read."""
    count = np.bincount(device)
    shift = medians(off, device)
    around = np.abs(off - shift[device])
    error = 1.4826 * np.median(around[around > 0]) if around.any() else 0.0
    told = (count >= 5) & (np.abs(shift) > 3 * 1.25 * error / np.sqrt(count))  # error of a median
    centred = off - np.where(told, shift, 0.0)[device]
    scaled = np.empty(len(x))
    edges = np.linspace(0, 1, 1 + max(1, min(8, len(np.unique(x)), len(x) // 20)))
    part = np.clip(np.digitize(x, edges) - 1, 0, len(edges) - 2)
    for p in np.unique(part):
        some = centred[part == p]
        size = np.abs(some[some != 0])  # a median is 0 from itself
        scale = 1.4826 * np.median(size) if len(size) else 0.0
        scaled[part == p] = some / max(scale, least, 1e-12)
    return far_out(scaled)


def _device_spread(
    x: np.ndarray, off: np.ndarray, device: np.ndarray, spread: np.ndarray
) -> Parameter:
    """Standard deviation of the offsets, as a share of the window; their mean is 0."""
    weight = spread**-2.0
    total = np.bincount(device, weight)
    of = between(np.bincount(device, weight * off) / total, 1 / total)
    return Parameter("device_spread", of.tau, of.low, of.high)


def _bias(
    off: np.ndarray, spread: np.ndarray, device: np.ndarray, width: float, remarks: list[str]
) -> None:
    """A remark if reads lie off their targets on the whole: no part of the family."""
    weight = spread**-2.0
    total = np.bincount(device, weight)
    means = np.bincount(device, weight * off) / total
    if len(means) > 1:
        of = between(means, 1 / total)
        mean, limit = of.mean, of.width * of.error
    else:
        mean, limit = float(means[0]), 2.6 / math.sqrt(float(total[0]))
    if abs(mean) > limit:
        where = "above" if mean > 0 else "below"
        remarks.append(
            f"reads lie {abs(mean) * width:.3g} S {where} their targets on average; "
            "the family has no such shift, and it is left out"
        )
