"""Finished runs beside each other: claims, what was set differently, costs, and common figures."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from mho.errors import invalid
from mho.files import flat
from mho.report import provenance
from mho.report.folder import RunFolder
from mho.results import Claim, CostItem, Curve
from mho.results.overview import Chapter, Overview
from mho.results.tables import Cell, Column, MeanStd, Table

MOST = 12
"""Runs that a table can show beside each other [1]."""


def side_by_side(runs: Mapping[str, RunFolder]) -> Overview:
    """The page on some runs.

    Args:
        runs: by the name that each is shown with; at least two.

    Raises:
        ValueError: fewer than two, or more than a page can show.
    """
    if not 2 <= len(runs) <= MOST:
        raise invalid("runs", len(runs), f"2 to {MOST} run folders")
    tables = [_claims(runs), *_settings(runs), *_costs(runs)]
    return Overview(
        title=f"{len(runs)} runs side by side",
        lead=[f"{name}: {run.result.title}. {run.result.summary}" for name, run in runs.items()],
        tables=tables,
        chapters=_figures(runs),
        heading="Figures that the runs have in common",
        made=[(name, provenance.command(run)) for name, run in runs.items()],
    )


def _claims(runs: Mapping[str, RunFolder]) -> Table:
    """A row for each claim, a column for each run."""
    by_run = {name: {c.id: c for c in run.result.claims} for name, run in runs.items()}
    first: dict[str, Claim] = {}
    for claims in by_run.values():
        first |= {id: claim for id, claim in claims.items() if id not in first}
    columns = [Column("claim"), Column("unit"), Column("paper"), *map(Column, runs)]
    rows: list[list[Cell]] = []
    for id, claim in first.items():
        own = [_number(claims.get(id)) for claims in by_run.values()]
        rows.append([claim.what, claim.unit, claim.paper, *own])
    note = "Mean and standard deviation over the chips or seeds of each run."
    return Table(id="claims-of-all", title="Claims", columns=columns, rows=rows, note=note)


def _number(claim: Claim | None) -> Cell:
    """A claim's value as a cell, empty where a run has none."""
    return None if claim is None or claim.ours is None else MeanStd(claim.ours, claim.std)


def _settings(runs: Mapping[str, RunFolder]) -> list[Table]:
    """What was set differently; nothing where runs say no settings."""
    settings = {name: flat(tomllib.loads(run.config or "")) for name, run in runs.items()}
    keys = dict.fromkeys(key for each in settings.values() for key in each)
    rows: list[list[Cell]] = [
        [key, *(str(each.get(key, "")) for each in settings.values())]
        for key in keys
        if len({repr(each.get(key)) for each in settings.values()}) > 1
    ]
    if not rows:
        return []
    columns = [Column("setting"), *map(Column, runs)]
    return [Table(id="settings", title="What was set differently", columns=columns, rows=rows)]


def _costs(runs: Mapping[str, RunFolder]) -> list[Table]:
    """What the events of each run cost."""
    by_run: dict[str, dict[str, CostItem]] = {}
    for name, run in runs.items():
        cost = run.result.cost
        by_run[name] = {item.what: item for item in cost.items} if cost else {}
    what = {item.what: item.unit for items in by_run.values() for item in items.values()}
    if not what:
        return []
    columns = [Column("cost"), Column("unit"), *map(Column, runs)]
    rows: list[list[Cell]] = [
        [name, unit, *(_value(items.get(name)) for items in by_run.values())]
        for name, unit in what.items()
    ]
    lists = {run.result.cost.prices for run in runs.values() if run.result.cost}
    note = f"Price lists: {', '.join(sorted(lists))}."
    return [Table(id="costs", title="What it costs", columns=columns, rows=rows, note=note)]


def _value(item: CostItem | None) -> Cell:
    return None if item is None else item.value


def _figures(runs: Mapping[str, RunFolder]) -> list[Chapter]:
    """Curves of the same axes that two runs or more have, all their lines in one."""
    found: dict[str, list[tuple[str, Curve]]] = {}
    for name, run in runs.items():
        for curve in run.result.curves:
            found.setdefault(curve.id, []).append((name, curve))
    chapters = []
    for several in found.values():
        first = several[0][1]
        alike = [(n, c) for n, c in several if _axes(c) == _axes(first)]
        if len(alike) > 1:
            chapters.append(Chapter(title=first.title, figures=_by_line(alike)))
    return chapters


def _by_line(several: Sequence[tuple[str, Curve]]) -> list[Curve]:
    """A figure for each line that all the curves have, with a line for each run."""
    first = several[0][1]
    figures = []
    for i, line in enumerate(first.series):
        own = [(n, s) for n, c in several for s in c.series if s.name == line.name]
        if len(own) > 1:
            series = [replace(each, name=name) for name, each in own]
            figures.append(replace(first, id=f"{first.id}-{i}", title=line.name or first.title,
                                   series=series, marks=()))  # fmt: skip
    return figures


def _axes(curve: Curve) -> tuple[str, ...]:
    return curve.x_label, curve.y_label, curve.x_scale, curve.y_scale
