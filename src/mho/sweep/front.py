"""Places that no other beats in accuracy and cost at once."""

from __future__ import annotations

from collections.abc import Sequence

from mho.results import Column, Curve, MeanStd, Series, Table
from mho.sweep.places import Place, Places, text_of
from mho.sweep.record import Measured

ENERGIES = ("programming energy (per chip)", "energy per input")
"""Items of a price list that are weighed against accuracy."""

COSTS = ("writes per chip", "cells per chip", *ENERGIES)

MOST_COLOURS = 7
"""Values of an axis that have colours of their own."""


def weighed(places: Places) -> list[str]:
    """Costs that are not the same at all places."""
    found = []
    for key in COSTS:
        values = {None if cost is None else cost.ours for cost in _costs(places, key)}
        if len(values - {None}) > 1:
            found.append(key)
    return found


def front(pairs: Sequence[tuple[float, float]]) -> list[int]:
    """Which of several (cost, gain) no other beats: costs at most as much, and gains more or costs
    less; by rising cost."""
    best, found = float("-inf"), []
    for at in sorted(range(len(pairs)), key=lambda i: (pairs[i][0], -pairs[i][1])):
        if pairs[at][1] > best:
            best = pairs[at][1]
            found.append(at)
    return found


def trade_off(places: Places, key: str, claim: Measured, cost: str, name: str) -> Curve | None:
    """A claim against a cost, with the front; None: fewer than three places have both."""
    known = _both(places, key, cost)
    if len(known) < 3:
        return None
    unit = next(each.unit for _, _, each in known)
    pairs = [(paid.ours or 0.0, got.ours or 0.0) for _, got, paid in known]
    lines = []
    axis = next((a for a in places.axes if 1 < len(a.values) <= MOST_COLOURS), None)
    for value in axis.values if axis else [None]:
        own = [i for i, (place, _, _) in enumerate(known)
               if axis is None or place.settings.get(axis.key) == value]  # fmt: skip
        stds = [known[i][1].std for i in own]
        if own:
            lines.append(Series(
                f"{axis.key} = {text_of(value)}" if axis else "a setting",
                [pairs[i][0] for i in own], [pairs[i][1] for i in own],
                stds if any(stds) else None, joined=False,
            ))  # fmt: skip
    best = [pairs[i] for i in front(pairs)]
    lines.append(Series("no other is better in both", [x for x, _ in best], [y for _, y in best]))
    costs = [x for x, _ in pairs if x > 0]
    far = len(costs) == len(pairs) and max(costs) > 20 * min(costs)
    label = f"{cost} [{unit}]" if unit else cost
    return Curve(name, f"{claim.what}, against {cost}", label, labelled(claim), lines,
                 x_scale="log" if far else "linear")  # fmt: skip


def front_table(
    places: Places, key: str, claim: Measured, costs: Sequence[str], name: str
) -> Table | None:
    """The settings on the fronts of a claim, best first; None: there are none."""
    on: dict[int, list[str]] = {}
    index = {id(place): i for i, place in enumerate(places.every)}
    for cost in costs:
        known = _both(places, key, cost)
        for at in front([(paid.ours or 0.0, got.ours or 0.0) for _, got, paid in known]):
            on.setdefault(index[id(known[at][0])], []).append(cost)
    if not on:
        return None
    columns = [Column(axis.name) for axis in places.axes] + [Column(claim.what, claim.unit)]
    units = {cost: next((c.unit for c in _costs(places, cost) if c is not None), "")
             for cost in costs}  # fmt: skip
    columns += [Column(cost, units[cost]) for cost in costs] + [Column("not beaten in")]
    rows = []
    for at in on:
        place = places.every[at]
        row = [text_of(place.settings.get(axis.key)) for axis in places.axes]
        paid = [place.cost(cost) for cost in costs]
        rows.append((*row, cell(place.claim(key)), *map(cell, paid), ", ".join(on[at])))
    spot = len(places.axes)
    rows.sort(key=lambda row: -row[spot].mean)
    return Table(name, "Settings that no other beats in both", columns, rows)


def labelled(claim: Measured) -> str:
    """The words of a claim with its unit, for an axis."""
    return f"{claim.what} [{claim.unit}]" if claim.unit else claim.what


def cell(value: Measured | None) -> MeanStd | None:
    """A measured value in a table."""
    return None if value is None or value.ours is None else MeanStd(value.ours, value.std)


def _costs(places: Places, key: str) -> list[Measured | None]:
    return [place.cost(key) for place in places.every]


def _both(places: Places, key: str, cost: str) -> list[tuple[Place, Measured, Measured]]:
    """Places that have a claim and a cost."""
    found = []
    for place in places.every:
        got, paid = place.claim(key), place.cost(cost)
        if got is not None and paid is not None:
            found.append((place, got, paid))
    return found
