"""What a run folder says: `result.json` read into checked, frozen records."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from mho.errors import invalid
from mho.report.node import Node, clean
from mho.report.schema_circuit import Circuit, read_circuit
from mho.report.schema_figures import (
    Bars,
    Curve,
    Histogram,
    Map,
    read_bars,
    read_curve,
    read_histogram,
    read_map,
)
from mho.report.schema_ranking import Ranking, read_ranking
from mho.report.schema_tables import Table, read_table

LEDGER_FIELDS = ("cells", "writes", "set_pulses", "reset_pulses", "verify_reads", "vectors")


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A number of the paper beside ours; `better` says which side of it is a success."""

    id: str
    what: str
    paper: float | None
    ours: float | None
    std: float | None
    n: int
    unit: str
    note: str
    better: str


@dataclass(frozen=True, kw_only=True)
class LedgerRow:
    layer: str
    counts: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class CostItem:
    what: str
    value: float | None
    unit: str


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run folder: the result, and where recorded its config and environment."""

    folder: Path
    experiment: str
    title: str
    preset: str
    seed: int
    wall_s: float | None
    summary: str
    claims: list[Claim]
    tables: list[Table]
    rankings: list[Ranking]
    curves: list[Curve]
    bars: list[Bars]
    maps: list[Map]
    circuits: list[Circuit]
    histograms: list[Histogram]
    ledger: list[LedgerRow]
    ledger_total: LedgerRow | None
    prices: str
    cost: list[CostItem]
    config: str | None
    env: dict[str, object]

    @property
    def figures(self) -> list[Ranking | Curve | Bars | Map | Circuit | Histogram]:
        """Every figure in the order of the page."""
        plain = [*self.curves, *self.bars, *self.maps, *self.circuits, *self.histograms]
        return [*self.rankings, *plain]


def read_run(folder: Path) -> Run:
    """Read and check `folder`; `ValueError` names the file, the field and what is wrong."""
    node = Node.load(folder / "result.json")
    ledger = node.get("ledger", {})
    total = ledger.get("total", None)
    cost = node.get("cost", {})
    run = Run(
        folder=folder,
        experiment=node.get("experiment").text(),
        title=node.get("title").text(),
        preset=node.get("preset", "").text(),
        seed=node.get("seed").integer(),
        wall_s=node.get("wall_s", None).optional_number(),
        summary=node.get("summary", "").text(),
        claims=read_claims(node),
        tables=[read_table(each) for each in node.get("tables", []).items()],
        rankings=[read_ranking(each) for each in node.get("rankings", []).items()],
        curves=[read_curve(each) for each in node.get("curves", []).items()],
        bars=[read_bars(each) for each in node.get("bars", []).items()],
        maps=[read_map(each) for each in node.get("maps", []).items()],
        circuits=[read_circuit(each) for each in node.get("circuits", []).items()],
        histograms=[read_histogram(each) for each in node.get("histograms", []).items()],
        ledger=[_ledger_row(each, None) for each in ledger.get("layers", []).items()],
        ledger_total=_ledger_row(total, "total") if total.value else None,
        prices=cost.get("prices", "").text(),
        cost=[_cost_item(each) for each in cost.get("items", []).items()],
        config=_config(folder / "config.toml"),
        env=Node.load(folder / "env.json").value if (folder / "env.json").exists() else {},
    )
    _check_unique(node, "figure", [each.id for each in run.figures])
    _check_unique(node, "table", [each.id for each in run.tables])
    return run


def read_claims(result: Node) -> list[Claim]:
    """The claims of a result; those without a unit of `%` have no better side by default."""
    return [_claim(each) for each in result.get("claims").items()]


def _claim(node: Node) -> Claim:
    unit = node.get("unit", "").text()
    side = node.get("better", "higher" if unit == "%" else "neither")
    note = node.get("note", "")
    return Claim(
        id=node.get("id").text(),
        what=node.get("what").text(),
        paper=node.get("paper").optional_number(),
        ours=node.get("ours").optional_number(),
        std=node.get("std", None).optional_std(),
        n=node.get("n", 1).integer(),
        unit=unit,
        note=note.text() if note.value is not None else "",
        better=side.choice("higher", "lower", "neither"),
    )


def _ledger_row(node: Node, name: str | None) -> LedgerRow:
    counts = {
        clean(key): node.get(key).integer()
        for key in node.fields()
        if key in LEDGER_FIELDS or type(node.get(key).value) is int
    }
    return LedgerRow(layer=name or node.get("layer").text(), counts=counts)


def _cost_item(node: Node) -> CostItem:
    return CostItem(
        what=node.get("what").text(),
        value=node.get("value").optional_number(),
        unit=node.get("unit", "").text(),
    )


def _config(path: Path) -> str | None:
    return clean(path.read_text(encoding="utf-8", errors="replace")) if path.exists() else None


def _check_unique(node: Node, what: str, ids: list[str]) -> None:
    twice = [name for name, times in Counter(map(str.lower, ids)).items() if times > 1]
    if twice:
        raise invalid(f"{node.place}: id", twice[0], f"one {what} per id, case ignored")
