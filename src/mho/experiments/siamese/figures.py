"""Figures of the claimed trainings: learning, what each layer writes, wear."""

from __future__ import annotations

import torch

from mho.experiments.siamese.comparison import ACCURACY
from mho.experiments.siamese.measures import Outcome, by_epoch
from mho.experiments.study import in_turn, lines
from mho.results import Curve, Group, Histogram, Map, id_of, whole_edges

Outcomes = dict[str, dict[str, list[Outcome]]]
"""Outcomes of the claimed trainings: by network, by scheme, one a chip."""


def learning(outcomes: Outcomes) -> list[Curve]:
    """Accuracy and writes by epoch, of each network; mean and deviation over chips."""
    out = []
    for network, by_scheme in outcomes.items():
        each = [(name, o) for name, found in by_scheme.items() for o in found]
        readings = (r for name, o in each for r in in_turn(name, o["history"]["validation"]))
        title = f"{network.upper()}: accuracy by epoch"
        out.append(Curve(f"{network}_learning", title, "epoch", ACCURACY.label, lines(readings)))
        readings = (r for name, o in each if name != "float" for r in in_turn(name, _shares(o)))
        title = f"{network.upper()}: share of weights written in a training step"
        out.append(Curve(f"{network}_written", title, "epoch", "share of weights x steps",
                         lines(readings), y_scale="log"))  # fmt: skip
    return out


def maps(outcomes: Outcomes) -> list[Map]:
    """Which layers are written when, first chip."""
    out = []
    for network, by_scheme in outcomes.items():
        for scheme in ("falling threshold", "on level change"):
            if scheme not in by_scheme:
                continue
            first = by_scheme[scheme][0]
            sizes = first["ledger"]["layers"]
            values = [
                [n / row["weights"] for n in by_epoch(first, f"writes of {row['layer']}")]
                for row in sizes
            ]
            out.append(
                Map(f"{network}_layers_{id_of(scheme)}",
                    f"{network.upper()}, {scheme}: writes of cells per weight", "epoch",
                    "layer, weights", "writes of a weight", list(range(1, first["epochs"] + 1)),
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


def _shares(outcome: Outcome) -> list[float]:
    """Share of weight-steps written in each epoch; half a write where there was none."""
    base = outcome["weights"] * outcome["steps_per_epoch"]
    return [max(n, 0.5) / base for n in outcome["history"]["written"]]
