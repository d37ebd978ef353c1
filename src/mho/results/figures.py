"""The figures of a result: curves, bars, maps and histograms."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal

from mho.config import Range
from mho.errors import invalid
from mho.results.record import Record, optional, refused

RESERVED_ID = "claims"
"""Id of the figure that the report draws of the claims."""

Scale = Literal["linear", "log"]
Deviation = Annotated[float, Range(least=0.0)]
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


def check_id(name: str, reserved: str = "") -> None:
    """Refuse an id that cannot name a file and a place in the page."""
    if not _ID.fullmatch(name) or name.lower() == reserved:
        other = f", other than {reserved!r}" if reserved else ""
        raise refused("id", name, f"at most 80 letters, digits, '.', '_' and '-'{other}")


def check_length(field: str, values: Sequence[object] | None, n: int, like: str) -> None:
    """Refuse a field with another number of values than the field `like` has."""
    if values is not None and len(values) != n:
        raise invalid(field, f"{len(values)} values", f"{n} values, as many as {like}")


@dataclass(frozen=True)
class Figure(Record):
    """What every figure has."""

    id: str
    """Name of its file, and of its place in the page."""
    title: str

    def __post_init__(self) -> None:
        super().__post_init__()
        check_id(self.id, RESERVED_ID)


@dataclass(frozen=True)
class Series(Record):
    """One line: y over x, None where there is no value, and a standard deviation or none."""

    name: str
    x: Sequence[float | None]
    y: Sequence[float | None]
    std: Sequence[float | None] | None = None
    joined: bool = optional(True)
    """False: points without a line between them."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_length("y", self.y, len(self.x), "x")
        check_length("std", self.std, len(self.x), "x")


@dataclass(frozen=True)
class Mark(Record):
    """A labelled place on the x axis."""

    x: float
    label: str


@dataclass(frozen=True)
class Curve(Figure):
    """Lines over a common x axis."""

    x_label: str
    y_label: str
    series: Sequence[Series]
    x_scale: Scale = "linear"
    y_scale: Scale = "linear"
    marks: Sequence[Mark] = ()
    pooled: Literal["points"] | None = optional(None)
    """"points": over several seeds a line has the points of all, not their mean."""


@dataclass(frozen=True)
class BarGroup(Record):
    """Bars of one colour: a value for each category, None where there is none, and a spread."""

    name: str
    values: Sequence[float | None]
    std: Sequence[Deviation | None] | None = None


@dataclass(frozen=True)
class Bars(Figure):
    """A row for each category, in it a bar of each group.

    A unit in brackets in `value_label` is that of the values. Stacked bars stand end to end and
    show their sum: they need a linear scale, values of at least 0 and groups without `std`.
    """

    value_label: str
    categories: Sequence[str]
    groups: Sequence[BarGroup]
    scale: Scale = "linear"
    stacked: bool = False
    pooled: Literal["first"] | None = optional(None)
    """"first": over several seeds the figure is that of the first."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("categories", "groups"):
            if not getattr(self, name):
                raise refused(name, getattr(self, name), "at least one")
        if self.stacked and self.scale == "log":
            raise refused("scale", self.scale, "'linear', as the bars are stacked")
        for i, group in enumerate(self.groups):
            at, values = f"groups[{i}]", group.values
            check_length(f"{at}.values", values, len(self.categories), "categories")
            check_length(f"{at}.std", group.std, len(self.categories), "categories")
            if self.stacked and group.std is not None:
                raise refused(f"{at}.std", group.std, "null, as the bars are stacked")
            if self.stacked and any(v is not None and v < 0 for v in values):
                allowed = "values of at least 0, as the bars are stacked"
                raise refused(f"{at}.values", values, allowed)


@dataclass(frozen=True)
class Map(Figure):
    """A value for every pair of x and y, None where there is none; `values[i]` is the row y[i].

    Columns are all numbers or all names, and so are rows.
    """

    x_label: str
    y_label: str
    value_label: str
    x: Sequence[float | str]
    y: Sequence[float | str]
    values: Sequence[Sequence[float | None]]
    scale: Scale = optional("linear")
    text: bool = optional(True)
    """Whether the values stand in the cells, if there is room."""
    pooled: Literal["first"] | None = optional(None)
    """"first": over several seeds the figure is that of the first."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("x", "y"):
            found = getattr(self, name)
            if len({isinstance(each, str) for each in found}) != 1:
                raise refused(name, found, "all numbers or all strings, at least one")
        if len(self.values) != len(self.y):
            wanted = f"{len(self.y)} rows, as many as y"
            raise invalid("values", f"{len(self.values)} rows", wanted)
        for i, row in enumerate(self.values):
            check_length(f"values[{i}]", row, len(self.x), "x")


@dataclass(frozen=True)
class Group(Record):
    """One histogram: n counts between n + 1 rising edges."""

    name: str
    edges: Sequence[float]
    counts: Sequence[float]

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.edges) != len(self.counts) + 1:
            raise invalid("edges", f"{len(self.edges)} edges", f"{len(self.counts) + 1} edges")
        if not all(low < high for low, high in pairwise(self.edges)):
            raise refused("edges", self.edges, "finite edges that rise")
        if not all(math.isfinite(each) and each >= 0 for each in self.counts):
            raise refused("counts", self.counts, "counts of at least 0")


@dataclass(frozen=True)
class Histogram(Figure):
    """Histograms over each other."""

    x_label: str
    groups: Sequence[Group]
    y_label: str = optional("count")
    x_scale: Scale = "linear"
    y_scale: Scale = "linear"
