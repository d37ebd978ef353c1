"""The axes of a sweep, and what its points came to at each place on them, seeds as one."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mho.results import over_all
from mho.results.units import number
from mho.sweep.record import Measured, PointRecord
from mho.sweep.records import Records, rank

FEW = 12
"""Values up to which settings that always change together are one axis, and not chance."""

GRID = 0.5
"""Share of all combinations of values that makes places a grid."""


@dataclass(frozen=True)
class Axis:
    """Settings that change together, by the first of them."""

    keys: tuple[str, ...]
    values: tuple[Any, ...]
    """Of the first setting, in order."""

    @property
    def key(self) -> str:
        """The first setting."""
        return self.keys[0]

    @property
    def name(self) -> str:
        """In words."""
        if len(self.keys) < 4:
            return " with ".join([self.key, *([", ".join(self.keys[1:])] * (len(self.keys) > 1))])
        return f"{self.key} with {len(self.keys) - 1} other settings"

    @property
    def numeric(self) -> bool:
        """Whether all values are numbers."""
        return all(isinstance(v, int | float) and not isinstance(v, bool) for v in self.values)


@dataclass(frozen=True)
class Place:
    """Points that differ in their seed alone."""

    settings: Mapping[str, Any]
    """Those that vary, but the seed."""
    points: tuple[PointRecord, ...]

    @cached_property
    def done(self) -> tuple[PointRecord, ...]:
        """Those with a result."""
        return tuple(point for point in self.points if point.claims)

    def claim(self, key: str) -> Measured | None:
        """A claim over all seeds that are done; None: there is none."""
        return self._claims.get(key)

    def cost(self, key: str) -> Measured | None:
        """What a chip costs, over all seeds that are done; None: there is none."""
        return self._costs.get(key)

    @cached_property
    def _claims(self) -> dict[str, Measured | None]:
        return _all_together([point.claims for point in self.done])

    @cached_property
    def _costs(self) -> dict[str, Measured | None]:
        return _all_together([point.costs for point in self.done])


@dataclass(frozen=True)
class Places:
    """All places of a sweep."""

    axes: tuple[Axis, ...]
    every: tuple[Place, ...]

    @cached_property
    def is_grid(self) -> bool:
        """Whether most combinations of the axes' values are there."""
        most = 1
        for axis in self.axes:
            most *= len(axis.values)
        return len(self.every) >= GRID * most

    @cached_property
    def is_whole(self) -> bool:
        """Whether all combinations are there, all with a result."""
        most = 1
        for axis in self.axes:
            most *= len(axis.values)
        return sum(bool(place.done) for place in self.every) == most

    def along(
        self, axes: Sequence[Axis], of: Callable[[Place], Measured | None]
    ) -> dict[tuple[int, ...], Measured]:
        """What all places with the same values on some axes came to, by the values' numbers."""
        found: dict[tuple[int, ...], list[Measured | None]] = {}
        orders = [{_frozen(value): i for i, value in enumerate(axis.values)} for axis in axes]
        for place in self.every:
            value = of(place)
            if value is not None:
                at = tuple(
                    order[_frozen(place.settings.get(axis.key))]
                    for axis, order in zip(axes, orders, strict=True)
                )
                found.setdefault(at, []).append(value)
        pooled = {at: together(values) for at, values in found.items()}
        return {at: value for at, value in pooled.items() if value is not None}


def places_of(records: Records) -> Places:
    """The axes and the places of a sweep; points whose settings cannot be read are none."""
    keys = [key for key in records.varied if key != "seed"]
    found: dict[Hashable, list[PointRecord]] = {}
    for point in records:
        if point.settings:
            at = tuple(_frozen(point.settings.get(key)) for key in keys)
            found.setdefault(at, []).append(point)
    every = tuple(
        Place({key: points[0].settings.get(key) for key in keys}, tuple(points))
        for points in found.values()
    )
    return Places(tuple(_axes(keys, every)), every)


def together(several: Sequence[Measured | None]) -> Measured | None:
    """Several measured values as one: over all that each is of."""
    known = [each for each in several if each is not None and each.ours is not None]
    if not known:
        return None
    n = [each.n for each in known]
    ours, std = over_all([e.ours for e in known], [e.std for e in known], n, known[0].pooled)
    return known[0]._replace(ours=ours, std=std, n=sum(n))


def _all_together(several: Sequence[Mapping[str, Measured]]) -> dict[str, Measured | None]:
    keys = dict.fromkeys(key for each in several for key in each)
    return {key: together([each.get(key) for each in several]) for key in keys}


def text_of(value: Any) -> str:
    """A setting's value as tables and figures show it."""
    if isinstance(value, bool | None):
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, int | float):
        return number(value, 6)
    return value if isinstance(value, str) else json.dumps(value)


def _axes(keys: Sequence[str], every: Sequence[Place]) -> list[Axis]:
    """Settings that always change together as one axis; those that follow from another, with it."""
    codes = {key: [_frozen(place.settings[key]) for place in every] for key in keys}
    counts = {key: len(set(values)) for key, values in codes.items()}
    axes: dict[str, list[str]] = {}
    for key in sorted(keys, key=lambda each: -counts[each]):  # the finest first
        for first in axes:
            if counts[first] <= FEW and _follows(codes[key], codes[first]):
                axes[first].append(key)
                break
        else:
            axes[key] = [key]
    order = {key: i for i, key in enumerate(keys)}
    found = []
    for together in sorted(axes.values(), key=lambda each: order[each[0]]):
        first = together[0]
        values = {_frozen(place.settings[first]): place.settings[first] for place in every}
        found.append(Axis(tuple(together), tuple(sorted(values.values(), key=rank))))
    return found


def _follows(codes: Iterable[Hashable], others: Sequence[Hashable]) -> bool:
    """Whether one setting's value is known from another's."""
    return len(set(zip(others, codes, strict=True))) == len(set(others))


def _frozen(value: Any) -> Hashable:
    """A value by which equal ones are found."""
    plain = isinstance(value, str | int | float | None) and not isinstance(value, bool)
    return (type(value).__name__, value if plain else json.dumps(value))
