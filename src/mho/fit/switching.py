"""Switching I-V loops -> `TwoState` and a law of conduction: SET and RESET, told by the currents.

An excursion of the voltage after which a cell carries more current at the same voltages is a SET,
one after which it carries less a RESET; its voltage is where half of that change (of the logarithm
of the current) was done.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy import stats
from scipy.optimize import brentq

from mho.errors import InvalidInput, invalid
from mho.fit.iv import fit_iv
from mho.fit.loops import CHANGE, Event, current_at, event, excursions
from mho.fit.outcome import (
    CONFIDENCE,
    Fit,
    Goodness,
    Parameter,
    Picture,
    Rival,
    Series,
    given,
    judge,
    on_line,
    share,
)
from mho.fit.random_effects import deviation
from mho.fit.reading.table import Table
from mho.fit.resistance import compare, preferred
from mho.physics import Conduction, Resistance, TwoState

PLATEAU = 0.1
"""Share of the largest voltage over which a current that stands still is a compliance."""
BRANCHES = 6
"""Branches of each state of which the law of conduction is fitted, at most."""
BELOW = 0.8
"""Share of the switching voltage up to which a branch is one state."""
STATES = ("LRS", "HRS")


@dataclass(frozen=True)
class Branch:
    """One state of one excursion, below its switching voltage."""

    state: str
    rows: np.ndarray
    event: Event
    loop: int


def fit_switching(table: Table, v_read: float | None = None) -> Fit:
    """SET and RESET voltages, compliance, resistance of each state, the law below switching.

    Args:
        table: voltage and current in the order of measurement; perhaps device, compliance.
        v_read: voltage at which resistances are read [V]; None: half the least that switches.
    """
    events = [event(table, one) for one in excursions(table)]
    whole = [e for e in events if len(e.excursion.out) and len(e.excursion.back)]
    if not any(e.change for e in whole):
        allowed = (
            "loops out and back in which the current at a voltage differs "
            f"{math.exp(CHANGE):.1f}-fold; for one state alone take --kind iv"
        )
        raise invalid(table.path, f"{len(whole)} loops without such a change", allowed)
    forming = _forming(whole)
    used = [e for e in whole if e is not forming]
    remarks = []
    parameters: list[Parameter] = []
    for name, sign in (("SET", 1), ("RESET", -1)):
        these = [e for e in used if e.change * sign > 0]
        ways = sorted({e.excursion.sign for e in these})
        for way in ways:
            side = "" if len(ways) == 1 else f" {'above' if way > 0 else 'below'} 0 V"
            volts = np.array([e.voltage for e in these if e.excursion.sign == way])
            parameters += _voltages(f"V_{name}{side}", volts)
        if not these:
            remarks.append(f"no {name} was seen")
            continue
        way = ways[0] if len(ways) == 1 else 0
        tried = [k for k, e in enumerate(whole) if e is not forming and e.excursion.sign == way]
        held = [k + 1 for k in tried if whole[k].change == 0]
        if held and way:
            some = ", ".join(map(str, held[:8])) + (" and more" if len(held) > 8 else "")
            remarks.append(f"no {name} in {len(held)} of {len(tried)} excursions to "
                           f"{'+' if way > 0 else '-'}V: number {some}")  # fmt: skip
            parameters.append(share(f"share of {name}s that fail", len(held), len(tried)))
    if forming is not None:
        parameters.append(given("V_forming", forming.voltage, "V"))
        remarks.append("the first SET took far more voltage than the others: it is told as forming "
                       "and is no part of the spread")  # fmt: skip
    limit = _compliance(table, used)
    if limit is not None:
        parameters.append(limit)
    if v_read is None:
        v_read = _read_voltage(used)
        remarks.append(
            f"resistances are read at {v_read:.3g} V, half the least voltage that switched; "
            "--v-read sets another"
        )
    branches = _branches(used, v_read)
    r = {state: _resistances(table, branches, state, abs(v_read)) for state in STATES}
    record, found, rivals, more = _cell(table, r)
    law, laws, rivals_law, told, fits = _law(table, branches, limit)
    if law is not None:
        record, found, told_also = _at_low_voltage(record, found, law, abs(v_read))
        told += told_also
    picture, goodness = _shown(table, fits)
    return Fit(
        kind="switching",
        table="device",
        record=record,
        parameters=[*parameters, *found, *laws],
        goodness=goodness,
        rivals=[*rivals, *rivals_law],
        picture=picture,
        outliers=sorted({n for each in fits.values() for n in each.outliers}),
        remarks=[*remarks, *more, *told],
        further={} if law is None else {"conduction": law},
    )


def _forming(whole: list[Event]) -> Event | None:
    """The first SET, where its voltage is far above those of at least three others."""
    sets = [e for e in whole if e.change > 0]
    if len(sets) < 4:
        return None
    size = np.abs([e.voltage for e in sets])
    middle = float(np.median(size[1:]))
    scale = 1.4826 * float(np.median(np.abs(size[1:] - middle)))
    alone = size[0] > max(1.3 * middle, middle + 5 * scale) and size[0] > size[1:].max()
    return sets[0] if alone else None


def _voltages(name: str, v: np.ndarray) -> list[Parameter]:
    """Mean and spread from loop to loop."""
    if not len(v):
        return []
    if len(v) == 1:
        return [Parameter(name, float(v[0]), -math.inf, math.inf, "V")]
    wide = float(stats.t.isf((1 - CONFIDENCE) / 2, len(v) - 1))
    spread = deviation(float(np.sum((v - v.mean()) ** 2)), len(v) - 1)
    mean = on_line(name, float(v.mean()), spread[0] / math.sqrt(len(v)), "V", wide)
    return [mean, Parameter(f"{name} spread", *spread, "V")]


def _compliance(table: Table, used: list[Event]) -> Parameter | None:
    """Current that SETs are limited to [A]: the column's, or where the current stands still."""
    if "compliance" in table.numbers:
        values = np.unique(table.numbers["compliance"])
        values = values[np.isfinite(values)]
        return given("compliance", float(np.median(values)), "A") if len(values) else None
    found = []
    for one in (e.excursion for e in used if e.change > 0):
        rows = np.concatenate([one.out, one.back])
        v, i = np.abs(table.numbers["voltage"][rows]), np.abs(table.numbers["current"][rows])
        top = i >= 0.95 * float(np.median(np.sort(i)[-3:]))
        if top.sum() >= 4 and np.ptp(v[top]) >= PLATEAU * v.max():
            found.append(float(np.median(i[top])))
    if not found:
        return None
    if len(found) == 1:
        return given("compliance", found[0], "A")
    x = np.array(found)
    wide = float(stats.t.isf((1 - CONFIDENCE) / 2, len(x) - 1))
    return on_line("compliance", float(x.mean()), float(x.std(ddof=1)) / math.sqrt(len(x)), "A",
                   wide)  # fmt: skip


def _read_voltage(used: list[Event]) -> float:
    """Half the least voltage that switched, two digits, above 0 where excursions went there."""
    there = [e for e in used if e.change]
    sign = 1 if any(e.excursion.sign > 0 for e in there) else -1
    return sign * float(f"{min(abs(e.voltage) for e in there) / 2:.2g}")


def _branches(used: list[Event], v_read: float) -> list[Branch]:
    """States of the cell on the side of the read voltage; of all, where nothing switched there."""
    side = [e for e in used if e.change and e.excursion.sign * v_read > 0]
    side = side or [e for e in used if e.change]
    both = len({e.change > 0 for e in side}) == 2
    out = []
    for k, e in enumerate(side):
        before, after = ("HRS", "LRS") if e.change > 0 else ("LRS", "HRS")
        out += [] if both else [Branch(before, e.excursion.out, e, k)]
        out.append(Branch(after, e.excursion.back, e, k))
    return out


def _resistances(
    table: Table, branches: list[Branch], state: str, voltage: float
) -> tuple[np.ndarray, np.ndarray]:
    """Resistance of each branch of a state [ohm], and its device."""
    r, device = [], []
    for each in (b for b in branches if b.state == state):
        i = current_at(table, each.rows, each.event.excursion.sign, voltage)
        if i > 0:
            r.append(voltage / i)
            device.append(each.event.excursion.device)
    if not r:
        raise invalid(f"{table.path}, {state} at v_read", voltage,
                      "a voltage within the sweeps of both states, below switching")  # fmt: skip
    return np.array(r), np.array(device)


def _cell(
    table: Table, r: dict[str, tuple[np.ndarray, np.ndarray]]
) -> tuple[TwoState, list[Parameter], list[Rival], list[str]]:
    """The cell of two states, and how far its spread is known."""
    rivals: list[Rival] = []
    states: dict[str, Resistance] = {}
    parameters, remarks = [], []
    for name, state in (("r_on", "LRS"), ("r_off", "HRS")):
        values, device = r[state]
        if len(values) >= 8:
            found = compare(name, values, device, len(np.unique(device)) == 1)
            rivals += [
                Rival(f"{name} {s.distribution}", 2 * s.count - 2 * s.log_likelihood, s.count)
                for s in found
            ]
            best = preferred(found)
            states[state] = best.resistance
            parameters += best.parameters
            continue
        states[state] = Resistance(mean=float(values.mean()))
        parameters += _few(f"{name}.mean", values)
        remarks.append(f"{len(values)} reads of {state}: at least 8 tell its spread, which is "
                       "left out")  # fmt: skip
    on, off = states["LRS"], states["HRS"]
    if on.mean >= off.mean:
        allowed = f"below {off.mean:.3g} ohm of HRS; --v-read where loops are open"
        raise invalid(f"{table.path}, LRS at v_read", f"{on.mean:.3g} ohm", allowed)
    return TwoState(r_on=on, r_off=off), parameters, rivals, remarks


def _at_low_voltage(
    cell: TwoState, parameters: list[Parameter], law: Conduction, voltage: float
) -> tuple[TwoState, list[Parameter], list[str]]:
    """The cell whose currents at a voltage, by the law, are those that were read there.

    A law's conductance is that at low voltage; a cell of 1 / R_read would carry more than was read.
    """
    by: dict[str, float] = {}
    v = torch.tensor(voltage, dtype=torch.float64)
    for name, state in (("r_on", cell.r_on), ("r_off", cell.r_off)):

        def excess(log: float, read: float = voltage / state.mean) -> float:
            g = torch.tensor(math.exp(log), dtype=torch.float64)
            return math.log(max(float(law.current(v, g)), 1e-300) / read)

        middle = -math.log(state.mean)
        if not excess(middle - 30) < 0 < excess(middle + 30):
            return cell, parameters, ["the law does not reach the current that was read: "
                                      "resistances are those at the read voltage"]  # fmt: skip
        root: float = brentq(excess, middle - 30, middle + 30)  # type: ignore[assignment]
        by[name] = math.exp(-root) / state.mean
    if max(abs(x - 1) for x in by.values()) < 1e-6 or by["r_on"] * cell.r_on.mean >= (
        by["r_off"] * cell.r_off.mean
    ):
        return cell, parameters, []
    on, off = (s.replace(mean=by[n] * s.mean) for n, s in (("r_on", cell.r_on),
               ("r_off", cell.r_off)))  # fmt: skip
    moved = [
        replace(p, value=k * p.value, low=p.low and k * p.low, high=p.high and k * p.high)
        if (k := by.get(p.name.removesuffix(".mean"))) and p.name.endswith(".mean") else p
        for p in parameters
    ]  # fmt: skip
    told = (
        f"at {voltage:.3g} V the resistances are {cell.r_on.mean:.4g} and {cell.r_off.mean:.4g} "
        "ohm; those written are at low voltage, so that the law gives these currents"
    )
    return cell.replace(r_on=on, r_off=off), moved, [told]


def _few(name: str, r: np.ndarray) -> list[Parameter]:
    """Mean of a few resistances."""
    if len(r) == 1:
        return [Parameter(name, float(r[0]), -math.inf, math.inf, "ohm")]
    wide = float(stats.t.isf((1 - CONFIDENCE) / 2, len(r) - 1))
    error = float(r.std(ddof=1)) / math.sqrt(len(r))
    return [on_line(name, float(r.mean()), error, "ohm", wide)]


def _law(
    table: Table, branches: list[Branch], limit: Parameter | None
) -> tuple[Conduction | None, list[Parameter], list[Rival], list[str], dict[str, Fit]]:
    """The law of conduction below switching: one for both states, or that of LRS."""
    fits: dict[str, Fit] = {}
    told = []
    for state in STATES:
        mine = [b for b in branches if b.state == state]
        mine = [mine[int(k)] for k in np.unique(np.linspace(0, len(mine) - 1, BRANCHES).round())]
        try:
            fits[state] = fit_iv(_below(table, mine, limit))
        except (InvalidInput, ArithmeticError, ValueError, np.linalg.LinAlgError):
            told.append(f"no law of conduction describes {state} below switching")
    parameters, rivals = [], []
    for state, each in fits.items():
        law = each.record.family  # pyright: ignore[reportAttributeAccessIssue]
        parameters += [
            Parameter(f"{state} {p.name}", p.value, p.low, p.high, p.unit)
            for p in each.parameters if not p.name.startswith("g of ")
        ]  # fmt: skip
        rivals += [Rival(f"{state} {r.name}", r.aic, r.parameters) for r in each.rivals]
        told.append(f"{state} below switching: {law}")
    state = next((s for s in STATES if s in fits), None)
    if state is None:
        return None, parameters, rivals, told, fits
    if len(fits) == 2:
        told.append("[conduction] holds the law of LRS, which carries most of the current: a "
                    "preset has one for both states")  # fmt: skip
    law = fits[state].record
    assert isinstance(law, Conduction)
    return law, parameters, rivals, told, fits


def _below(table: Table, branches: list[Branch], limit: Parameter | None) -> Table:
    """Points of branches below switching and below the compliance, a sweep a branch."""
    rows, sweep = [], []
    for k, b in enumerate(branches):
        v, i = table.numbers["voltage"][b.rows], table.numbers["current"][b.rows]
        some = (np.abs(v) < BELOW * abs(b.event.voltage)) & (v != 0) & (i * v > 0)
        if limit is not None:
            some &= np.abs(i) < 0.9 * limit.value
        if some.sum() >= 5:
            rows.append(b.rows[some])
            sweep += [str(k)] * int(some.sum())
    if not rows:
        raise invalid(table.path, "no branch", "at least 5 points below switching")
    kept = table.kept(np.concatenate(rows))
    return Table(kept.path, kept.lines, kept.header, {n: kept.numbers[n] for n in
                 ("voltage", "current")}, {"cycle": np.array(sweep)})  # fmt: skip


def _shown(table: Table, fits: dict[str, Fit]) -> tuple[Picture, Goodness]:
    """Branches below switching with their law, or, without any, the loops alone."""
    if not fits:
        v, i = table.numbers["voltage"], table.numbers["current"]
        some = np.isfinite(v) & np.isfinite(i)
        flat = Series("loops", v[some], i[some], i[some])
        nothing = np.zeros(int(some.sum()))
        return (Picture("V [V]", "I [A]", [flat], v[some], nothing), judge(i[some], i[some],
                nothing))  # fmt: skip
    series = [
        Series(f"{state} {s.name}", s.x, s.measured, s.fitted)
        for state, each in fits.items() for s in each.picture.series
    ]  # fmt: skip
    x = np.concatenate([each.picture.x for each in fits.values()])
    residual = np.concatenate([each.picture.residual for each in fits.values()])
    measured = np.concatenate([s.measured for s in series])
    fitted = np.concatenate([s.fitted for s in series])
    goodness = judge(measured, fitted, residual)
    return Picture("V [V]", "I [A]", series, x, residual), goodness
