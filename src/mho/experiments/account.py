"""What the chips of a run did and cost: kept in its outcomes as JSON, shown in its result."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

import mho
from mho.hardware import Ledger as Counted
from mho.hardware import TrainingAccount, price, price_lists, training_account
from mho.hardware.prices import Prices
from mho.learning.layers.layer import memristive_layers
from mho.physics import Cell
from mho.results import (
    Column,
    Cost,
    Group,
    Histogram,
    Ledger,
    Record,
    Table,
    histogram,
    plain,
    read,
    whole_edges,
)
from mho.results.figures import Scale
from mho.results.record import optional


@dataclass(frozen=True)
class Account(Record):
    """What a result shows of `account`."""

    ledger: Ledger
    cost: Cost
    levels: Sequence[Group]
    """Conductances of one layer, for each programmed level."""
    wear: Histogram
    """Pulses of the cells."""
    events: Sequence[Table] = optional(())
    """Every kind of event with its count, energy and time; of outcomes of before none."""

    @classmethod
    def of(cls, outcome: Mapping[str, Any]) -> Account:
        """The account in the outcome of a training."""
        return read(cls, outcome, "outcome")

    def by_level(self, title: str, y_scale: Scale = "linear") -> Histogram:
        """Conductances by level; `title` says of which cells."""
        return Histogram("levels", title, "conductance [S]", self.levels, y_scale=y_scale)


def account(net: nn.Module, prices: str | Prices, layer: int = 0) -> dict[str, Any]:
    """What a network's chips did and cost, as plain values, and the histograms of one layer.

    `writes_999` is what 99.9 % of the cells do not exceed, the first programming included;
    `max_pulses` is that of the cells that can die: cells made stuck take the most and feel nothing.
    `endurance_used` is the largest share of its own endurance that one of them has spent.
    """
    counts, price_list, name = mho.ledger(net), price_lists.get(prices), price_lists.name_of(prices)
    cost = price(counts, price_list)
    writes = counts.writes_per_cell().flatten()
    crossbar = list(memristive_layers(net).values())[layer].crossbar
    used = crossbar.tiling.used()
    parts = crossbar.of_chips(
        lambda part: (part.conductance.cpu()[:, used], part.level.cpu()[used])
    )
    conductance = torch.cat([g for g, _ in parts])
    level = parts[0][1].expand(conductance.shape)
    return {
        "cells": sum(row.cells for row in counts.layers),
        "weights": sum(row.weights for row in counts.layers),
        "mean_writes": writes.double().mean().item(),
        "writes_999": float(writes.kthvalue(math.ceil(0.999 * len(writes))).values),
        "max_writes": int(writes.max()),
        "max_pulses": max(row.most_pulses for row in counts.layers),
        "endurance_used": max(row.endurance_used for row in counts.layers),
        "programming_energy": cost.programming_energy,
        "ledger": counts.to_dict(),
        "cost": {"prices": name, "items": cost.items(), "unpriced": list(cost.unpriced)},
        "levels": plain(_level_groups(level, conductance, crossbar.hardware.device.states)),
        "wear": plain(_wear_histogram(counts)),
        "events": [plain(_events(training_account(counts, price_list), name))],
    }


def stands(cell: Cell) -> str:
    """How many pulses a cell stands, in words."""
    spread = ", the median of cells that differ" if cell.endurance_spread else ""
    return f"{cell.endurance:g} pulses{spread}"


def _events(spent: TrainingAccount, prices: str) -> Table:
    """A row for each kind of event of a network's life, and the total."""
    columns = [
        Column("event"), Column("where"), Column("what is counted"), Column("count"),
        Column("energy", "J"), Column("time", "s"),
    ]  # fmt: skip
    fields = ("what", "side", "counted", "count", "energy", "time")
    rows = [[row[field] for field in fields] for row in spent.items()]
    note = (
        f"One chip (mean), prices {prices!r}, from its first programming on. Calibrations and "
        "evaluations count as forward reads. Times assume that the cells of a row are programmed "
        "at once; the time of conversions is part of the reads."
    )
    if spent.unpriced:
        note += f" Without a price and not in the total: {', '.join(spent.unpriced)}."
    for said in spent.share.of_what("Energy", "priced"):
        note += f" {said}."
    return Table("events", "Events, and their energy and time", columns, rows, note)


def _level_groups(level: Tensor, conductance: Tensor, states: int, bins: int = 80) -> list[Group]:
    """Histogram of conductance [S] for each programmed level; both of the same shape."""
    edges = torch.linspace(0, conductance.max().item() * 1.02, bins + 1, dtype=torch.float64)
    shown = range(states) if states <= 16 else range(0, states, -(-states // 16))
    return [histogram(conductance[level == k], edges, f"level {k}") for k in shown]


def _wear_histogram(counts: Counted) -> Histogram:
    """How often cells were pulsed, all layers and chips."""
    pulses = counts.pulses_per_cell()
    edges = whole_edges(max(int(pulses.max()), 1))
    cells = sum(row.cells for row in counts.layers)
    name = f"{cells:,} cells, {counts.chips} chip" + "s" * (counts.chips > 1)
    groups = [histogram(pulses, edges, name)]
    title, x_label = "Programming pulses per cell", "programming pulses"
    return Histogram("wear", title, x_label, groups, y_scale="log")
