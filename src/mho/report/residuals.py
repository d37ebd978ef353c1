"""The picture of a fit: what was measured over what is fitted, and the residuals below."""

import io
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mho.report.axes import FAINT, PALETTE, legend_below, set_ticks, style, typical
from mho.results.units import axis_unit

NO_CELL = "#d9d9d9"
MOST_POINTS = 4000
"""Points that are drawn of each line."""


class Series(Protocol):
    """One line: what was measured and what the fit says, at each x, and perhaps mean, lower and
    upper end of what the record gives on its own from the first read."""

    @property
    def name(self) -> str: ...
    @property
    def x(self) -> np.ndarray: ...
    @property
    def measured(self) -> np.ndarray: ...
    @property
    def fitted(self) -> np.ndarray: ...
    @property
    def free(self) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None: ...


class Picture(Protocol):
    """A residual plot as data, as `mho.fit.Picture`."""

    @property
    def x_label(self) -> str: ...
    @property
    def y_label(self) -> str: ...
    @property
    def x_scale(self) -> str: ...
    @property
    def series(self) -> Sequence[Any]: ...
    @property
    def x(self) -> np.ndarray: ...
    @property
    def residual(self) -> np.ndarray: ...
    @property
    def series_of(self) -> np.ndarray | None: ...
    @property
    def left_out(self) -> tuple[np.ndarray, np.ndarray]: ...
    @property
    def array(self) -> Any: ...


def draw_fit(picture: Picture, title: str) -> Figure:
    """Two panels on one x axis; what was set aside is crossed. Below them, of cells that are told
    by row and column, a map of the array."""
    of_array = picture.array
    figure = Figure(figsize=(6.4, 5.6), layout="constrained", facecolor="white")
    if of_array is None:
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    else:
        figure.set_figheight(8.4)
        above, below, under = figure.subplots(3, 1, height_ratios=(2, 1, 1.6))
        below.sharex(above)
        _draw_array(under, of_array)
    ys = np.concatenate([s.measured for s in picture.series])
    positive = ys[ys > 0]
    wide = positive.size == ys.size and ys.max() > 30 * ys.min() and "[ohm]" in picture.y_label
    scale = "log" if wide else "linear"
    x_unit, x_label = axis_unit(picture.x_label, typical(picture.x, picture.x_scale))
    y_unit, y_label = axis_unit(picture.y_label, typical(ys, scale))
    above.set(ylabel=y_label, title=title, xscale=picture.x_scale, yscale=scale)
    for k, series in enumerate(picture.series):
        thin = slice(None, None, 1 + len(series.x) // MOST_POINTS)
        colour = PALETTE[k % len(PALETTE)]
        x, y = series.x[thin] / x_unit, series.measured[thin] / y_unit
        above.plot(x, y, ls="", marker="o", ms=2.8, alpha=0.6, color=colour, label=series.name)
        above.plot(x, series.fitted[thin] / y_unit, color=colour, lw=1.2, label="")
        if series.free is not None:
            mean, low, high = (part[thin] / y_unit for part in series.free)
            above.plot(
                x, mean, color=colour, lw=1.0, ls=(0, (4, 2)), label=f"free run, {series.name}"
            )
            above.fill_between(x, low, high, color=colour, alpha=0.15, lw=0)
    x, y = picture.left_out
    if len(x):
        above.plot(x / x_unit, y / y_unit, ls="", marker="x", color="#444444", label="set aside")
    thin = slice(None, None, 1 + len(picture.x) // MOST_POINTS)
    below.axhline(0, color=FAINT, lw=1.0)
    for level in (-2, 2):
        below.axhline(level, color=FAINT, lw=0.8, ls=(0, (3, 2)))
    x, residual = picture.x[thin] / x_unit, picture.residual[thin]
    of = np.zeros(len(x), dtype=int) if picture.series_of is None else picture.series_of[thin]
    for k in np.unique(of):
        colour = PALETTE[k % len(PALETTE)] if k >= 0 else FAINT
        below.plot(x[of == k], residual[of == k], ls="", marker="o", ms=2.5, alpha=0.6,
                   color=colour)  # fmt: skip
    below.set(xlabel=x_label, ylabel="residual [standard\ndeviations]")
    set_ticks(below.xaxis, picture.x_scale)
    set_ticks(above.yaxis, scale)
    legend_below(figure, above)
    return figure


def _draw_array(axes: Axes, of_array: Any) -> None:
    """The mean residual of each cell in its place; what stands out is a cell, a row or a column."""
    mean, rows, columns = of_array.mean, of_array.rows, of_array.columns
    limit = max(1.0, float(np.nanmax(np.abs(mean), initial=0.0)))
    tints = colormaps["PuOr"].with_extremes(bad=NO_CELL)
    ends = (columns[0] - 0.5, columns[-1] + 0.5, rows[-1] + 0.5, rows[0] - 0.5)
    shown = axes.imshow(np.ma.masked_invalid(mean), cmap=tints, vmin=-limit, vmax=limit,
                        extent=ends, aspect="auto", interpolation="nearest")  # fmt: skip
    axes.set(xlabel="column", ylabel="row")
    axes.set_title("mean residual of each cell; grey: no cell", fontsize="small", loc="left")
    axes.grid(visible=False)
    for axis in (axes.xaxis, axes.yaxis):
        set_ticks(axis, "linear", whole=True)
    axes.figure.colorbar(shown, ax=axes, label="standard deviations", pad=0.02)


def picture_of(picture: Picture, title: str) -> bytes:
    """The picture as a file, PNG."""
    buffer = io.BytesIO()
    with style():
        FigureCanvasAgg(draw_fit(picture, title)).print_png(buffer)
    return buffer.getvalue()
