"""The pieces of a `result.json`: claims, figures, tables, and the account of what the chips did."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor, nn

from mho.hardware import Ledger, ledger, price
from mho.hardware import prices as price_lists
from mho.learning.layers.layer import memristive_layers

T = TypeVar("T")
Better = Literal["higher", "lower", "neither"]
Pooled = Literal["mean", "lowest", "highest"]
"""What becomes of a claim's values, within a run and over seeds."""


def claim(
    id: str,
    what: str,
    values: Sequence[float],
    unit: str,
    *,
    paper: float | None = None,
    better: Better = "higher",
    note: str = "",
    pooled: Pooled = "mean",
) -> dict[str, Any]:
    """One row of the claims table: mean and standard deviation of `values`, the paper's beside.

    `pooled` may ask for their lowest or highest value instead.
    """
    mean, std = mean_std(values)
    if pooled != "mean":
        mean, std = (min if pooled == "lowest" else max)(values), None
    row = {"id": id, "what": what, "paper": paper, "ours": mean, "std": std, "n": len(values)}
    return row | {"unit": unit, "better": better, "note": note, "pooled": pooled}


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


def grouped(
    points: Mapping[str, T], value: Callable[[T], float], *, percent: bool = False
) -> list[dict[str, Any]]:
    """A curve for each name, over the number that follows its comma: "read noise, 0.05"."""
    lines: dict[str, list[tuple[float, float]]] = {}
    for key, outcome in points.items():
        name, number = key.rsplit(", ", 1)
        x = float(number) * (100 if percent else 1)
        lines.setdefault(name, []).append((x, value(outcome)))
    return [
        series(name, [x for x, _ in found], [[y] for _, y in found])
        for name, found in lines.items()
    ]


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


def bars(
    id: str,
    title: str,
    value_label: str,
    categories: Sequence[str],
    groups: Sequence[dict[str, Any]],
    *,
    scale: str = "linear",
    stacked: bool = False,
) -> dict[str, Any]:
    """A bar chart: a row for each category, in it a bar of each group.

    A unit in brackets in `value_label` is that of the values. Stacked bars stand end to end and
    show their sum: they need a linear scale, values of at least 0 and groups without `std`.
    """
    labels = {"id": id, "title": title, "value_label": value_label, "scale": scale}
    return labels | {"categories": list(categories), "groups": list(groups), "stacked": stacked}


def bar_group(name: str, rows: Sequence[Sequence[float]]) -> dict[str, Any]:
    """Bars of one colour with their spread: `rows` holds each category's repeats, or none."""
    stats = [mean_std(row) if row else (None, None) for row in rows]
    spread = all(std is not None for row, (_, std) in zip(rows, stats, strict=True) if row)
    return {
        "name": name,
        "values": [mean for mean, _ in stats],
        "std": [std for _, std in stats] if spread and any(rows) else None,
    }


def table(
    id: str,
    title: str,
    columns: Sequence[tuple[str, str]],
    rows: Sequence[Sequence[Any]],
    note: str = "",
) -> dict[str, Any]:
    """A table; columns are (name, unit), cells text, numbers, None, or mean and std."""
    heads = [{"name": name, "unit": unit} for name, unit in columns]
    return {"id": id, "title": title, "note": note, "columns": heads, "rows": list(rows)}


def histogram(values: Tensor, edges: Sequence[float] | Tensor, name: str) -> dict[str, Any]:
    """Counts of values between edges."""
    bins = torch.as_tensor(edges, dtype=torch.float64)
    counts, _ = torch.histogram(values.detach().double().cpu().flatten(), bins)
    return {"name": name, "edges": bins.tolist(), "counts": counts.long().tolist()}


def account(net: nn.Module, prices: str, layer: int = 0) -> dict[str, Any]:
    """What a network's chips did and cost, as plain values, and the histograms of one layer.

    `writes_999` is what 99.9 % of the cells do not exceed, the first programming included;
    `max_pulses` is that of the cells that can die: cells made stuck take the most and feel nothing.
    """
    counts = ledger(net)
    cost = price(counts, price_lists.get(prices))
    writes = counts.writes_per_cell().flatten()
    crossbar = list(memristive_layers(net).values())[layer].crossbar
    used = crossbar.tiling.used()
    conductance = crossbar.conductance.cpu()[:, used]
    level = crossbar.level.cpu()[used].expand(conductance.shape)
    return {
        "cells": sum(row.cells for row in counts.layers),
        "weights": sum(row.weights for row in counts.layers),
        "mean_writes": writes.double().mean().item(),
        "writes_999": float(writes.kthvalue(math.ceil(0.999 * len(writes))).values),
        "max_writes": int(writes.max()),
        "max_pulses": max(row.most_pulses for row in counts.layers),
        "programming_energy": cost.programming_energy,
        "ledger": counts.to_dict(),
        "cost": {"prices": prices, "items": cost.items()},
        "levels": _level_groups(level, conductance, crossbar.hardware.device.states),
        "wear": _wear_histogram(counts),
    }


def account_blocks(
    accounted: dict[str, Any], title: str, y_scale: str = "linear"
) -> dict[str, Any]:
    """The histograms, ledger and cost of a result; `title` says which cells are shown by level."""
    levels = {"id": "levels", "title": title, "x_label": "conductance [S]", "x_scale": "linear"}
    return {
        "histograms": [
            levels | {"y_scale": y_scale, "groups": accounted["levels"]},
            accounted["wear"],
        ],
        "ledger": accounted["ledger"],
        "cost": accounted["cost"],
    }


def _level_groups(level: Tensor, conductance: Tensor, states: int, bins: int = 80) -> list[Any]:
    """Histogram of conductance [S] for each programmed level; both of the same shape."""
    edges = torch.linspace(0, conductance.max().item() * 1.02, bins + 1, dtype=torch.float64)
    shown = range(states) if states <= 16 else range(0, states, -(-states // 16))
    return [histogram(conductance[level == k], edges, f"level {k}") for k in shown]


def whole_edges(top: int, most: int = 60) -> Tensor:
    """Edges of at most `most` bins of equally many whole numbers, which hold 0 to `top`."""
    width = -(-(top + 1) // most)
    bins = -(-(top + 1) // width)
    return torch.arange(bins + 1, dtype=torch.float64) * width - 0.5


def _wear_histogram(counts: Ledger) -> dict[str, Any]:
    """How often cells were pulsed, all layers and chips."""
    pulses = counts.pulses_per_cell()
    edges = whole_edges(max(int(pulses.max()), 1))
    cells = sum(row.cells for row in counts.layers)
    name = f"{cells:,} cells, {counts.chips} chip" + "s" * (counts.chips > 1)
    return {
        "id": "wear",
        "title": "Programming pulses per cell",
        "x_label": "programming pulses",
        "x_scale": "linear",
        "y_scale": "log",
        "groups": [histogram(pulses, edges, name)],
    }
