"""Curves, histograms and the claims at a glance, drawn with matplotlib's object interface."""

import math
import textwrap
from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mho.report.axes import (
    FAINT,
    INK,
    PALETTE,
    blank,
    grow,
    legend_below,
    panels,
    set_ticks,
    typical,
)
from mho.report.comparison import Verdict, judge
from mho.report.looks import MOST, Look, Looks, hues, looks_of
from mho.results import Claim, Curve, Histogram, Series
from mho.results.units import MINUS, axis_unit


def draw_curve(curve: Curve, looks: Looks | None = None) -> Figure:
    """Lines with a band of one standard deviation, and labelled marks on the x axis.

    More series than colours tell apart have axes of their own each, with the others in grey.
    """
    looks = looks or looks_of([curve])
    crowded = len(curve.series) > MOST
    figure, grid = panels(len(curve.series) if crowded else 1)
    x_unit, x_label = _axis(curve, "x")
    y_unit, y_label = _axis(curve, "y")
    every = [_Line.of(series, x_unit, y_unit) for series in curve.series]
    x_all = np.concatenate([[np.nan], *(line.x for line in every)])
    whole = bool(np.all(np.mod(x_all[np.isfinite(x_all)], 1) == 0))
    for place, axes in enumerate(grid):
        axes.set(xscale=curve.x_scale, yscale=curve.y_scale)
        bands = []
        for i, line in enumerate(every):
            if crowded and i != place:
                line.draw_faint(axes)
            else:
                line.draw(axes, looks[line.name])
                bands.append(line)
        floor = axes.get_ylim()[0] if curve.y_scale == "log" else None
        for line in bands:
            line.draw_band(axes, looks[line.name], floor)
        if floor is not None:
            axes.set_ylim(bottom=floor)
        _draw_marks(figure, axes, [(mark.x / x_unit, mark.label) for mark in curve.marks])
        set_ticks(axes.xaxis, curve.x_scale, whole=whole, most=1 if crowded else 6)
        set_ticks(axes.yaxis, curve.y_scale)
        if crowded:
            axes.set_title(textwrap.fill(every[place].name, 24), fontsize=9.0)
    if crowded:
        figure.supxlabel(textwrap.fill(x_label, 56), fontsize="medium")
        figure.supylabel(textwrap.fill(y_label, 36), fontsize="medium")
    else:
        grid[0].set(xlabel=textwrap.fill(x_label, 56), ylabel=textwrap.fill(y_label, 36))
        legend_below(figure, grid[0])
    return figure


def _axis(curve: Curve, way: str) -> tuple[float, str]:
    """The unit of an axis, and its label."""
    values = [np.array([np.nan]), *(_numbers(getattr(each, way)) for each in curve.series)]
    scale = getattr(curve, f"{way}_scale")
    return axis_unit(getattr(curve, f"{way}_label"), typical(np.concatenate(values), scale))


class _Line(NamedTuple):
    """A series in the units of its axes."""

    x: np.ndarray
    y: np.ndarray
    std: np.ndarray | None
    name: str
    joined: bool

    @classmethod
    def of(cls, series: Series, x_unit: float, y_unit: float) -> Self:
        std = None if series.std is None else _numbers(series.std) / y_unit
        x, y = _numbers(series.x) / x_unit, _numbers(series.y) / y_unit
        return cls(x, y, std, series.name, series.joined)

    def draw(self, axes: Axes, look: Look) -> None:
        """The line, or its points with their spread."""
        if not self.joined:
            _draw_points(axes, self.x, self.y, self.std, look.marker, look.colour, self.name)
            return
        marker = look.marker if len(self.x) <= 25 else ""
        axes.plot(self.x, self.y, color=look.colour, ls=look.dash, marker=marker, label=self.name,
                  zorder=3)  # fmt: skip

    def draw_faint(self, axes: Axes) -> None:
        """The line behind another one."""
        joined = self.joined and len(self.x) > 1
        axes.plot(self.x, self.y, color="#d4d4d4", ls="-" if joined else "",
                  marker="" if joined else ".", lw=1.0, zorder=2)  # fmt: skip

    def draw_band(self, axes: Axes, look: Look, floor: float | None) -> None:
        """The spread around a line, down to the end of a logarithmic axis."""
        if not self.joined or self.std is None:
            return
        low = np.maximum(self.y - self.std, -np.inf if floor is None else floor)
        axes.fill_between(self.x, low, self.y + self.std, color=look.colour, alpha=0.18, lw=0)


def _draw_points(
    axes: Axes, x: np.ndarray, y: np.ndarray, std: np.ndarray | None, marker: str, colour: str,
    name: str,
) -> None:  # fmt: skip
    """Points with a bar of one standard deviation each; faint where there are many."""
    alpha = 1.0 if len(x) <= 60 else 0.5
    axes.plot(x, y, color=colour, ls="", marker=marker, label=name, alpha=alpha, zorder=3)
    if std is not None and len(x) <= 60:
        axes.errorbar(x, y, np.nan_to_num(std), ecolor=colour, ls="", elinewidth=0.8, alpha=0.6)


def draw_histogram(histogram: Histogram, looks: Looks | None = None) -> Figure:
    """Overlaid groups; on logarithmic axes the empty bins end at half a count."""
    figure, axes = blank()
    edges = [_numbers(each.edges) for each in histogram.groups]
    x_all = np.concatenate([[np.nan], *edges])
    unit, x_label = axis_unit(histogram.x_label, typical(x_all, histogram.x_scale))
    axes.set(xscale=histogram.x_scale, yscale=histogram.y_scale)
    axes.set(xlabel=textwrap.fill(x_label, 56), ylabel=textwrap.fill(histogram.y_label, 36))
    base = 0.5 if histogram.y_scale == "log" else 0.0
    shades = hues([group.name for group in histogram.groups], looks)
    for i, (group, at) in enumerate(zip(histogram.groups, edges, strict=True)):
        if histogram.x_scale == "log":
            at = _positive(at)
        at, counts = at / unit, np.maximum(group.counts, base)
        axes.stairs(counts, at, fill=True, color=shades[i], alpha=0.3, baseline=base)
        axes.stairs(counts, at, color=shades[i], lw=1.4, baseline=base, label=group.name)
    if edges:
        axes.set_ylim(bottom=base)
        axes.margins(x=0.02)
    axes.grid(visible=False, axis="x")
    set_ticks(axes.xaxis, histogram.x_scale)
    set_ticks(axes.yaxis, histogram.y_scale, whole=True)
    legend_below(figure, axes)
    return figure


def draw_claims(claims: Sequence[Claim]) -> Figure | None:
    """Ours minus the paper, in percentage points, one row a claim; None for fewer than two."""
    rows = [
        (claim, claim.ours - claim.paper)
        for claim in claims
        if claim.unit == "%" and claim.ours is not None and claim.paper is not None
    ]
    if len(rows) < 2:
        return None
    labels = [textwrap.fill(textwrap.shorten(claim.what, 84), 30) for claim, _ in rows]
    lines = sum(1 + text.count("\n") for text in labels)
    figure, axes = blank(max(2.8, 0.8 + 0.2 * len(rows) + 0.17 * lines))
    axes.axvline(0, color=INK, lw=1.2, zorder=2)
    for at, (claim, gain) in enumerate(rows):
        short = judge(claim) in (Verdict.SHORT, Verdict.DIFFERS)
        colour = PALETTE[1] if short else PALETTE[0]
        axes.errorbar(
            gain,
            at,
            xerr=claim.std,
            color=colour,
            marker="v" if short else "o",
            ms=6.5,
            capsize=3,
            mfc="white" if short else colour,
            zorder=3,
        )
    axes.set_yticks(range(len(rows)), labels, fontsize=9.0)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlabel(f"ours {MINUS} paper [percentage points]")
    axes.margins(x=0.08)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    set_ticks(axes.xaxis, "linear")
    return figure


def _draw_marks(figure: Figure, axes: Axes, marks: list[tuple[float, str]]) -> None:
    """Vertical lines, labelled above the axes; labels that would meet go one row up."""
    shown = [(x, label) for x, label in sorted(marks) if axes.get_xscale() == "linear" or x > 0]
    for x, _ in shown:
        axes.axvline(x, color=FAINT, lw=1.0, ls=(0, (3, 2)), zorder=1)
    ends: list[float] = []
    axes.get_xlim()  # settles the automatic limits
    to_axes = axes.transData + axes.transAxes.inverted()
    for x, name in shown:
        label = textwrap.shorten(name, 32, placeholder=" …")
        at, width = to_axes.transform((x, 1.0))[0], 0.0135 * len(label) + 0.02
        start = at - width if at + width > 1.02 else at
        row = next((i for i, end in enumerate(ends) if end <= start), len(ends))
        ends[row : row + 1] = [start + width]
        axes.annotate(
            label,
            (x, 1.0),
            (0, 3 + 12 * row),
            xycoords=axes.get_xaxis_transform(),
            textcoords="offset points",
            ha="right" if start < at else "left",
            va="bottom",
            fontsize=8.5,
            color="#555555",
        )
    grow(figure, 0.17 * (len(ends) - 2))


def _numbers(values: Sequence[float | None]) -> np.ndarray:
    """Values of a record, NaN for None."""
    return np.array(values, dtype=float)


def _positive(edges: np.ndarray) -> np.ndarray:
    """Edges for a logarithmic axis: what lies at or below zero ends half under the rest."""
    above = edges[edges > 0]
    least = float(above.min()) / 2 if above.size else math.ulp(1.0)
    return np.where(edges > 0, edges, least)
