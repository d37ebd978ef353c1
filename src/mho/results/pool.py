"""Results of several seeds as one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import fmean, stdev
from typing import Protocol, TypeVar

from mho.results.figures import Bars, Curve, Map, Series
from mho.results.repeats import over_all
from mho.results.result import Claim, Result
from mho.results.tables import Cell, MeanStd, Table


class Part(Protocol):
    """A claim, figure or table of a result."""

    @property
    def id(self) -> str: ...


P = TypeVar("P", bound=Part)

BESIDE = "all that the others did not do beside their claims"


def pooled(results: Sequence[Result], equal: Sequence[Result]) -> Result:
    """The first result, with what all found in the place of what it found.

    Claims: mean and standard deviation over all that the runs counted, which is exact; a claim of
    a lowest or highest value keeps it. Curves: mean, and the deviation within and between runs at
    equal numbers; a line of a curve whose `pooled` is "points" has the points of all. Bars: as
    curves. Maps: mean. Tables of text and plain numbers: mean and deviation of each number. A map
    or bars whose `pooled` is "first" are the first's, as are circuits, rankings and all else.

    What not all have, or not of one shape (x of a line, categories of bars, axes of a map, texts of
    a table), is pooled over `equal`; it is the first's alone where these differ too.

    Args:
        results: one of each seed.
        equal: those of runs that did as much as the first, the first among them.
    """
    first = results[0]
    bars = _each(results, equal, lambda r: r.bars, _bars)
    maps = _each(results, equal, lambda r: r.maps, _map)
    tables = _each(results, equal, lambda r: r.tables, _table)
    curves = _matched(results, equal, lambda r: r.curves)
    kept = [name for name in ("histograms", "ledger", "cost") if getattr(first, name)]
    kept += [f"bars '{b.title}'" for b in bars if b.pooled == "first"]
    kept += [f"map '{m.title}'" for m in maps if m.pooled == "first"]
    kept += [f"table '{t.title}'" for t in tables if t.pooled == "first"]
    kept += [f"array '{c.title}'" for c in first.circuits]
    kept += [f"ranking '{r.title}'" for r in first.rankings]
    kept += [own for same in curves if (own := _own_lines(*same))]
    seeds = [r.seed for r in results]
    if few := len(equal) < len(results):
        kept += [BESIDE] * (len(equal) == 1)
    summary = f"{first.summary} Pooled over the seeds {_listed(seeds)}."
    if kept:
        summary += f" Of seed {seeds[0]} alone are {_listed(kept)}."
    if few and len(equal) > 1:
        summary += f" Of the seeds {_listed([r.seed for r in equal])} alone is {BESIDE}."
    return replace(
        first,
        summary=summary,
        seeds=seeds,
        wall_s=round(sum(r.wall_s or 0.0 for r in results), 1),
        processes=max(r.processes for r in results),
        claims=_each(results, equal, lambda r: r.claims, _claim),
        curves=_each(results, equal, lambda r: r.curves, _curve),
        bars=bars,
        maps=maps,
        tables=tables,
    )


def _matched(
    results: Sequence[Result], equal: Sequence[Result], block: Callable[[Result], Sequence[P]]
) -> list[tuple[list[P], list[P]]]:
    """Parts of a block of the first result with their namesakes: of all results, or of equal runs
    where not all have one; and of equal runs."""
    out = []
    for first in block(results[0]):
        every, some = (
            [part for r in among for part in block(r) if part.id == first.id]
            for among in (results, equal)
        )
        out.append((every if len(every) == len(results) else some, some))
    return out


def _each(
    results: Sequence[Result],
    equal: Sequence[Result],
    block: Callable[[Result], Sequence[P]],
    pool: Callable[[Sequence[P], Sequence[P]], P],
) -> list[P]:
    """Parts of a block of the first result, pooled with the others' as far as they have them.

    Args:
        equal: results of runs that did as much as the first.
        pool: pools parts of all runs; or, if these are of several shapes, of equal ones.
    """
    matched = _matched(results, equal, block)
    return [pool(same, some) if len(same) > 1 else same[0] for same, some in matched]


def _claim(same: Sequence[Claim], _equal: Sequence[Claim]) -> Claim:
    first = same[0]
    note = "; ".join(dict.fromkeys(c.note for c in same if c.note))
    n = sum(c.n for c in same)
    ours, std = over_all(
        [c.ours for c in same], [c.std for c in same], [c.n for c in same], first.pooled
    )
    return replace(first, ours=ours, std=std, n=n, note=note)


def _curve(same: Sequence[Curve], equal: Sequence[Curve]) -> Curve:
    lines = []
    for first in same[0].series:
        if same[0].pooled == "points":
            rows = [line for curve in same for line in curve.series if line.name == first.name]
            x, y = [v for r in rows for v in r.x], [v for r in rows for v in r.y]
            lines.append(replace(first, x=x, y=y, std=None))
            continue
        rows = _twins(first, same, equal)
        if len(rows) == 1:
            lines.append(first)
            continue
        y, std = _spread([r.y for r in rows], [r.std for r in rows])
        lines.append(replace(first, y=y, std=std))
    return replace(same[0], series=lines)


def _bars(same: Sequence[Bars], equal: Sequence[Bars]) -> Bars:
    same = _alike(same, equal, lambda b: (b.categories, [group.name for group in b.groups]))
    if same[0].pooled == "first" or len(same) == 1:
        return replace(same[0], pooled="first")
    groups = []
    for rows in zip(*(b.groups for b in same), strict=True):
        values, std = _spread([r.values for r in rows], [r.std for r in rows])
        groups.append(replace(rows[0], values=values, std=None if same[0].stacked else std))
    return replace(same[0], groups=groups)


def _map(same: Sequence[Map], equal: Sequence[Map]) -> Map:
    same = _alike(same, equal, lambda m: (m.x, m.y))
    if same[0].pooled == "first" or len(same) == 1:
        return replace(same[0], pooled="first")
    rows = zip(*(m.values for m in same), strict=True)
    values = [[_mean(cells) for cells in zip(*row, strict=True)] for row in rows]
    return replace(same[0], values=values)


def _table(same: Sequence[Table], equal: Sequence[Table]) -> Table:
    """Mean and deviation of each number; the first's where rows differ or cells have a spread."""

    def texts(table: Table) -> list[list[str | None]]:
        return [[c if isinstance(c, str) else None for c in row] for row in table.rows]

    same = _alike(same, equal, texts)
    bodies = [t.rows for t in same]
    spread = any(isinstance(c, MeanStd) for body in bodies for row in body for c in row)
    if spread or len(same) == 1:
        return replace(same[0], pooled="first")
    rows = [
        [_cell(cells) for cells in zip(*lines, strict=True)] for lines in zip(*bodies, strict=True)
    ]
    return replace(same[0], rows=rows)


def _cell(values: Sequence[Cell]) -> Cell:
    """Mean and deviation of numbers that differ; nothing where one is missing; the first text."""
    if None in values:
        return None
    numbers = [v for v in values if isinstance(v, int | float)]
    if not numbers or len(set(numbers)) == 1:
        return values[0]
    return MeanStd(fmean(numbers), stdev(numbers))


def _alike(same: Sequence[P], equal: Sequence[P], kind: Callable[[P], object]) -> Sequence[P]:
    """All parts if they are of one kind, else those of equal runs, else the first."""
    for parts in (same, equal):
        if all(kind(part) == kind(same[0]) for part in parts):
            return parts
    return same[:1]


def _spread(
    rows: Sequence[Sequence[float | None]], stds: Sequence[Sequence[float | None] | None]
) -> tuple[list[float | None], list[float | None] | None]:
    """Mean of each column, and the deviation within and between rows at equal numbers.

    Rows without a deviation are single values: theirs is the sample's. None where a row has none.
    """
    columns = list(zip(*rows, strict=True))
    means = [_mean(values) for values in columns]
    given = [std for std in stds if std is not None]
    if not given:
        return means, [
            stdev([v for v in values if v is not None]) if mean is not None else None
            for mean, values in zip(means, columns, strict=True)
        ]
    if len(given) < len(rows):
        return means, None
    within = [
        _mean([None if s is None else s**2 for s in column]) for column in zip(*given, strict=True)
    ]
    return means, [
        None if mean is None or inside is None else math.sqrt(
            inside + fmean((value - mean) ** 2 for value in values if value is not None)
        )
        for mean, inside, values in zip(means, within, columns, strict=True)
    ]  # fmt: skip


def _own_lines(same: Sequence[Curve], equal: Sequence[Curve]) -> str:
    """Which lines of a curve are the first's alone, in words; empty if none."""
    if len(same) == 1 or same[0].pooled == "points":
        return ""
    lines = [line for line in same[0].series if len(_twins(line, same, equal)) == 1]
    if len(lines) == len(same[0].series):
        return f"curve '{same[0].title}'"
    names = ", ".join(f"'{line.name}'" for line in lines)
    return names and f"line{'s' * (len(lines) > 1)} {names} of '{same[0].title}'"


def _twins(line: Series, same: Sequence[Curve], equal: Sequence[Curve]) -> list[Series]:
    """The lines of the same name and x, one of each curve; of equal runs if not all have one, and
    the line alone if these have not."""
    key = (line.name, line.x)
    for curves in (same, equal):
        found = [[s for s in c.series if (s.name, s.x) == key] for c in curves]
        if all(found):
            return [lines[0] for lines in found]
    return [line]


def _mean(values: Sequence[float | None]) -> float | None:
    found = [v for v in values if v is not None]
    return fmean(found) if len(found) == len(values) else None


def _listed(values: Sequence[object]) -> str:
    return ", ".join(map(str, values))
