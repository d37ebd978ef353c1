"""Endurance logs -> `TwoState` with its wear: spread of both states, failures, closing window."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from mho.errors import invalid
from mho.fit.devices import rows_of
from mho.fit.electrical import conductance
from mho.fit.lifetime import Lifetime, fit_lifetime
from mho.fit.outcome import (
    Fit,
    Goodness,
    Parameter,
    Picture,
    Series,
    far_out,
    given,
    judge,
    share,
)
from mho.fit.reading.table import Table
from mho.fit.resistance import State, of_both
from mho.fit.states import states_of
from mho.fit.wear import Wear, fit_wear
from mho.physics import TwoState

PULSES = 2
"""Pulses of a cycle: a SET and a RESET."""
FOR_GOOD = 5
"""Failed reads at the end of a device's log from which on it is taken to have failed for good."""
NAMES = {True: "SET", False: "RESET"}


@dataclass(frozen=True)
class Reads:
    """Reads of both states in the order of cycles."""

    y: np.ndarray
    """ln(resistance)."""
    on: np.ndarray
    cycle: np.ndarray
    device: np.ndarray
    line: np.ndarray

    def kept(self, rows: np.ndarray) -> Reads:
        """Some of them."""
        return Reads(*(each[rows] for each in vars(self).values()))


def cycles_of(table: Table) -> np.ndarray:
    """Number of the cycle of each row; nan where it is no number."""
    texts = table.words["cycle"].tolist() if "cycle" in table.words else []
    out = np.full(len(table), np.nan)
    for i, text in enumerate(texts):
        try:
            out[i] = float(text)
        except ValueError:
            continue
    return out


def fit_endurance(table: Table, v_read: float | None = None) -> Fit:
    """Both states with their spread, the SETs and RESETs that failed, cycles to failure, wear.

    Args:
        table: cycle, state, and resistance or conductance or current; perhaps device.
        v_read: read voltage [V], where the file has currents.
    """
    reads, unread = _reads(table, v_read)
    failed = _failed(reads)
    dead, life, ended = _for_good(reads, failed)
    remarks = _told_of_failures(reads, failed & ~dead, table)
    good = ~failed & ~dead
    for state, name in NAMES.items():
        if (n := int((good & (reads.on == state)).sum())) < 8:
            raise invalid(f"{table.path}, reads after {name}", n, "at least 8 that did not fail")
    wear = fit_wear(reads.cycle[good], -_centred(reads.kept(good)), reads.on[good])
    flat = reads.y + wear.moved(reads.cycle, reads.on)
    wild = np.zeros(len(flat), dtype=bool)
    for state in NAMES:
        rows = np.flatnonzero(good & (reads.on == state))
        centred = flat[rows].copy()
        for mine in rows_of(np.unique(reads.device[rows], return_inverse=True)[1]):
            centred[mine] -= np.median(centred[mine])
        wild[rows[far_out(centred)]] = True
    kept = good & ~wild
    many = len(np.unique(reads.device)) > 1
    best, rivals = of_both(
        table.path, np.exp(flat[kept]), reads.on[kept], reads.device[kept], not many
    )
    cell = TwoState(r_on=best[True].resistance, r_off=best[False].resistance)
    found = fit_lifetime(life, ended)
    laws, lives, more = _endurance(wear, found, life, ended)
    if unread:
        remarks.append(f"{unread} reads have no conductance above 0 and are left out")
    if found is not None:
        rivals += found.rivals
    parameters = [*best[True].parameters, *best[False].parameters,
                  *_rates(reads, failed & ~dead, dead), *lives, *wear.parameters]  # fmt: skip
    return Fit(
        kind="endurance",
        table="device",
        record=cell.replace(**laws),
        parameters=parameters,
        goodness=_goodness(reads, flat, kept, best),
        rivals=[*rivals, *wear.rivals],
        picture=_picture(table, reads, kept, flat, best, wear),
        outliers=sorted({int(n) for n in reads.line[wild]}),
        remarks=[*remarks, *more],
    )


def _reads(table: Table, v_read: float | None) -> tuple[Reads, int]:
    """What is there, in the order of cycles, and how many reads say nothing."""
    g, cycle, on = conductance(table, v_read), cycles_of(table), states_of(table)
    unknown = np.flatnonzero(~np.isfinite(cycle))
    if len(unknown):
        where = f"{table.where(unknown[0])}, cycle"
        raise invalid(where, str(table.words["cycle"][unknown[0]]), "the number of a cycle")
    told = np.isfinite(g) & (g > 0)
    unread = int((np.isfinite(g) & (g <= 0)).sum())
    reads = Reads(-np.log(np.where(told, g, 1.0)), on, cycle - min(0.0, cycle.min()),
                  table.labels("device"), table.lines)  # fmt: skip
    reads = reads.kept(told)
    return reads.kept(np.lexsort((reads.on, reads.cycle, reads.device))), unread


def _failed(reads: Reads) -> np.ndarray:
    """Reads on the other state's side of the boundary: the SET or RESET before them failed."""
    out = np.zeros(len(reads.y), dtype=bool)
    common = _boundary(reads)
    for rows in rows_of(np.unique(reads.device, return_inverse=True)[1]):
        mine = reads.kept(rows)
        both = min(int(mine.on.sum()), int((~mine.on).sum()))
        limit = _boundary(mine) if both >= 20 else common
        out[rows] = mine.on == (mine.y > limit)
    return out


def _boundary(reads: Reads) -> float:
    """ln(resistance) that leaves the fewest reads on the wrong side, in the widest gap of those.

    Where a device has failed for long, every boundary within its one cloud of reads is about as
    good; the gap to the reads of before is the widest.
    """
    order = np.argsort(reads.y, kind="stable")
    y, on = reads.y[order], reads.on[order]
    wrong = np.cumsum(~on)[:-1] + (on.sum() - np.cumsum(on)[:-1])
    if not len(wrong):
        return float(y[0])
    least = int(wrong.min())
    gap = np.where(wrong <= least + 2 * math.sqrt(least), np.diff(y), -1.0)
    k = int(np.argmax(gap))
    return float(y[k] + y[k + 1]) / 2


def _for_good(reads: Reads, failed: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Reads after a device failed for good; cycles each device lasted, and whether it failed."""
    dead = np.zeros(len(failed), dtype=bool)
    devices = rows_of(np.unique(reads.device, return_inverse=True)[1])
    life, ended = np.empty(len(devices)), np.zeros(len(devices), dtype=bool)
    for k, rows in enumerate(devices):
        life[k] = reads.cycle[rows].max()
        for state in NAMES:
            mine = rows[reads.on[rows] == state]
            if not len(mine):
                continue
            passed = np.flatnonzero(~failed[mine])
            run = mine[passed[-1] + 1 :] if len(passed) else mine
            if len(run) >= FOR_GOOD and len(passed):
                ended[k] = True
                life[k] = min(life[k], reads.cycle[run[0]])
        if ended[k]:
            dead[rows] = reads.cycle[rows] >= life[k]
    return dead, np.maximum(life, 1.0), ended


def _centred(reads: Reads) -> np.ndarray:
    """ln(resistance), the own level of each device and state replaced by the mean of all."""
    _, group = np.unique(2 * reads.device + reads.on, return_inverse=True)
    means = np.bincount(group, reads.y) / np.bincount(group)
    level = {s: float(reads.y[reads.on == s].mean()) for s in NAMES}
    return reads.y - means[group] + np.where(reads.on, level[True], level[False])


def _told_of_failures(reads: Reads, failed: np.ndarray, table: Table) -> list[str]:
    """Which SETs and RESETs failed for a while, by cycles."""
    remarks = []
    names = table.words.get("device")
    for state, name in NAMES.items():
        rows = np.flatnonzero(failed & (reads.on == state))
        if not len(rows):
            continue
        ranges = []
        mine = np.flatnonzero(reads.on == state)
        for group in rows_of(np.unique(reads.device[mine], return_inverse=True)[1]):
            seen = mine[group]
            if not failed[seen].any():
                continue
            bad = np.flatnonzero(failed[seen])
            runs = np.split(bad, np.flatnonzero(np.diff(bad) > 1) + 1)
            line = int(reads.line[seen[0]])
            of = "" if names is None else f"{names[np.flatnonzero(table.lines == line)[0]]}: "
            for run in sorted(runs, key=len, reverse=True):
                ends = [f"{reads.cycle[seen[i]]:g}" for i in (run[0], run[-1])]
                ranges.append((len(run), of + " to ".join(dict.fromkeys(ends))))
        ranges.sort(key=lambda each: -each[0])
        more = f" and {len(ranges) - 6} more stretches" if len(ranges) > 6 else ""
        total = int((reads.on == state).sum())
        remarks.append(
            f"{len(rows)} of {total} {name}s failed, in cycles "
            + ", ".join(text for _, text in ranges[:6])
            + more
            + ": they are counted as failures and are no part of the spread"
        )
    if remarks:
        remarks.append("the cells of a preset have no share of writes that fail for a while: "
                       "[device] does not hold it")  # fmt: skip
    return remarks


def _rates(reads: Reads, failed: np.ndarray, dead: np.ndarray) -> list[Parameter]:
    """Share of SETs and of RESETs that failed."""
    out = []
    for state, name in NAMES.items():
        some = ~dead & (reads.on == state)
        out.append(share(f"share of {name}s that fail", int(failed[some].sum()), int(some.sum())))
    return out


def _endurance(
    wear: Wear, found: Lifetime | None, life: np.ndarray, ended: np.ndarray
) -> tuple[dict[str, Any], list[Parameter], list[str]]:
    """Fields of the cell, their parameters and remarks."""
    remarks, parameters = [], []
    longest = float(life.max()) * PULSES
    laws: dict[str, Any] = {}
    counted = f"a cycle counts {PULSES} pulses, a SET and a RESET, each without verifying"
    if found is not None:
        laws = {"endurance": PULSES * found.median, "endurance_spread": min(3.0, found.spread)}
        for p in found.parameters:
            by = PULSES if p.name == "endurance" else 1
            assert p.low is not None
            assert p.high is not None
            parameters.append(Parameter(p.name, by * p.value, by * p.low, by * p.high))
        remarks.append(
            f"{int(ended.sum())} of {len(life)} devices failed for good, the others are counted as "
            f"not failed yet; {counted}; Weibull: scale {PULSES * found.weibull[0]:.3g} pulses, "
            f"shape {found.weibull[1]:.3g}"
        )
        if not found.settled:
            remarks.append("the likelihood of lives has no clear maximum: see the intervals")
    elif ended.any():
        value = PULSES * float(np.exp(np.log(life[ended]).mean()))
        laws = {"endurance": value}
        parameters.append(Parameter("endurance", value, -math.inf, math.inf))
        remarks.append(
            f"{int(ended.sum())} of {len(life)} devices failed for good: endurance is when, its "
            f"spread is not known; {counted}"
        )
    elif wear.closes:
        laws = {"endurance": longest}
        parameters.append(given("endurance", longest))
        remarks.append(
            f"no device failed for good within {life.max():g} cycles: these are written as the "
            f"endurance, as the closing window needs one; {counted}"
        )
    else:
        remarks.append(
            f"no device failed for good within {life.max():g} cycles and the window does not "
            "close: no endurance is written"
        )
    if wear.closes:
        by = float(laws["endurance"]) / (PULSES * wear.last)
        lost = np.array([wear.off, wear.on]) * by**wear.power
        if lost.sum() > 1:
            by *= float(lost.sum()) ** (-1 / wear.power)
            lost /= lost.sum() * (1 + 1e-9)
            laws["endurance"] = by * PULSES * wear.last
            remarks.append("the window would be closed before cells fail: endurance is when")
        laws["closing"] = tuple(float(x) for x in np.maximum(lost, 0.0))
        laws["closing_power"] = min(10.0, max(0.01, wear.power))
        parameters += [given("closing, lower end", float(lost[0])),
                       given("closing, upper end", float(lost[1]))]  # fmt: skip
    if wear.opens:
        remarks.append("the window opens over the cycles; the cells have no such law, and it is "
                       "taken as spread of cycles")  # fmt: skip
    return laws, parameters, remarks


def _goodness(
    reads: Reads, flat: np.ndarray, kept: np.ndarray, best: dict[bool, State]
) -> Goodness:
    """Of ln(R) against the middle of each state with its wear."""
    residual = np.full(len(flat), np.nan)
    for state in NAMES:
        residual[kept & (reads.on == state)] = best[state].residual
    fitted = _middle(reads.on, best) + (reads.y - flat)
    return judge(reads.y[kept], fitted[kept], residual[kept])


def _middle(on: np.ndarray, best: dict[bool, State]) -> np.ndarray:
    """ln of the median resistance of each read's state."""
    zero = np.zeros(1)
    middle = {s: math.log(max(float(best[s].quantile(zero)[0]), 1e-300)) for s in NAMES}
    return np.where(on, middle[True], middle[False])


def _picture(
    table: Table,
    reads: Reads,
    kept: np.ndarray,
    flat: np.ndarray,
    best: dict[bool, State],
    wear: Wear,
) -> Picture:
    """Resistances over cycles, the middle of each state with its wear, and what failed."""
    fitted = np.exp(_middle(reads.on, best) + (reads.y - flat))
    residual = np.full(len(flat), np.nan)
    series = []
    for state, name in ((True, "R_ON"), (False, "R_OFF")):
        rows = np.flatnonzero(kept & (reads.on == state))
        residual[rows] = best[state].score
        rows = rows[np.argsort(reads.cycle[rows], kind="stable")]
        title = f"{name}, {best[state].distribution}, {wear.law}"
        series.append(Series(title, reads.cycle[rows], np.exp(reads.y[rows]), fitted[rows]))
    _, first = np.unique(table.labels("device"), return_index=True)
    wide = reads.cycle[kept].min() > 0 and np.ptp(np.log10(reads.cycle[kept])) > 3.5
    return Picture(
        "cycle", "R [ohm]", series, reads.cycle[kept], residual[kept],
        "log" if wide else "linear", (reads.cycle[~kept], np.exp(reads.y[~kept])),
        device=table.devices(first[reads.device[kept]]),
    )  # fmt: skip
