"""A ranking: names by a value with its interval, other values of the same beside, in panels."""

from dataclasses import dataclass

from mho.errors import invalid
from mho.report.node import Node
from mho.report.schema_figures import Figure, read_figure


@dataclass(frozen=True, kw_only=True)
class Rank:
    """One row: its value within an interval, and a value of each kind beside it, with a spread."""

    name: str
    value: float
    low: float
    high: float
    side: list[float]
    side_std: list[float]


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Rows that are ranked among each other; a value below `floor` says nothing."""

    name: str
    floor: float
    rows: list[Rank]


@dataclass(frozen=True, kw_only=True)
class Ranking(Figure):
    """Panels below each other, on common axes."""

    value_label: str
    side_label: str
    side_names: list[str]
    panels: list[Panel]


def read_ranking(node: Node) -> Ranking:
    side_names = [each.text() for each in node.get("side_names").items()]
    panels = [_panel(each, len(side_names)) for each in node.get("panels").items()]
    for what, found in (("side_names", side_names), ("panels", panels)):
        if not found:
            raise node.get(what).error("at least one")
    return Ranking(
        **read_figure(node),
        value_label=node.get("value_label").text(),
        side_label=node.get("side_label").text(),
        side_names=side_names,
        panels=panels,
    )


def _panel(node: Node, sides: int) -> Panel:
    rows = [_rank(each, sides) for each in node.get("rows").items()]
    if not rows:
        raise node.get("rows").error("at least one")
    return Panel(name=node.get("name").text(), floor=float(node.get("floor").number()), rows=rows)


def _rank(node: Node, sides: int) -> Rank:
    side, side_std = node.get("side"), node.get("side_std")
    for each in (side, side_std):
        if len(found := each.numbers()) != sides:
            wanted = f"{sides} values, as many as side_names"
            raise invalid(each.place, f"{len(found)} values", wanted)
    value, low, high = (float(node.get(key).number()) for key in ("value", "low", "high"))
    if low > high:
        raise node.get("low").error(f"at most high = {high:g}")
    return Rank(
        name=node.get("name").text(),
        value=value,
        low=low,
        high=high,
        side=side.numbers(),
        side_std=side_std.numbers(),
    )
