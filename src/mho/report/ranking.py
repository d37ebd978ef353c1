"""Rankings: dots with their intervals, largest at the top, and bars of what stands beside them."""

import textwrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mho.report.axes import FAINT, INK, PALETTE, set_ticks
from mho.results import Ranking, RankPanel
from mho.results.units import number

_WIDTH = 5.4  # [inch], as all figures
_ROW, _HEAD, _FOOT = 0.27, 0.34, 0.75  # [inch] a row, a panel's name, axis labels and legend
_DOT, _LIGHT = PALETTE[0], "#c9c9c9"
_BARS = (PALETTE[1], "#f2b98f", "#7f7f7f", "#d0d0d0")


def draw_ranking(what: Ranking) -> Figure:
    """A row of two axes for each panel: the ranked value at the left, the others at the right."""
    heights = [_ROW * len(panel.rows) + _HEAD for panel in what.panels]
    figure = Figure((_WIDTH, sum(heights) + _FOOT), layout="constrained", facecolor="none")
    grid = figure.subplots(
        len(what.panels), 2, sharex="col", squeeze=False,
        gridspec_kw={"height_ratios": heights, "width_ratios": (1.0, 1.0)},
    )  # fmt: skip
    for (left, right), panel in zip(grid, what.panels, strict=True):
        _draw_values(left, panel)
        _draw_side(right, panel, len(what.side_names))
        left.set_title(panel.name, loc="left", fontsize=9.5, fontweight="bold")
    values = [row for panel in what.panels for row in panel.rows]
    grid[0, 0].set_xlim(min(0.0, *(row.low for row in values)), 1.04 * _reach(what))
    for axes, label in zip(grid[-1], (what.value_label, what.side_label), strict=True):
        axes.set_xlabel(textwrap.fill(label, 30))
        set_ticks(axes.xaxis, "linear", most=4)
    handles = [_patch(grid[-1, 0], _LIGHT, "noise floor")]
    handles += [
        _patch(grid[-1, 1], _BARS[i % len(_BARS)], name) for i, name in enumerate(what.side_names)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def in_words(what: Ranking) -> str:
    """Which row leads each panel, and with what."""
    leaders = (max(panel.rows, key=lambda row: row.value) for panel in what.panels)
    return f"{what.value_label}, largest of each: " + ", ".join(
        f"{panel.name} {row.name} {number(row.value, 2)}"
        for panel, row in zip(what.panels, leaders, strict=True)
    )


def notes_on(what: Ranking) -> list[str]:
    """Sentences that explain the marks."""
    notes = [f"Left: {what.value_label} with its interval; grey: below the noise floor."]
    if any(row.high > _reach(what) for panel in what.panels for row in panel.rows):
        notes.append("Some intervals extend beyond the axis.")
    return [*notes, f"Right: {what.side_label}; line: ± one standard deviation."]


def _reach(what: Ranking) -> float:
    """Where the axis of values ends: intervals far beyond the values are cut."""
    rows = [row for panel in what.panels for row in panel.rows]
    top = max(row.value for row in rows)
    return min(max(row.high for row in rows), 2.0 * top) or 1.0


def _draw_values(axes: Axes, panel: RankPanel) -> None:
    at = np.arange(len(panel.rows))
    low, value, high = (
        np.array([getattr(row, key) for row in panel.rows]) for key in ("low", "value", "high")
    )
    axes.axvspan(0.0, panel.floor, color=_LIGHT, alpha=0.55, lw=0, zorder=1)
    axes.hlines(at, low, high, color=_DOT, lw=1.6, zorder=3)
    axes.plot(value, at, "o", color=_DOT, ms=5.5, zorder=4)
    axes.set_yticks(at, [textwrap.shorten(row.name, 22, placeholder=" …") for row in panel.rows])
    _finish(axes, len(panel.rows))


def _draw_side(axes: Axes, panel: RankPanel, kinds: int) -> None:
    at, thick = np.arange(len(panel.rows)), 0.78 / kinds
    for i in range(kinds):
        middles = at + (i - (kinds - 1) / 2) * thick
        ends = np.array([row.side[i] for row in panel.rows], dtype=float)
        std = np.nan_to_num(np.array([row.side_std[i] for row in panel.rows], dtype=float))
        axes.barh(middles, ends, thick, color=_BARS[i % len(_BARS)], zorder=2)
        axes.errorbar(ends, middles, xerr=std, fmt="none", ecolor=INK, elinewidth=0.8, zorder=4)
    axes.set_yticks(at, [])
    axes.axvline(0.0, color=FAINT, lw=0.8, zorder=3)
    _finish(axes, len(panel.rows))


def _finish(axes: Axes, rows: int) -> None:
    axes.set_facecolor("none")
    axes.set_ylim(rows - 0.5, -0.5)
    axes.tick_params(axis="y", length=0, labelsize=9.0)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)


def _patch(axes: Axes, colour: str, name: str):
    return axes.fill_between([], [], [], color=colour, label=name, lw=0)
