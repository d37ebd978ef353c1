"""The figures of a result: curves, bars, maps and histograms as checked, frozen records."""

import math
from dataclasses import dataclass
from itertools import pairwise

from mho.errors import invalid
from mho.report.node import Node

RESERVED_ID = "claims"


@dataclass(frozen=True, kw_only=True)
class Series:
    """One line: y over x, with NaN where there is no value, and a spread or none."""

    name: str
    x: list[float]
    y: list[float]
    std: list[float] | None


@dataclass(frozen=True, kw_only=True)
class Group:
    """One histogram: n counts between n + 1 rising edges."""

    name: str
    edges: list[float]
    counts: list[float]


@dataclass(frozen=True, kw_only=True)
class BarGroup:
    """Bars of one colour: a value for each category, NaN where there is none, and a spread."""

    name: str
    values: list[float]
    std: list[float] | None


@dataclass(frozen=True, kw_only=True)
class Figure:
    """What every figure has; a `Curve`, `Bars`, a `Map` or a `Histogram` says the rest."""

    id: str
    title: str


@dataclass(frozen=True, kw_only=True)
class Plane(Figure):
    """A figure with something along both axes."""

    x_label: str
    y_label: str


@dataclass(frozen=True, kw_only=True)
class Bars(Figure):
    """A row for each category; in it the bars of all groups below each other, or end to end."""

    value_label: str
    scale: str
    categories: list[str]
    groups: list[BarGroup]
    stacked: bool


@dataclass(frozen=True, kw_only=True)
class Curve(Plane):
    x_scale: str
    y_scale: str
    series: list[Series]
    marks: list[tuple[float, str]]


@dataclass(frozen=True, kw_only=True)
class Map(Plane):
    """A value for every pair of x and y, NaN where there is none; `values[i]` is the row y[i]."""

    value_label: str
    x: list[float] | list[str]
    y: list[float] | list[str]
    values: list[list[float]]
    scale: str
    text: bool


@dataclass(frozen=True, kw_only=True)
class Histogram(Plane):
    x_scale: str
    y_scale: str
    groups: list[Group]


def read_curve(node: Node) -> Curve:
    return Curve(
        **_plane(node, node.get("y_label")),
        **_scales(node),
        series=[_series(each) for each in node.get("series").items()],
        marks=[
            (float(each.get("x").number()), each.get("label").text())
            for each in node.get("marks", []).items()
        ],
    )


def read_bars(node: Node) -> Bars:
    categories = [each.text() for each in node.get("categories").items()]
    if not categories:
        raise node.get("categories").error("at least one string")
    stacked, scale = node.get("stacked", False), node.get("scale", "linear")
    if stacked.boolean() and scale.choice("linear", "log") == "log":
        raise scale.error("'linear', as the bars are stacked")
    groups = list(node.get("groups").items())
    if not groups:
        raise node.get("groups").error("at least one group")
    return Bars(
        **read_figure(node),
        value_label=node.get("value_label").text(),
        scale=scale.choice("linear", "log"),
        categories=categories,
        groups=[_bar_group(each, len(categories), stacked=stacked.value) for each in groups],
        stacked=stacked.value,
    )


def read_map(node: Node) -> Map:
    x, y = _categories(node.get("x")), _categories(node.get("y"))
    rows = list(node.get("values").items())
    if len(rows) != len(y):
        wanted = f"{len(y)} rows, as many as y"
        raise invalid(node.get("values").place, f"{len(rows)} rows", wanted)
    values = [row.numbers() for row in rows]
    for row, found in zip(rows, values, strict=True):
        if len(found) != len(x):
            raise invalid(row.place, f"{len(found)} values", f"{len(x)} values, as many as x")
    return Map(
        **_plane(node, node.get("y_label")),
        value_label=node.get("value_label").text(),
        x=x,
        y=y,
        values=values,
        scale=node.get("scale", "linear").choice("linear", "log"),
        text=node.get("text", True).boolean(),
    )


def read_histogram(node: Node) -> Histogram:
    return Histogram(
        **_plane(node, node.get("y_label", "count")),
        **_scales(node),
        groups=[_group(each) for each in node.get("groups").items()],
    )


def read_figure(node: Node) -> dict[str, str]:
    return {"id": node.get("id").identifier(RESERVED_ID), "title": node.get("title").text()}


def _plane(node: Node, y_label: Node) -> dict[str, str]:
    return read_figure(node) | {"x_label": node.get("x_label").text(), "y_label": y_label.text()}


def _scales(node: Node) -> dict[str, str]:
    return {key: node.get(key, "linear").choice("linear", "log") for key in ("x_scale", "y_scale")}


def _categories(node: Node) -> list[float] | list[str]:
    """Columns or rows of a map: all of them numbers, or all of them strings."""
    found = list(node.items())
    if not found:
        raise node.error("at least one number or string")
    names = [each.text() for each in found if isinstance(each.value, str)]
    numbers = [float(each.number()) for each in found if not isinstance(each.value, str)]
    if names and numbers:
        raise node.error("all numbers or all strings")
    return names or numbers


def _bar_group(node: Node, n: int, *, stacked: bool) -> BarGroup:
    values, std = node.get("values"), node.get("std", None)
    found = values.numbers()
    spread = None if std.value is None else [each.optional_std() for each in std.items()]
    for each, numbers in ((values, found), (std, spread)):
        if numbers is not None and len(numbers) != n:
            raise invalid(
                each.place, f"{len(numbers)} values", f"{n} values, as many as categories"
            )
    if stacked and spread is not None:
        raise std.error("null, as the bars are stacked")
    if stacked and any(each < 0 for each in found):
        raise values.error("values of at least 0, as the bars are stacked")
    return BarGroup(
        name=node.get("name").text(),
        values=found,
        std=None if spread is None else std.numbers(),
    )


def _series(node: Node) -> Series:
    x, y, std = node.get("x").numbers(), node.get("y").numbers(), node.get("std", None)
    if len(y) != len(x):
        raise invalid(node.get("y").place, f"{len(y)} values", f"{len(x)} values, as many as x")
    spread = None if std.value is None else std.numbers()
    if spread is not None and len(spread) != len(x):
        raise invalid(std.place, f"{len(spread)} values", f"{len(x)} values, as many as x")
    return Series(name=node.get("name").text(), x=x, y=y, std=spread)


def _group(node: Node) -> Group:
    edges, counts = node.get("edges").numbers(), node.get("counts").numbers()
    if len(edges) != len(counts) + 1:
        raise invalid(node.get("edges").place, f"{len(edges)} edges", f"{len(counts) + 1} edges")
    if not all(low < high for low, high in pairwise(edges)):
        raise node.get("edges").error("finite edges that rise")
    if not all(math.isfinite(each) and each >= 0 for each in counts):
        raise node.get("counts").error("counts of at least 0")
    return Group(name=node.get("name").text(), edges=edges, counts=counts)
