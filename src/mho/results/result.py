"""What a run found: claims beside the paper's numbers, figures, tables, counts and their cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mho.errors import invalid
from mho.results.circuit import Circuit
from mho.results.earlier import result_of_today
from mho.results.figures import Bars, Curve, Deviation, Figure, Histogram, Map
from mho.results.ranking import Ranking
from mho.results.record import Record, optional, remaining
from mho.results.tables import Table

Better = Literal["higher", "lower", "neither"]
Pooled = Literal["mean", "lowest", "highest"]
"""What becomes of a claim's values, within a run and over seeds."""


@dataclass(frozen=True)
class Claim(Record):
    """A number of the paper beside ours; `better` says which side of it is a success."""

    id: str
    what: str
    paper: float | None
    ours: float | None
    std: Deviation | None = None
    n: int = 1
    """Values that `ours` and `std` are of [1]."""
    unit: str = ""
    better: Better = "higher"
    note: str = ""
    pooled: Pooled = "mean"


@dataclass(frozen=True)
class LedgerRow(Record):
    """Events of one layer, by name."""

    layer: str
    counts: Mapping[str, int] = remaining()


@dataclass(frozen=True)
class Ledger(Record):
    """Events of the chips, by layer and in all."""

    chips: int | None = optional(None)
    once: Sequence[str] = optional(())
    """Counts of what there is once, however many chips; all others are summed over the chips. Files
    that name none sum all."""
    layers: Sequence[LedgerRow] = ()
    total: Mapping[str, int] | None = optional(None)
    share: str = optional("")
    """How much of a network this is of, such as `51 % of the multiplications`; empty: of all."""


@dataclass(frozen=True)
class CostItem(Record):
    """A price that was paid."""

    what: str
    value: float | None
    unit: str = ""
    note: str = optional("")
    """What the number assumes."""


@dataclass(frozen=True)
class Cost(Record):
    """What the events cost by a price list."""

    prices: str = ""
    items: Sequence[CostItem] = ()
    unpriced: Sequence[str] = optional(())
    """What is in no number, with the reason."""


@dataclass(frozen=True, kw_only=True)
class Result(Record):
    """What `result.json` holds; a block that a run does not have is empty.

    Raises:
        ValueError: two figures or two tables have one id.
    """

    experiment: str
    preset: str = ""
    seed: int
    wall_s: float | None = None
    """Time that the run took [s]."""
    processes: int = optional(1)
    """Processes that did the run together."""
    title: str
    summary: str = ""
    claims: Sequence[Claim]
    tables: Sequence[Table] = optional(())
    rankings: Sequence[Ranking] = optional(())
    curves: Sequence[Curve] = optional(())
    bars: Sequence[Bars] = optional(())
    maps: Sequence[Map] = optional(())
    circuits: Sequence[Circuit] = optional(())
    histograms: Sequence[Histogram] = optional(())
    ledger: Ledger | None = optional(None)
    cost: Cost | None = optional(None)
    seeds: Sequence[int] = optional(())
    """Seeds that the result is pooled over."""

    @classmethod
    def of_today(cls, value: Mapping[str, Any]) -> Mapping[str, Any]:
        """As `Record.of_today`: schemes have their names of today."""
        return result_of_today(value)

    def __post_init__(self) -> None:
        super().__post_init__()
        for what, parts in (("figure", self.figures), ("table", self.tables)):
            ids = Counter(each.id.lower() for each in parts)
            twice = [name for name, times in ids.items() if times > 1]
            if twice:
                raise invalid("id", twice[0], f"one {what} per id, case ignored")

    @property
    def figures(self) -> list[Figure]:
        """Every figure in the order of the page."""
        return [*self.rankings, *self.curves, *self.bars, *self.maps, *self.circuits,
                *self.histograms]  # fmt: skip
