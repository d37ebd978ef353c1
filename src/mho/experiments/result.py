"""The pieces of a `result.json`: claims, curves, histograms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from mho.hardware import Cost, Ledger

Better = Literal["higher", "lower", "neither"]


def claim(
    id: str,
    what: str,
    values: Sequence[float],
    unit: str,
    *,
    paper: float | None = None,
    better: Better = "higher",
    note: str = "",
) -> dict[str, Any]:
    """One row of the claims table: mean and standard deviation of `values`, the paper's beside."""
    mean, std = mean_std(values)
    row = {"id": id, "what": what, "paper": paper, "ours": mean, "std": std, "n": len(values)}
    return row | {"unit": unit, "better": better, "note": note}


def mean_std(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and sample standard deviation; no deviation for a single value."""
    x = torch.tensor(list(values), dtype=torch.float64)
    return x.mean().item(), x.std().item() if len(x) > 1 else None


def series(name: str, x: Sequence[float], rows: Sequence[Sequence[float]]) -> dict[str, Any]:
    """A curve with its spread: `rows` holds the repeats at each x."""
    stats = [mean_std(row) for row in rows]
    spread = [std for _, std in stats]
    return {
        "name": name,
        "x": list(x),
        "y": [mean for mean, _ in stats],
        "std": None if None in spread else spread,
    }


def curve(
    id: str,
    title: str,
    x_label: str,
    y_label: str,
    rows: Sequence[dict[str, Any]],
    *,
    x_scale: str = "linear",
    y_scale: str = "linear",
    marks: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    """A figure with one line for each series."""
    labels = {"id": id, "title": title, "x_label": x_label, "y_label": y_label}
    scales = {"x_scale": x_scale, "y_scale": y_scale}
    return labels | scales | {"series": list(rows), "marks": list(marks)}


def histogram(values: Tensor, edges: Sequence[float] | Tensor, name: str) -> dict[str, Any]:
    """Counts of values between edges."""
    bins = torch.as_tensor(edges, dtype=torch.float64)
    counts, _ = torch.histogram(values.detach().double().cpu().flatten(), bins)
    return {"name": name, "edges": bins.tolist(), "counts": counts.long().tolist()}


def level_groups(level: Tensor, conductance: Tensor, states: int, bins: int = 80) -> list[Any]:
    """Histogram of conductance [S] for each programmed level; cells as flat tensors."""
    top = conductance.max().item() * 1.02
    edges = torch.linspace(0, top, bins + 1, dtype=torch.float64)
    shown = range(states) if states <= 16 else range(0, states, -(-states // 16))
    return [histogram(conductance[level == k], edges, f"level {k}") for k in shown]


def wear_histogram(ledger: Ledger, title: str = "Programming pulses per cell") -> dict[str, Any]:
    """How often cells were pulsed, all layers and chips."""
    pulses = ledger.pulses_per_cell()
    top = max(int(pulses.max()), 1)
    edges = torch.linspace(-0.5, top + 0.5, min(top + 1, 60) + 1, dtype=torch.float64)
    return {
        "id": "wear",
        "title": title,
        "x_label": "programming pulses",
        "x_scale": "linear",
        "y_scale": "log",
        "groups": [histogram(pulses, edges, layer_title(ledger))],
    }


def layer_title(ledger: Ledger) -> str:
    """What the cells of a ledger are, for a legend."""
    chips = f"{ledger.chips} chip" + "s" * (ledger.chips > 1)
    return f"{sum(layer.cells for layer in ledger.layers):,} cells, {chips}"


def cost_rows(prices: str, cost: Cost) -> dict[str, Any]:
    """Cost block of a result."""
    return {"prices": prices, "items": cost.items()}


__all__ = [
    "claim",
    "cost_rows",
    "curve",
    "histogram",
    "layer_title",
    "level_groups",
    "mean_std",
    "series",
    "wear_histogram",
]
