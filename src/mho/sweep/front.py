"""Places that no other beats in several aims at once, such as accuracy and cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from mho.results import Column, Curve, Figure, MeanStd, Series, Table
from mho.results.figures import Scale
from mho.sweep.objectives import Direction
from mho.sweep.places import Place, Places, text_of
from mho.sweep.record import Measured

ENERGIES = ("programming energy (per chip)", "energy per input")
"""Items of a price list that are weighed against accuracy."""

COSTS = ("writes per chip", "cells per chip", *ENERGIES)

MOST_COLOURS = 7
"""Values of an axis that have colours of their own."""


@dataclass(frozen=True)
class Aim:
    """What places are weighed by: a claim, or what a chip costs."""

    what: str
    """In words."""
    unit: str
    """Empty: a number."""
    sign: float
    """1: little is better; -1: much is."""
    of: Callable[[Place], Measured | None]
    """Its value at a place; None: there is none."""

    @property
    def label(self) -> str:
        """The words with the unit, for an axis of a figure."""
        return f"{self.what} [{self.unit}]" if self.unit else self.what


def costs(places: Places) -> list[Aim]:
    """Costs that are not the same at all places."""
    found = []
    for key in COSTS:
        known = [cost for place in places.every if (cost := place.cost(key)) is not None]
        if len({cost.ours for cost in known}) > 1:
            found.append(Aim(key, known[0].unit, 1.0, lambda place, key=key: place.cost(key)))
    return found


def gain(key: str, claim: Measured) -> Aim:
    """A claim of which much is better."""
    return Aim(claim.what, claim.unit, -1.0, lambda place: place.claim(key))


def aims(claims: Mapping[str, Measured], objectives: Mapping[str, Direction]) -> list[Aim]:
    """The objectives of a search as aims, those that are claims of the sweep."""
    return [
        Aim(claims[key].what, claims[key].unit, 1.0 if direction == "minimize" else -1.0,
            lambda place, key=key: place.claim(key))
        for key, direction in objectives.items() if key in claims
    ]  # fmt: skip


def front(several: Sequence[Sequence[float]]) -> list[int]:
    """Which of several rows of costs no other beats: at most as large in all, and smaller in one;
    by rising costs."""
    found: list[int] = []
    for at in sorted(range(len(several)), key=lambda i: tuple(several[i])):
        row = tuple(several[at])
        if not any(tuple(several[i]) != row and _at_most(several[i], row) for i in found):
            found.append(at)
    return found


def trade_off(places: Places, across: Aim, up: Aim, name: str) -> Curve | None:
    """One aim over another, with the front of both; None: fewer than three places have both."""
    return _drawn(places, [across, up], across, up, name)


def fronts(places: Places, several: Sequence[Aim], name: Callable[[str], str]) -> list[Figure]:
    """Each two of several aims, with the places that no other beats in all of them.

    Args:
        places: of the sweep.
        several: two or more.
        name: makes the id of a figure, of what it shows.
    """
    drawn = [_drawn(places, several, across, up, name(f"{across.what}.{up.what}"))
             for up, across in combinations(several, 2)]  # fmt: skip
    return [curve for curve in drawn if curve is not None]


def front_table(places: Places, several: Sequence[Aim], name: str) -> Table | None:
    """The places that no other beats in all of several aims, best in the first first."""
    known = _known(places, several)
    rows = [(known[at][0], "") for at in _front(known, several)]
    rows.sort(key=lambda row: several[0].sign * _ours(several[0], row[0]))
    return _table(places, several, rows, name, f"Settings that no other beats in {_in(several)}")


def table_of_fronts(places: Places, aim: Aim, against: Sequence[Aim], name: str) -> Table | None:
    """The places on the fronts of one aim with each of others, best first; None: there are none."""
    on: dict[int, list[str]] = {}
    index = {id(place): i for i, place in enumerate(places.every)}
    for other in against:
        known = _known(places, [other, aim])
        for at in _front(known, [other, aim]):
            on.setdefault(index[id(known[at][0])], []).append(other.what)
    rows = [(places.every[at], ", ".join(names)) for at, names in on.items()]
    rows.sort(key=lambda row: aim.sign * _ours(aim, row[0]))
    return _table(places, [aim, *against], rows, name, "Settings that no other beats in both",
                  ["not beaten in"])  # fmt: skip


def labelled(claim: Measured) -> str:
    """The words of a claim with its unit, for an axis."""
    return f"{claim.what} [{claim.unit}]" if claim.unit else claim.what


def cell(value: Measured | None) -> MeanStd | None:
    """A measured value in a table."""
    return None if value is None or value.ours is None else MeanStd(value.ours, value.std)


def _in(several: Sequence[Aim]) -> str:
    return "both" if len(several) == 2 else "all objectives"


def _at_most(one: Iterable[float], other: Iterable[float]) -> bool:
    return all(a <= b for a, b in zip(one, other, strict=True))


_Known = Sequence[tuple[Place, Sequence[Measured]]]


def _known(places: Places, several: Sequence[Aim]) -> _Known:
    """Places that have a value of each aim."""
    found = []
    for place in places.every:
        values = [value for aim in several
                  if (value := aim.of(place)) is not None and value.ours is not None]  # fmt: skip
        if len(values) == len(several):
            found.append((place, values))
    return found


def _front(known: _Known, several: Sequence[Aim]) -> list[int]:
    return front([
        [aim.sign * (value.ours or 0.0) for aim, value in zip(several, values, strict=True)]
        for _, values in known
    ])  # fmt: skip


def _ours(aim: Aim, place: Place) -> float:
    value = aim.of(place)
    return 0.0 if value is None else value.ours or 0.0


def _drawn(places: Places, several: Sequence[Aim], across: Aim, up: Aim, name: str) -> Curve | None:
    """One of several aims over another, with the front of all."""
    known = _known(places, several)
    if len(known) < 3:
        return None
    x_at, y_at = several.index(across), several.index(up)
    pairs = [(values[x_at].ours or 0.0, values[y_at].ours or 0.0) for _, values in known]
    lines = []
    axis = next((a for a in places.axes if 1 < len(a.values) <= MOST_COLOURS), None)
    for value in axis.values if axis else [None]:
        own = [i for i, (place, _) in enumerate(known)
               if axis is None or place.settings.get(axis.key) == value]  # fmt: skip
        stds = [known[i][1][y_at].std for i in own]
        if own:
            lines.append(Series(
                f"{axis.key} = {text_of(value)}" if axis else "a setting",
                [pairs[i][0] for i in own], [pairs[i][1] for i in own],
                stds if any(stds) else None, joined=False,
            ))  # fmt: skip
    best = sorted(pairs[i] for i in _front(known, several))
    lines.append(Series(f"no other is better in {_in(several)}", [x for x, _ in best],
                        [y for _, y in best], joined=len(several) == 2))  # fmt: skip
    title = f"{up.what}, against {across.what}"
    return Curve(name, title, across.label, up.label, lines,
                 x_scale=_scale([x for x, _ in pairs]))  # fmt: skip


def _scale(values: Sequence[float]) -> Scale:
    far = min(values) > 0 and max(values) > 20 * min(values)
    return "log" if far else "linear"


def _table(
    places: Places, several: Sequence[Aim], rows: Sequence[tuple[Place, str]], name: str,
    title: str, more: Sequence[str] = (),
) -> Table | None:  # fmt: skip
    """Places, each with a word on it; None: there are none."""
    if not rows:
        return None
    columns = [Column(axis.name) for axis in places.axes]
    columns += [Column(aim.what, aim.unit) for aim in several] + [Column(each) for each in more]
    return Table(name, title, columns, [
        (*(text_of(place.settings.get(axis.key)) for axis in places.axes),
         *(cell(aim.of(place)) for aim in several), *([said] if more else ()))
        for place, said in rows
    ])  # fmt: skip
