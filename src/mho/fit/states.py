"""Reads of two states -> `TwoState`: the resistance of each state and how it spreads."""

from __future__ import annotations

import numpy as np
from scipy import stats

from mho.errors import invalid
from mho.fit.electrical import conductance
from mho.fit.outcome import Fit, Picture, Series, far_out, judge
from mho.fit.reading.table import Table
from mho.fit.resistance import State, of_both
from mho.physics import TwoState

ON_WORDS = frozenset({"1", "on", "lrs", "set", "low", "low resistance", "r_on", "ron", "1.0"})
OFF_WORDS = frozenset({"0", "off", "hrs", "reset", "high", "high resistance", "r_off", "roff",
                       "0.0"})  # fmt: skip


def fit_states(table: Table, v_read: float | None = None) -> Fit:
    """R_ON and R_OFF with their distributions.

    Args:
        table: state, and resistance or conductance or current; perhaps device, cycle.
        v_read: read voltage [V], where the file has currents.
    """
    g = conductance(table, v_read)
    on = states_of(table)
    told = np.isfinite(g)
    bad = np.flatnonzero(told & (g <= 0))
    if len(bad):
        raise invalid(f"{table.where(bad[0])}, conductance", float(g[bad[0]]), "above 0 S")
    table, g, on = table.kept(told), g[told], on[told]
    r = 1 / g
    device = table.labels("device")
    wild = np.zeros(len(r), dtype=bool)
    for state, name in ((True, "on"), (False, "off")):
        rows = np.flatnonzero(on == state)
        if len(rows) < 8:
            raise invalid(f"{table.path}, state {name}", len(rows), "at least 8 reads")
        wild[rows[_wild(np.log(r[rows]), device[rows])]] = True
    kept = ~wild
    per_cycle = "device" not in table and "cycle" in table
    best, rivals = of_both(table.path, r[kept], on[kept], device[kept], per_cycle)
    remarks = []
    if "device" not in table and not per_cycle:
        remarks.append("no column of devices or cycles: all spread is taken as between devices")
    score, residual, median = (np.full(len(r), np.nan) for _ in range(3))
    for state in (True, False):
        some = kept & (on == state)
        score[some], residual[some] = best[state].score, best[state].residual
        median[on == state] = np.median(r[some])
    goodness = judge(np.log(r[kept]), np.log(median[kept]), residual[kept])
    return Fit(
        kind="states",
        table="device",
        record=TwoState(r_on=best[True].resistance, r_off=best[False].resistance),
        parameters=[*best[True].parameters, *best[False].parameters],
        goodness=goodness,
        rivals=rivals,
        picture=_picture(r, on, kept, score, best),
        outliers=sorted({int(n) for n in table.lines[wild]}),
        remarks=remarks,
    )


def states_of(table: Table) -> np.ndarray:
    """Whether each row is a read of the state of low resistance."""
    words = np.array([" ".join(str(w).lower().split()) for w in table.words["state"]])
    for i, word in enumerate(words):
        if word not in ON_WORDS and word not in OFF_WORDS:
            where = f"{table.where(i)}, state"
            raise invalid(where, str(table.words["state"][i]), "LRS, on, 1 or HRS, off, 0")
    return np.isin(words, list(ON_WORDS))


def _wild(y: np.ndarray, device: np.ndarray) -> np.ndarray:
    """Reads far off the others: of their device, if it was read five times or more."""
    centred = y - np.median(y)
    for d in np.unique(device):
        if (device == d).sum() >= 5:
            centred[device == d] = y[device == d] - np.median(y[device == d])
    return far_out(centred)


def _picture(
    r: np.ndarray, on: np.ndarray, kept: np.ndarray, scores: np.ndarray, best: dict[bool, State]
) -> Picture:
    """Sorted resistances over normal scores, and what is left of the scores."""
    series, xs, rest = [], [], []
    for state, name in ((True, "R_ON"), (False, "R_OFF")):
        some = kept & (on == state)
        order = np.argsort(r[some])
        rank = stats.norm.ppf((np.arange(len(order)) + 0.5) / len(order))
        measured, score = r[some][order], scores[some][order]
        fitted = best[state].quantile(rank)
        series.append(Series(f"{name}, {best[state].distribution}", rank, measured, fitted))
        xs.append(rank)
        rest.append(score - rank)
    return Picture(
        "normal score", "R [ohm]", series, np.concatenate(xs), np.concatenate(rest),
        left_out=(np.zeros((~kept).sum()), r[~kept]),
    )  # fmt: skip
