"""Pulse trains -> `PulseResponse` or `PulseTable`, by the likelihood of each read given the last.

The window is where pulses stop moving the cell, if the data show such ends (reads that heap up
there); else the mean of the ends of the trains, and the other numbers are relative to that. A
device that saturates smoothly has the same response seen from any window. Where the exponential
response misses the curve, tables are fitted too, and the family of the least AIC is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from mho.errors import unknown
from mho.fit.electrical import conductance, resolution
from mho.fit.maximum import Maximum
from mho.fit.outcome import Fit, Goodness, Picture, Rival, Series, far_out, judge
from mho.fit.pulses.exponential import variants
from mho.fit.pulses.model import PulseModel, maximum, predicted
from mho.fit.pulses.screening import check, heaped, reference, screen
from mho.fit.pulses.tabulated import tables
from mho.fit.pulses.trains import Trains, trains
from mho.fit.reading.table import Table

FAMILIES = ("pulse-response", "pulse-table")
MISSED = 1e-3
"""p of the test of runs below which the exponential response counts as missing the curve."""

Found = tuple[PulseModel, Maximum]
"""A model and where its likelihood is largest."""
AnyModel = TypeVar("AnyModel", bound=PulseModel)


def fit_pulses(
    table: Table, v_read: float | None = None, levels: int | None = None, family: str | None = None
) -> Fit:
    """Window, steps, noise and spread of pulsed cells.

    Args:
        table: pulse number, polarity or pulse voltage, conductance; perhaps device, cycle.
        v_read: read voltage [V], where the file has currents.
        levels: levels of the cell; None: 9, or a pulse a level.
        family: one of `FAMILIES`; None: as the data say.
    """
    if family not in (None, *FAMILIES):
        raise unknown("family of pulses", str(family), FAMILIES)
    g = conductance(table, v_read)
    chains = trains(table, g)
    check(table, chains)
    wild = screen(chains)
    chains = chains.without(wild)
    digit = resolution(table, g, v_read)
    at_ends = heaped(chains.g)
    low, width = reference(chains, at_ends)
    models = variants(at_ends)
    plain = [(m, maximum(m, chains, low, width)) for m in models]
    model, best = _least(plain)
    late = _late(model, best, chains, low, width)
    if late.any():
        wild, chains = wild | late, chains.without(late)
        plain = [(m, maximum(m, chains, low, width, best if m == model else None)) for m in models]
        model, best = _least(plain)
    even = replace(model, name=f"{model.name}, even steps", curved=False)
    plain.append((even, maximum(even, chains, low, width)))
    parameters, remarks = model.parameters(best, chains, low, width, digit)
    fits: list[Found] = [*plain]
    found: Found = (model, best)
    missed = _judged(*found, chains, low, width).runs_p < MISSED
    if family == "pulse-table" or (family is None and missed):
        rivals: list[Found] = [
            (each, maximum(each, chains, low, width)) for each in tables(model, best, parameters)
        ]
        fits += rivals
        found = _least(rivals if family else fits)
        if found[0] is not model:
            parameters, remarks = found[0].parameters(found[1], chains, low, width, digit)
    if not found[1].settled:
        remarks.append("the likelihood has no clear maximum: intervals are not to be trusted")
    record, more = found[0].record(parameters, levels)
    return Fit(
        kind="pulses",
        table="device",
        record=record,
        parameters=parameters,
        goodness=_judged(*found, chains, low, width),
        rivals=[Rival(m.name, f.aic(), len(f.covariance)) for m, f in fits],
        picture=_picture(*found, chains, low, width, wild, g),
        outliers=sorted({int(n) for n in table.lines[chains.row[wild]]}),
        remarks=remarks + more,
    )


def _least(fits: Sequence[tuple[AnyModel, Maximum]]) -> tuple[AnyModel, Maximum]:
    """The least AIC, of those with a clear maximum if there is one."""
    return min(fits, key=lambda each: each[1].aic() + 1e6 * (not each[1].settled))


def _late(model: PulseModel, best: Maximum, chains: Trains, low: float, width: float) -> np.ndarray:
    """Reads that the model does not believe, the first of those in a row."""
    mean, sd = predicted(model, best, chains, low, width)
    out = far_out(((chains.g - mean) / sd).ravel(), least=1.0).reshape(mean.shape)
    out[:, 1:] &= ~out[:, :-1]
    return out


def _told(
    model: PulseModel, best: Maximum, chains: Trains, low: float, width: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Prediction [S] and standardized residual of each read, and which of them say something."""
    mean, sd = predicted(model, best, chains, low, width)
    told = np.isfinite(chains.g) & np.isfinite(mean)
    if model.bounded and not model.noisy:  # a read at an end tells only that it was reached
        told &= (chains.g > low) & (chains.g < low + width)
    return mean, (chains.g - mean) / sd, told


def _judged(model: PulseModel, best: Maximum, chains: Trains, low: float, width: float) -> Goodness:
    mean, residual, told = _told(model, best, chains, low, width)
    return judge(chains.g[told], mean[told], residual[told])


def _picture(
    model: PulseModel,
    best: Maximum,
    chains: Trains,
    low: float,
    width: float,
    wild: np.ndarray,
    g: np.ndarray,
) -> Picture:
    """Reads over what was predicted from the read before, and the standardized difference."""
    mean, residual, told = _told(model, best, chains, low, width)
    seen = np.isfinite(chains.g) & np.isfinite(mean)
    position = np.cumsum(chains.pulses, axis=1)
    shown = range(min(len(chains.g), 4))
    series = [
        Series(f"train {c + 1}", position[c][seen[c]], chains.g[c][seen[c]], mean[c][seen[c]])
        for c in shown
    ]
    rows = chains.row[wild]
    return Picture(
        "pulses",
        "G [S]",
        series,
        position[told],
        residual[told],
        left_out=(position[wild], g[rows]),
    )
