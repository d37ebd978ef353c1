"""A ranking: names by a value with its interval, other values of the same beside, in panels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mho.results.figures import Figure, check_length
from mho.results.record import Record, refused


@dataclass(frozen=True)
class Rank(Record):
    """One row: its value within an interval, and a value of each kind beside it, with a spread."""

    name: str
    value: float
    low: float
    high: float
    side: Sequence[float | None]
    side_std: Sequence[float | None]

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.low > self.high:
            raise refused("low", self.low, f"at most high = {self.high:g}")


@dataclass(frozen=True)
class RankPanel(Record):
    """Rows that are ranked among each other; a value below `floor` says nothing."""

    name: str
    floor: float
    rows: Sequence[Rank]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.rows:
            raise refused("rows", self.rows, "at least one")


@dataclass(frozen=True)
class Ranking(Figure):
    """Panels below each other, on common axes; `side_names` are the kinds of values beside."""

    value_label: str
    side_label: str
    side_names: Sequence[str]
    panels: Sequence[RankPanel]

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("side_names", "panels"):
            if not getattr(self, name):
                raise refused(name, getattr(self, name), "at least one")
        for i, panel in enumerate(self.panels):
            for k, row in enumerate(panel.rows):
                for name in ("side", "side_std"):
                    at = f"panels[{i}].rows[{k}].{name}"
                    check_length(at, getattr(row, name), len(self.side_names), "side_names")
