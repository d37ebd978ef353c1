"""Figures: learning, the frontier of writes, wear, energy and time, layers, imperfections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from mho.experiments.siamese.config import SiameseConfig
from mho.experiments.siamese.measures import (
    Outcome,
    by_epoch,
    epochs_to_first_death,
    per_weight,
    spent,
)
from mho.experiments.siamese.schemes import SCHEMES
from mho.experiments.siamese.studies import AGES
from mho.results import (
    BarGroup,
    Bars,
    Curve,
    Group,
    Histogram,
    Map,
    bar_group,
    grouped,
    series,
    whole_edges,
)

ACCURACY = "held-out accuracy [%]"
BOTH = ("float", "frugal")
"""Schemes that stand on both figures of learning."""


def curves(
    config: SiameseConfig,
    outcomes: dict[str, dict[str, list[Outcome]]],
    compared: dict[str, Outcome],
    studies: dict[str, dict[str, Outcome]],
) -> list[Curve]:
    """The lines of a result."""
    out = []
    for network, by_scheme in outcomes.items():
        rows = [
            series(name, _epochs(found[0]), _columns(o["history"]["validation"] for o in found))
            for name, found in by_scheme.items()
        ]
        title = f"{network.upper()}: accuracy by epoch"
        out.append(Curve(f"{network}_learning", title, "epoch", ACCURACY, rows))
        rows = [
            series(name, _epochs(found[0]), _columns(_shares(o) for o in found))
            for name, found in by_scheme.items()
            if name != "float"
        ]
        title = f"{network.upper()}: share of weight-steps written"
        out.append(
            Curve(f"{network}_written", title, "epoch", "share of weights x steps", rows,
                  y_scale="log")
        )  # fmt: skip
    if compared:
        for slug, title, rivals in (
            ("schemes", "Schemes of the float twin", False), ("rivals", "Rival schemes", True),
        ):  # fmt: skip
            rows = [
                series(name, _epochs(o), _columns([o["history"]["validation"]]))
                for name, o in compared.items()
                if name in BOTH or SCHEMES[name].rival is rivals
            ]
            title = f"{title}: accuracy by epoch"
            out.append(Curve(f"{slug}_learning", title, "epoch", ACCURACY, rows))
        rows = [
            series(name, [max(per_weight(o), 1e-3)], [[o["history"]["validation"][-1]]])
            for name, o in compared.items()
            if name != "float"
        ]
        out.append(
            Curve("frontier", "All schemes: accuracy against writes", "writes per weight",
                  ACCURACY, rows, x_scale="log", pooled="points")
        )  # fmt: skip
    return out + _studies(config, studies)


def _studies(config: SiameseConfig, studies: dict[str, dict[str, Outcome]]) -> list[Curve]:
    out = []
    if "imperfections" in studies:
        rows = grouped(studies["imperfections"], _accuracy, percent=True)
        out.append(
            Curve("imperfections", "One imperfection at a time",
                  "spread or noise of the window, or share of the cells [%]", ACCURACY, rows)
        )  # fmt: skip
    if "levels" in studies:
        points = studies["levels"]
        rows = [
            series("frugal", [int(n) for n in points], [[_accuracy(o)] for o in points.values()])
        ]
        out.append(
            Curve("weight_levels", "Levels of a weight, same distances", "levels", ACCURACY, rows,
                  x_scale="log")
        )  # fmt: skip
    if "pulses" in studies:
        for slug, line in zip(
            ("nonlinearity", "asymmetry"), grouped(studies["pulses"], _accuracy), strict=True
        ):
            out.append(
                Curve(slug, f"Open-loop pulses: {line.name}", line.name, ACCURACY,
                      [replace(line, name="frugal")])
            )  # fmt: skip
    if "retention" in studies:
        rows = [
            series(f"{name}, {how}", list(AGES), [[y] for y in values])
            for name, o in studies["retention"].items()
            for how, values in o["aged"].items()
        ]
        out.append(
            Curve("retention", "Left to itself after the training", "time since [s]", ACCURACY,
                  rows, x_scale="log")
        )  # fmt: skip
    if "endurance" in studies:
        points = studies["endurance"]
        for slug, title, y_label, value in (
            ("endurance", "Accuracy as cells die", ACCURACY, _accuracy),
            ("worn", "Cells dead at the end", "cells [%]", _worn),
        ):
            rows = grouped(points, value)
            out.append(
                Curve(slug, f"{title}, {config.study.epochs} epoch(s)",
                      "pulses that a cell stands", y_label, rows, x_scale="log")
            )  # fmt: skip
    return out


def bars(
    config: SiameseConfig, compared: dict[str, Outcome], studies: dict[str, dict[str, Outcome]]
) -> list[Bars]:
    """Energy, time and lifetime of the schemes, and of the ways of programming."""
    out = []
    on_arrays = {name: o for name, o in compared.items() if name != "float"}
    if on_arrays:
        out += _costs("schemes", f"{config.scheme_epochs} epoch(s)", on_arrays)
        endurance = config.hardware.device.endurance
        lives = [epochs_to_first_death(o, endurance) for o in on_arrays.values()]
        group = bar_group("first cell", [[] if life is None else [life] for life in lives])
        if endurance is not None:
            out.append(
                Bars("lifetime", f"Epochs until a cell dies, of {endurance:g} pulses",
                            "epochs", list(on_arrays), [group], scale="log")
            )  # fmt: skip
    if "programming" in studies:
        points = studies["programming"]
        group = bar_group("frugal", [[_accuracy(o)] for o in points.values()])
        out.append(
            Bars("programming_accuracy", "Ways of programming: accuracy", ACCURACY,
                        list(points), [group])
        )  # fmt: skip
        out += _costs("programming", f"frugal, {config.study.epochs} epoch(s)", points)
    return out


def _costs(slug: str, what: str, points: dict[str, Outcome]) -> list[Bars]:
    """Energy and time after the first programming."""

    def group(name: str, entry: str) -> BarGroup:
        return bar_group(name, [[spent(o, entry)] for o in points.values()])

    return [
        Bars(f"{slug}_energy", f"Programming energy, {what}", "energy [J]", list(points),
                    [group("pulses and verify reads", "energy")], scale="log"),
        Bars(f"{slug}_time", f"Programming time, {what}", "time [s]", list(points),
                    [group("row by row", "rows"), group("cell by cell", "serial")], scale="log"),
    ]  # fmt: skip


def maps(outcomes: dict[str, dict[str, list[Outcome]]]) -> list[Map]:
    """Which layers are written when, first chip."""
    out = []
    for network, by_scheme in outcomes.items():
        for scheme in ("frugal", "level change"):
            if scheme not in by_scheme:
                continue
            first = by_scheme[scheme][0]
            sizes = first["ledger"]["layers"]
            values = [
                [n / row["weights"] for n in by_epoch(first, f"writes of {row['layer']}")]
                for row in sizes
            ]
            out.append(
                Map(f"{network}_layers_{scheme.replace(' ', '_')}",
                    f"{network.upper()}, {scheme}: writes of cells per weight", "epoch",
                    "layer, weights", "writes per weight", _epochs(first),
                    [f"{row['layer']}, {row['weights']:,}" for row in sizes], values,
                    scale="log", text=False)
            )  # fmt: skip
    return out


def wear(by_scheme: dict[str, list[Outcome]]) -> Histogram:
    """How often cells were written under each scheme, all chips."""
    found = {name: rows for name, rows in by_scheme.items() if name != "float"}
    top = max(o["max_writes"] for rows in found.values() for o in rows)
    edges = whole_edges(top)
    groups = []
    for name, rows in found.items():
        pairs = torch.tensor([pair for o in rows for pair in o["writes"]], dtype=torch.float64)
        counts, _ = torch.histogram(
            pairs[:, 0].contiguous(), edges, weight=pairs[:, 1].contiguous()
        )
        groups.append(Group(name, edges.tolist(), counts.long().tolist()))
    title = "MLP: writes of each cell in the whole training"
    return Histogram("wear", title, "writes, first programming included", groups, y_scale="log")


def _accuracy(outcome: Outcome) -> float:
    return outcome["history"]["validation"][-1]


def _worn(outcome: Outcome) -> float:
    return 100 * outcome["history"]["worn"][-1] / outcome["cells"]


def _epochs(outcome: Outcome) -> list[int]:
    return list(range(1, outcome["epochs"] + 1))


def _shares(outcome: Outcome) -> list[float]:
    """Share of weight-steps written in each epoch; half a write where there was none."""
    base = outcome["weights"] * outcome["steps_per_epoch"]
    return [max(n, 0.5) / base for n in outcome["history"]["written"]]


def _columns(rows: Any) -> Sequence[Sequence[float]]:
    return list(zip(*rows, strict=True))
