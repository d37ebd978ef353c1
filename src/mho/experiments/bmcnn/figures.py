"""Curves and maps of the studies."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Any

from mho.experiments.bmcnn.config import BmcnnConfig
from mho.experiments.bmcnn.mitigation import mitigation
from mho.experiments.bmcnn.network import TRAININGS
from mho.experiments.bmcnn.rows import Row, pooled
from mho.results import Curve, Map, Series, mean_std, series

SPREAD = "spread, standard deviation over mean [%]"
ACCURACY = "accuracy [%]"


def _lines(
    rows: Iterable[Row], name: Callable[[Row], str], x: Callable[[Row], float]
) -> list[Series]:
    """One series for each name, in the order of appearance; chips of equal x are pooled."""
    groups: dict[str, dict[float, list[float]]] = {}
    for row in rows:
        groups.setdefault(name(row), {}).setdefault(x(row), []).extend(row["accuracy"])
    return [series(label, list(at), list(at.values())) for label, at in groups.items()]


def both(config: BmcnnConfig, rows: list[Row], training: str) -> Curve:
    shown = [r for r in rows if r["training"] == training and r["mitigation"] in config.mitigations]
    return Curve(
        f"both_{training}", f"Spread of R_ON and R_OFF, {training} training", SPREAD, ACCURACY,
        _lines(shown, lambda r: r["mitigation"], lambda r: 100 * r["cov_on"]),
    )  # fmt: skip


def _alone(rows: list[Row]) -> list[Curve]:
    curves = []
    for training in TRAININGS:
        for field, other, title in (("cov_on", "cov_off", "R_ON"), ("cov_off", "cov_on", "R_OFF")):
            shown = [r for r in rows if r["training"] == training and r[other] == 0.0]
            lines = _lines(shown, lambda r: r["mitigation"], lambda r, f=field: 100 * r[f])
            curves.append(Curve(
                f"{field}_{training}", f"Spread of {title} alone, {training} training",
                SPREAD, ACCURACY, lines,
            ))  # fmt: skip
    return curves


def _stuck(rows: list[Row]) -> list[Curve]:
    lines = _lines(
        rows, lambda r: f"{r['training']}, {r['mitigation']}", lambda r: 100 * r["stuck"]
    )
    return [Curve("stuck", "Stuck cells, no spread", "share of stuck cells [%]", ACCURACY, lines)]


def _shapes(rows: list[Row]) -> list[Curve]:
    curves = []
    for training in TRAININGS:
        shown = [r for r in rows if r["training"] == training]
        name = f"{training} training, {shown[0]['mitigation']}"
        lines = _lines(shown, lambda r: r["shape"], lambda r: 100 * r["cov_on"])
        title = f"Shape of both spreads, {name}"
        curves.append(Curve(f"shapes_{training}", title, SPREAD, ACCURACY, lines))
    return curves


def _pairs(rows: list[Row]) -> list[Curve]:
    curves = []
    for (on, off), group in groupby(
        sorted(rows, key=lambda r: r["r_on"]), lambda r: (r["r_on"], r["r_off"])
    ):
        shown = list(group)
        lines = _lines(
            shown, lambda r: f"{r['training']}, {r['mitigation']}", lambda r: 100 * r["cov_on"]
        )
        curves.append(Curve(
            f"pair_{on:g}_{off:g}",
            f"{on:g} and {off:g} ohm, both normal, sigma(R_OFF) = 2 sigma(R_ON)",
            "sigma(R_ON) over mean [%]", ACCURACY, lines,
        ))  # fmt: skip
    return curves


def _resolution(id: str, title: str, field: str) -> Callable[[list[Row]], list[Curve]]:
    """Accuracy against the bits in a field."""

    def draw(rows: list[Row]) -> list[Curve]:
        lines = _lines(rows, lambda r: f"{r['cov_on']:.0%} spread", lambda r: r[field])
        return [Curve(id, title, "bits, sign included", ACCURACY, lines)]

    return draw


def _copies(rows: list[Row]) -> list[Curve]:
    lines = _lines(
        rows,
        lambda r: f"{r['training']}, {r['cov_on']:.0%} spread",
        lambda r: mitigation(r["mitigation"]).copies,
    )
    title = "Redundancy, batch norm refreshed"
    return [Curve("copies", title, "pairs that share a weight", ACCURACY, lines)]


def yields(config: BmcnnConfig, outcomes: list[dict[str, Any]], cov: float) -> Curve:
    """Share of chips above an accuracy: the claimed repairs on test images, others held out."""
    held_out = [row for o in outcomes for row in o["held_out"]]
    lines = {
        f"plain, {name}, held-out images": pooled(held_out, "plain", name, cov)
        for name in ("none", "layer", "batch norm")
        if name in config.mitigations
    }
    titles = {
        "free": "best without labels",
        "labelled": "best with labels",
        "more": "with more writes or cells",
    }
    for which, title in titles.items():
        found = [o["test"][str(cov)].get(which, {"accuracy": []}) for o in outcomes]
        lines[f"{title}, test images"] = [a for row in found for a in row["accuracy"]]
    steps = round((100 - config.yield_from) * 10)
    wanted = [config.yield_from + i / 10 for i in range(steps + 1)]
    drawn = [
        series(name, wanted, [[100 * sum(a >= w for a in chips) / len(chips)] for w in wanted])
        for name, chips in lines.items()
        if chips
    ]
    return Curve(
        f"yield_{round(100 * cov)}", f"Yield at {cov:.0%} spread",
        "accuracy that a chip must reach [%]", "chips that do [%]", drawn,
    )  # fmt: skip


def maps(rows: list[Row]) -> list[Map]:
    if not rows:
        return []
    spread = [r for r in rows if r["r_off"] is None]
    by_ratio = [r for r in rows if r["r_off"] is not None]
    note = "aware training, batch norm refreshed"
    return [
        _map("spread_map", f"Spread of each state, {note}", spread,
             "spread of R_ON [%]", lambda r: 100 * r["cov_on"],
             "spread of R_OFF [%]", lambda r: 100 * r["cov_off"]),
        _map("ratio_map", f"Window and spread, {note}", by_ratio,
             "spread of both [%]", lambda r: 100 * r["cov_on"],
             "R_OFF / R_ON", lambda r: r["r_off"] / r["r_on"]),
    ]  # fmt: skip


def _map(
    id: str, title: str, rows: list[Row], x_label: str, x: Callable[[Row], float], y_label: str,
    y: Callable[[Row], float],
) -> Map:  # fmt: skip
    columns, lines = sorted({x(r) for r in rows}), sorted({y(r) for r in rows})
    at = {(x(r), y(r)): mean_std(r["accuracy"]).mean for r in rows}
    values = [[at.get((a, b)) for a in columns] for b in lines]
    return Map(id, title, x_label, y_label, ACCURACY, columns, lines, values)


def confusion(config: BmcnnConfig, counts: list[list[int]]) -> Map:
    digits = [str(k) for k in range(10)]
    cov = config.spread.claimed[-1]
    title = f"Worst chip of the first training, {cov:.0%} spread, best label-free repair"
    return Map("confusion", title, "answer", "digit", "test images", digits, digits, counts,
               scale="log", pooled="first")  # fmt: skip


CURVES: dict[str, Callable[[list[Row]], list[Curve]]] = {
    "alone": _alone, "shapes": _shapes, "stuck": _stuck, "pairs": _pairs,
    "bits": _resolution("bits", "Fixed-point classifier and batch normalization", "bits"),
    "converters": _resolution("converters", "DACs and ADCs, one for each tile", "converter_bits"),
    "copies": _copies,
}  # fmt: skip
"""Curves of each study."""

STUDIED = ("shapes", "stuck", "pairs", "bits", "converters", "copies")
"""Curves that follow those of yield, in this order."""
