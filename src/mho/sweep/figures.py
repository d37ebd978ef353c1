"""Figures of a claim along the axes of a sweep: which ones, and what is drawn in them.

One axis: a curve over numbers, bars over names. Two: a heat map, and a line of each value of the
shorter one. More, or places that are no grid: one figure an axis, over all values of the others,
and a map of the two axes along which the claim changes most.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations

from mho.results import BarGroup, Bars, Curve, Figure, Map, Series
from mho.results.figures import Scale
from mho.sweep.front import MOST_COLOURS, labelled
from mho.sweep.places import FEW, Axis, Place, Places, text_of
from mho.sweep.record import Measured

FAR = 30.0
"""How many times the smallest number the largest is, where a scale becomes logarithmic."""

Namer = Callable[[str], str]
"""Makes the id of a figure, of what it shows."""


def figures(places: Places, key: str, claim: Measured, name: Namer) -> list[Figure]:
    """The figures of one claim."""
    axes = [axis for axis in places.axes if len(axis.values) > 1]

    def of(place: Place) -> Measured | None:
        return place.claim(key)

    if not axes:
        return []
    if len(axes) == 1:
        return [_one(places, axes[0], of, claim, name, "")]
    if len(axes) == 2 and places.is_grid:
        across, lines = sorted(axes, key=_across)
        return [_map(places, across, lines, of, claim, name, ""),
                *_lines(places, across, lines, of, claim, name)]  # fmt: skip
    found: list[Figure] = [_one(places, axis, of, claim, name, ", over all others")
                           for axis in axes]  # fmt: skip
    if len(axes) > 2 and (most := _most(places, axes, of)) is not None:
        across, up = sorted(most, key=_across)
        found.append(_map(places, across, up, of, claim, name, ", over all others"))
    return found


def _across(axis: Axis) -> tuple[bool, int]:
    """Which of two axes goes from left to right: the one of numbers, or of more values."""
    return not axis.numeric, -len(axis.values)


def _one(
    places: Places, axis: Axis, of: Callable[[Place], Measured | None], claim: Measured,
    name: Namer, more: str,
) -> Figure:  # fmt: skip
    """A claim along one axis."""
    if more and axis.numeric and len(axis.values) > FEW and not places.is_grid:
        return _points(places, axis, of, claim, name)
    found = places.along([axis], of)
    values = [found.get((i,)) for i in range(len(axis.values))]
    title = f"{claim.what}, by {axis.name}{more}"
    if axis.numeric:
        line = _series("mean", axis, values)
        return Curve(name(axis.key), title, axis.name, labelled(claim), [line],
                     x_scale=_scale(axis.values), y_scale=_value_scale(claim, values))  # fmt: skip
    return Bars(name(axis.key), title, labelled(claim), [text_of(v) for v in axis.values],
                [_bars("", values)])  # fmt: skip


def _points(
    places: Places, axis: Axis, of: Callable[[Place], Measured | None], claim: Measured, name: Namer
) -> Curve:
    """A claim along an axis where each place has a value of its own."""
    pairs = [(place.settings[axis.key], value) for place in places.every
             if (value := of(place)) is not None]  # fmt: skip
    stds = [value.std for _, value in pairs]
    line = Series("a setting", [x for x, _ in pairs], [value.ours for _, value in pairs],
                  stds if any(stds) else None, joined=False)  # fmt: skip
    return Curve(name(axis.key), f"{claim.what}, by {axis.name}", axis.name, labelled(claim),
                 [line], x_scale=_scale(axis.values),
                 y_scale=_value_scale(claim, [value for _, value in pairs]))  # fmt: skip


def _map(
    places: Places, across: Axis, up: Axis, of: Callable[[Place], Measured | None],
    claim: Measured, name: Namer, more: str,
) -> Map:  # fmt: skip
    """A claim over two axes."""
    found = places.along([across, up], of)
    values = [
        [None if (value := found.get((i, j))) is None else value.ours
         for i in range(len(across.values))]
        for j in range(len(up.values))
    ]  # fmt: skip
    title = f"{claim.what}, by {across.name} and {up.name}{more}"
    x, y = (axis.values if axis.numeric else [text_of(v) for v in axis.values]
            for axis in (across, up))  # fmt: skip
    label = f"mean [{claim.unit}]" if claim.unit else "mean"  # a map may be low; its title says all
    sides = [axis.key.rpartition(".")[2] for axis in (across, up)]
    sides = sides if sides[0] != sides[1] else [across.key, up.key]
    return Map(name(f"{across.key}.{up.key}"), title, sides[0], sides[1], label, x, y, values,
               scale=_value_scale(claim, found.values()))  # fmt: skip


def _lines(
    places: Places, across: Axis, lines: Axis, of: Callable[[Place], Measured | None],
    claim: Measured, name: Namer,
) -> list[Figure]:  # fmt: skip
    """A line, or bars of a colour, of each value of one of two axes."""
    if len(lines.values) > MOST_COLOURS:
        return []
    found = places.along([across, lines], of)
    title = f"{claim.what}, by {across.name}"
    rows = [
        (f"{lines.name} = {text_of(value)}",
         [found.get((i, j)) for i in range(len(across.values))])
        for j, value in enumerate(lines.values)
    ]  # fmt: skip
    if not across.numeric:
        return [Bars(name(across.key), title, labelled(claim), [text_of(v) for v in across.values],
                     [_bars(*row) for row in rows])]  # fmt: skip
    series = [_series(text, across, values) for text, values in rows]
    return [Curve(name(across.key), title, across.name, labelled(claim), series,
                  x_scale=_scale(across.values),
                  y_scale=_value_scale(claim, found.values()))]  # fmt: skip


def _most(
    places: Places, axes: Sequence[Axis], of: Callable[[Place], Measured | None]
) -> tuple[Axis, Axis] | None:
    """The two axes of few values along which the mean changes most."""
    few = [axis for axis in axes if len(axis.values) <= FEW]
    reach = {}
    for axis in few:
        means = [value.ours or 0.0 for value in places.along([axis], of).values()]
        reach[axis.key] = max(means) - min(means) if means else 0.0
    pairs = list(combinations(few, 2))
    return max(pairs, key=lambda pair: sum(reach[a.key] for a in pair)) if pairs else None


def _series(text: str, axis: Axis, values: Sequence[Measured | None]) -> Series:
    return Series(text, axis.values, _means(values), _stds(values))


def _bars(text: str, values: Sequence[Measured | None]) -> BarGroup:
    return BarGroup(text, _means(values), _stds(values))


def _means(values: Sequence[Measured | None]) -> list[float | None]:
    return [None if each is None else each.ours for each in values]


def _stds(values: Sequence[Measured | None]) -> list[float | None] | None:
    found = [None if each is None else each.std for each in values]
    return None if all(each is None for each in found) else found


def _scale(values: Sequence[float]) -> Scale:
    """Logarithmic for positive numbers that lie far apart."""
    return (
        "log"
        if len(values) > 2 and min(values) > 0 and max(values) > FAR * min(values)
        else "linear"
    )


def _value_scale(claim: Measured, values: Iterable[Measured | None]) -> Scale:
    """That of a claim: percentages are never logarithmic."""
    known = [each.ours for each in values if each is not None and each.ours is not None]
    return "linear" if claim.unit == "%" or not known else _scale(known)
