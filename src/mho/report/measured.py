"""The picture of a measured file as it was read, before anything is fitted."""

import io
from collections.abc import Mapping
from typing import Protocol

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mho.report.axes import PALETTE, legend_below, set_ticks, style, typical
from mho.results.units import axis_unit

MOST_POINTS = 4000
"""Points that are drawn of each line."""
MOST_LINES = 8
"""Lines that are drawn."""

OVER = {
    "iv": ("voltage", "V [V]"),
    "retention": ("time", "time [s]"),
    "levels": ("target", "target [S]"),
}
"""What each kind is drawn over; others over the order of the rows."""
SHOWN = {"current": "I [A]", "conductance": "G [S]", "resistance": "R [ohm]"}


class Measured(Protocol):
    """A table of a measured file, as `mho.fit.Table`."""

    @property
    def numbers(self) -> Mapping[str, np.ndarray]: ...
    @property
    def words(self) -> Mapping[str, np.ndarray]: ...
    def labels(self, *names: str) -> np.ndarray: ...


def draw_measured(table: Measured, kind: str, title: str) -> Figure:
    """What was read, a line for each device, cycle, polarity and state.

    Args:
        table: as read.
        kind: of measurement; "": not known.
        title: over the picture.
    """
    figure = Figure(figsize=(6.4, 4.0), layout="constrained", facecolor="white")
    axes = figure.subplots()
    name = next((q for q in SHOWN if q in table.numbers), None)
    axes.set(title=title)
    if name is None:
        axes.text(0.5, 0.5, "no conductance, resistance or current", ha="center")
        return figure
    y = table.numbers[name]
    over, x_label = OVER.get(kind, ("", "row [1]"))
    if not kind and "voltage" in table.numbers:
        over, x_label = OVER["iv"]
    x = table.numbers[over] if over in table.numbers else np.arange(1.0, len(y) + 1)
    log = over == "time" and bool((x[np.isfinite(x)] > 0).all())
    seen = np.abs(y[np.isfinite(y)])
    wide = len(seen) and seen.min() > 0 and (y[np.isfinite(y)] > 0).all()
    scale = "log" if wide and seen.max() > 30 * seen.min() else "linear"
    x_unit, x_text = axis_unit(x_label, typical(x[np.isfinite(x)], "log" if log else "linear"))
    y_unit, y_text = axis_unit(SHOWN[name], typical(seen, scale))
    axes.set(xlabel=x_text, ylabel=y_text, xscale="log" if log else "linear", yscale=scale)
    names = ("device", "cycle", "polarity", "state")
    labels = table.labels(*names)
    for k in range(min(MOST_LINES, int(labels.max(initial=-1)) + 1)):
        rows = np.flatnonzero(labels == k)
        rows = rows[:: 1 + len(rows) // MOST_POINTS]
        text = " ".join(str(table.words[n][rows[0]]) for n in names if n in table.words)
        mark = {"marker": "o", "ms": 2.6, "lw": 0.8, "color": PALETTE[k % len(PALETTE)]}
        axes.plot(x[rows] / x_unit, y[rows] / y_unit, label=text[:24] or None, **mark)
    set_ticks(axes.xaxis, "log" if log else "linear")
    set_ticks(axes.yaxis, scale)
    if len(labels) and labels.max() > 0:
        legend_below(figure, axes)
    return figure


def picture_of(table: Measured, kind: str, title: str) -> bytes:
    """The picture as a file, PNG."""
    buffer = io.BytesIO()
    with style():
        FigureCanvasAgg(draw_measured(table, kind, title)).print_png(buffer)
    return buffer.getvalue()
