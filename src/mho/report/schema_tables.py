"""The tables of a result: columns with units, and cells of text or numbers, checked and frozen."""

from dataclasses import dataclass

from mho.errors import invalid
from mho.report.node import Node


@dataclass(frozen=True, kw_only=True)
class Column:
    name: str
    unit: str


@dataclass(frozen=True, kw_only=True)
class Value:
    """A number, with the standard deviation around it where there is one."""

    mean: float
    std: float | None


Cell = str | Value | None


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of as many cells as there are columns; None is an empty cell."""

    id: str
    title: str
    note: str
    columns: list[Column]
    rows: list[list[Cell]]


def read_table(node: Node) -> Table:
    columns = [
        Column(name=each.get("name").text(), unit=each.get("unit", "").text())
        for each in node.get("columns").items()
    ]
    if not columns:
        raise node.get("columns").error("at least one column")
    note = node.get("note", "")
    return Table(
        id=node.get("id").identifier(),
        title=node.get("title").text(),
        note=note.text() if note.value is not None else "",
        columns=columns,
        rows=[_row(each, len(columns)) for each in node.get("rows").items()],
    )


def _row(node: Node, width: int) -> list[Cell]:
    cells = [_cell(each) for each in node.items()]
    if len(cells) != width:
        raise invalid(node.place, f"{len(cells)} cells", f"{width} cells, as many as columns")
    return cells


def _cell(node: Node) -> Cell:
    if node.value is None:
        return None
    if isinstance(node.value, str):
        return node.text()
    if not isinstance(node.value, dict):
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            raise node.error("a string, a number, null, or a table with mean and std")
        return Value(mean=node.number(), std=None)
    return Value(mean=node.get("mean").number(), std=node.get("std", None).optional_std())
