"""Figures of the mitigations compared: over spread, yield, the worst chip."""

from __future__ import annotations

from typing import Any

import mho
from mho.experiments.bmcnn.config import BmcnnConfig
from mho.experiments.bmcnn.points import Row, pooled
from mho.experiments.bmcnn.studies import ACCURACY, SPREAD
from mho.experiments.study import lines
from mho.results import Curve, Map, series


def both(config: BmcnnConfig, rows: list[Row], training: str) -> Curve:
    shown = [r for r in rows if r["training"] == training and r["mitigation"] in config.mitigations]
    readings = ((r["mitigation"], 100 * r["cov_on"], r["accuracy"]) for r in shown)
    title = f"Spread of R_ON and R_OFF, {training} training"
    return Curve(f"both_{training}", title, SPREAD, ACCURACY.label, lines(readings))


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
        "accuracy that a chip must reach [%]", "chips that reach it [%]", drawn,
    )  # fmt: skip


def confusion(config: BmcnnConfig, counts: list[list[int]]) -> Map:
    names = list(mho.data.dataset(config.data).classes)
    cov = config.spread.claimed[-1]
    title = f"Worst chip of the first training, {cov:.0%} spread, best repair without labels"
    return Map("confusion", title, "answer", "true class", "test images", names, names, counts,
               scale="log", pooled="first")  # fmt: skip
