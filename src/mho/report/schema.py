"""What a run folder says: `result.json` read into checked, frozen records."""

import math
import re
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from mho.errors import invalid
from mho.report.node import Node, clean

LEDGER_FIELDS = ("cells", "writes", "set_pulses", "reset_pulses", "verify_reads", "vectors")
RESERVED_ID = "claims"

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


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
class Figure:
    """What every figure has; a `Curve` or a `Histogram` says the rest."""

    id: str
    title: str
    x_label: str
    y_label: str
    x_scale: str
    y_scale: str


@dataclass(frozen=True, kw_only=True)
class Curve(Figure):
    series: list[Series]
    marks: list[tuple[float, str]]


@dataclass(frozen=True, kw_only=True)
class Histogram(Figure):
    groups: list[Group]


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
    curves: list[Curve]
    histograms: list[Histogram]
    ledger: list[LedgerRow]
    ledger_total: LedgerRow | None
    prices: str
    cost: list[CostItem]
    config: str | None
    env: dict[str, object]


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
        curves=[_curve(each) for each in node.get("curves", []).items()],
        histograms=[_histogram(each) for each in node.get("histograms", []).items()],
        ledger=[_ledger_row(each, None) for each in ledger.get("layers", []).items()],
        ledger_total=_ledger_row(total, "total") if total.value else None,
        prices=cost.get("prices", "").text(),
        cost=[_cost_item(each) for each in cost.get("items", []).items()],
        config=_config(folder / "config.toml"),
        env=Node.load(folder / "env.json").value if (folder / "env.json").exists() else {},
    )
    _check_unique(node, [each.id for each in (*run.curves, *run.histograms)])
    return run


def read_claims(result: Node) -> list[Claim]:
    """The claims of a result; those without a unit of `%` have no better side by default."""
    return [_claim(each) for each in result.get("claims").items()]


def _claim(node: Node) -> Claim:
    unit = node.get("unit", "").text()
    side = node.get("better", "higher" if unit == "%" else "neither")
    std = node.get("std", None).optional_number()
    if std is not None and std < 0:
        raise node.get("std").error("at least 0, or null")
    note = node.get("note", "")
    return Claim(
        id=node.get("id").text(),
        what=node.get("what").text(),
        paper=node.get("paper").optional_number(),
        ours=node.get("ours").optional_number(),
        std=std,
        n=node.get("n", 1).integer(),
        unit=unit,
        note=note.text() if note.value is not None else "",
        better=side.choice("higher", "lower", "neither"),
    )


def _curve(node: Node) -> Curve:
    return Curve(
        **_figure(node, node.get("y_label")),
        series=[_series(each) for each in node.get("series").items()],
        marks=[
            (float(each.get("x").number()), each.get("label").text())
            for each in node.get("marks", []).items()
        ],
    )


def _histogram(node: Node) -> Histogram:
    return Histogram(
        **_figure(node, node.get("y_label", "count")),
        groups=[_group(each) for each in node.get("groups").items()],
    )


def _figure(node: Node, y_label: Node) -> dict[str, str]:
    name = node.get("id")
    if not _ID.fullmatch(name.text()) or name.value == RESERVED_ID:
        raise name.error(f"letters, digits, '.', '_' and '-', other than {RESERVED_ID!r}")
    return {
        "id": name.text(),
        "title": node.get("title").text(),
        "x_label": node.get("x_label").text(),
        "y_label": y_label.text(),
        "x_scale": node.get("x_scale", "linear").choice("linear", "log"),
        "y_scale": node.get("y_scale", "linear").choice("linear", "log"),
    }


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


def _check_unique(node: Node, ids: list[str]) -> None:
    twice = [name for name, times in Counter(map(str.lower, ids)).items() if times > 1]
    if twice:
        raise invalid(f"{node.place}: id", twice[0], "one figure per id, case ignored")
