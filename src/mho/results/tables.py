"""The tables of a result: columns with units, and cells of text or numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mho.errors import invalid
from mho.results.figures import Deviation, check_id
from mho.results.record import Record, optional, refused


@dataclass(frozen=True)
class Column(Record):
    """The head of a column; a unit is that of its numbers."""

    name: str
    unit: str = ""


@dataclass(frozen=True)
class MeanStd(Record):
    """Mean and sample standard deviation; no deviation of a single value."""

    mean: float
    std: Deviation | None = None


Cell = str | float | MeanStd | None
"""None is an empty cell."""


@dataclass(frozen=True)
class Table(Record):
    """Rows of as many cells as there are columns."""

    id: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    note: str = ""
    pooled: Literal["first"] | None = optional(None)
    """"first": over several seeds the table is that of the first."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_id(self.id)
        if not self.columns:
            raise refused("columns", self.columns, "at least one column")
        for i, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                wanted = f"{len(self.columns)} cells, as many as columns"
                raise invalid(f"rows[{i}]", f"{len(row)} cells", wanted)
