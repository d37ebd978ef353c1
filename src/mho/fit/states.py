"""Reads of two states -> `TwoState`: the resistance of each state and how it spreads."""

from __future__ import annotations

import numpy as np
from scipy import stats

from mho.errors import invalid
from mho.fit.devices import LEAST, apart, listed, medians, names_of, rows_of
from mho.fit.electrical import conductance
from mho.fit.outcome import Fit, Parameter, Picture, Series, far_out, judge, share
from mho.fit.reading.table import Table
from mho.fit.resistance import State, of_both
from mho.physics import TwoState

ON_WORDS = frozenset({"1", "on", "lrs", "set", "low", "low resistance", "r_on", "ron", "1.0"})
OFF_WORDS = frozenset({"0", "off", "hrs", "reset", "high", "high resistance", "r_off", "roff",
                       "0.0"})  # fmt: skip

FEW = 4
"""Devices from which on one that does not switch is told from the others."""
CLOSE = 0.25
"""Its ln(R_OFF / R_ON) is below this share of the middle one, and far off all of them."""
STILL = 0.1
"""The same where devices are too few to say what is far off."""


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
    lost, shares, remarks = _lost(table, np.log(r), on, device)
    wild = lost[device]
    for state, name in ((True, "on"), (False, "off")):
        rows = np.flatnonzero((on == state) & ~lost[device])
        if len(rows) < 8:
            raise invalid(f"{table.path}, state {name}", len(rows), "at least 8 reads")
        wild[rows[_wild(np.log(r[rows]), device[rows])]] = True
    kept = ~wild
    per_cycle = "device" not in table and "cycle" in table
    best, rivals = of_both(table.path, r[kept], on[kept], device[kept], per_cycle)
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
        record=TwoState(r_on=best[True].resistance, r_off=best[False].resistance).replace(
            **{each.name: each.value for each in shares}
        ),
        parameters=[*best[True].parameters, *best[False].parameters, *shares],
        goodness=goodness,
        rivals=rivals,
        picture=_picture(table, r, on, kept, score, best),
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


def _lost(
    table: Table, y: np.ndarray, on: np.ndarray, device: np.ndarray
) -> tuple[np.ndarray, list[Parameter], list[str]]:
    """Devices that do not switch, or lie apart (devices,); shares of stuck ones, and remarks.

    Args:
        y: ln(resistance) (n,).
        on: whether it is of the state of low resistance (n,).
        device: (n,).
    """
    at = {s: medians(np.where(on == s, y, np.nan), device) for s in (True, False)}
    gap = at[False] - at[True]
    lost = np.zeros(len(gap), dtype=bool)
    if np.isfinite(gap).sum() < FEW:
        return lost, [], []
    middle = {s: float(np.nanmedian(at[s])) for s in at}
    between = middle[False] - middle[True]
    still = np.nan_to_num(gap, nan=np.inf) < (STILL if len(gap) < LEAST else CLOSE) * between
    still &= apart(gap) | (len(gap) < LEAST)
    nearer = at[True] + at[False] > middle[True] + middle[False]
    rest = np.flatnonzero(~still)
    away = rest[apart(at[True][rest]) | apart(at[False][rest])]
    groups = {"stuck_off": still & nearer, "stuck_on": still & ~nearer, "": np.isin(
        np.arange(len(gap)), away)}  # fmt: skip
    names, rows = names_of(table, device), rows_of(device)
    remarks, shares = [], []
    for field, some in groups.items():
        if not some.any():
            continue
        lost |= some
        r = np.exp(y[np.concatenate([rows[d] for d in np.flatnonzero(some)])])
        verb = "reads" if some.sum() == 1 else "read"
        how = f"in both states: set aside as a whole, counted in {field}"
        if not field:
            how = "far off all others: set aside as a whole, no part of the record"
        remarks.append(
            f"{listed(names, np.flatnonzero(some))} {verb} {r.min():.3g} to {r.max():.3g} ohm {how}"
        )
        if field:
            shares.append(share(field, int(some.sum()), len(gap)))
    return lost, shares, remarks


def _wild(y: np.ndarray, device: np.ndarray) -> np.ndarray:
    """Reads far off the others: of their device, if it was read five times or more."""
    centred = y - np.median(y)
    _, number = np.unique(device, return_inverse=True)
    for rows in rows_of(number):
        if len(rows) >= 5:
            centred[rows] = y[rows] - np.median(y[rows])
    return far_out(centred)


def _picture(
    table: Table,
    r: np.ndarray,
    on: np.ndarray,
    kept: np.ndarray,
    scores: np.ndarray,
    best: dict[bool, State],
) -> Picture:
    """Sorted resistances over normal scores, and what is left of the scores."""
    series, xs, rest, rows = [], [], [], []
    for state, name in ((True, "R_ON"), (False, "R_OFF")):
        some = np.flatnonzero(kept & (on == state))
        some = some[np.argsort(r[some])]
        rank = stats.norm.ppf((np.arange(len(some)) + 0.5) / len(some))
        measured, score = r[some], scores[some]
        fitted = best[state].quantile(rank)
        series.append(Series(f"{name}, {best[state].distribution}", rank, measured, fitted))
        xs.append(rank)
        rest.append(score - rank)
        rows.append(some)
    return Picture(
        "normal score", "R [ohm]", series, np.concatenate(xs), np.concatenate(rest),
        left_out=(np.zeros((~kept).sum()), r[~kept]), device=table.devices(np.concatenate(rows)),
    )  # fmt: skip
