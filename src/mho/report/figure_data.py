"""The numbers of a figure as a table of comma-separated values."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

from mho.results import Bars, Circuit, Curve, Figure, Histogram, Map, Ranking

Row = Sequence[object]


def csv_of(what: Figure) -> str:
    """A heading and a line for each point, bar, bin or cell; gaps are empty."""
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\n")
    for row in _rows(what):
        write.writerow(["" if cell is None else cell for cell in row])
    return out.getvalue()


def _rows(what: Figure) -> Iterator[Row]:
    if isinstance(what, Curve):
        yield "series", what.x_label, what.y_label, "standard deviation"
        for series in what.series:
            spread = series.std or [None] * len(series.x)
            for point in zip(series.x, series.y, spread, strict=True):
                yield series.name, *point
    elif isinstance(what, Histogram):
        yield "group", f"from: {what.x_label}", f"to: {what.x_label}", what.y_label
        for group in what.groups:
            for bin_ in zip(group.edges, group.edges[1:], group.counts, strict=False):
                yield group.name, *bin_
    elif isinstance(what, Bars):
        yield "category", "group", what.value_label, "standard deviation"
        for group in what.groups:
            spread = group.std or [None] * len(group.values)
            for name, *bar in zip(what.categories, group.values, spread, strict=True):
                yield name, group.name, *bar
    elif isinstance(what, Map):
        yield what.y_label, what.x_label, what.value_label
        for y, row in zip(what.y, what.values, strict=True):
            for x, value in zip(what.x, row, strict=True):
                yield y, x, value
    elif isinstance(what, Ranking):
        sides = [cell for name in what.side_names for cell in (name, f"{name}, deviation")]
        yield "panel", "name", what.value_label, "low", "high", *sides
        for panel in what.panels:
            for rank in panel.rows:
                beside = zip(rank.side, rank.side_std, strict=True)
                yield (panel.name, rank.name, rank.value, rank.low, rank.high,
                       *(cell for pair in beside for cell in pair))  # fmt: skip
    else:
        assert isinstance(what, Circuit)
        yield from _cells(what)


def _cells(what: Circuit) -> Iterator[Row]:
    """A line for each cell of an array, its lines counted from 0."""
    yield ("word line", "bit line", "word line voltage [V]", "bit line voltage [V]",
           "word line current [A]", "bit line current [A]", "cell current [A]")  # fmt: skip
    matrices = (what.word_voltage, what.bit_voltage, what.word_current, what.bit_current,
                what.cell_current)  # fmt: skip
    for i in range(what.rows):
        for j in range(what.word_voltage.shape[1]):
            yield i, j, *(float(each[i, j]) for each in matrices)
