"""Grouped bars: a row for each category, the value in its own unit at the end of each bar."""

import math
import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mho.report.axes import FAINT, INK, Colour, blank, legend_below, set_ticks, typical
from mho.report.looks import Looks, highlighted, hues
from mho.results import Bars
from mho.results.units import axis_unit, count, number, quantity, unit_of

_NOTHING = "\N{EN DASH}"
_LEAST = 1e-200  # what a logarithmic axis can show
_THICK, _GAP = (0.17, 0.26), 0.13  # [inch] a bar, within these, and between two categories
_LINE = 0.16  # [inch] of a category's name
_TALLEST = 13.0  # [inch] all rows together
_SMALLEST, _LARGEST = 4.5, 8.5  # [pt] the values beside the bars
_PAD = 4.0  # [pt] between a bar and its value


def draw_bars(what: Bars, looks: Looks | None = None) -> Figure:
    """Bars from left to right, the first category at the top, whiskers of one deviation; in the
    colours of a page, if it has `looks`."""
    parts = _values(what)
    shown = _totals(parts) if what.stacked else parts
    names, row = _rows(what.categories, len(shown))
    figure, axes = blank(0.75 + row * len(names))
    unit, label = axis_unit(what.value_label, typical(shown, what.scale))
    start = _start(shown / unit) if what.scale == "log" else 0.0
    ends = np.where(_reaching(shown, what.scale), shown / unit, start)
    thick = min((row - min(_GAP, row / 3)) / len(shown), _THICK[1]) / row
    middles = (np.arange(len(shown))[:, None] + 0.5 - len(shown) / 2) * thick + range(len(names))
    edge = 0.6 if thick * row > 0.08 else 0.0
    axes.set(xscale=what.scale, xlabel=textwrap.fill(label, 44))
    if what.stacked:
        _draw_stacks(axes, what, middles[0], thick, unit, looks)
    else:
        for i, hue in enumerate(_hues(what, looks)):
            look = {"color": hue, "label": what.groups[i].name, "ec": "white", "lw": edge}
            axes.barh(middles[i], ends[i] - start, thick, start, **look)
    floor = start if what.scale == "log" else -np.inf
    outer = np.maximum(start, ends + _draw_whiskers(axes, what, middles, ends, unit, floor))
    axes.set_ylim(len(names) - 0.5, -0.5)
    step = math.ceil(_LINE / row)
    axes.set_yticks(range(0, len(names), step), names[::step], fontsize=9.0)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    axes.axvline(start, color=FAINT, lw=0.8, zorder=3)
    legend_below(figure, axes)
    low = start if what.scale == "log" else min(0.0, 1.03 * axes.dataLim.xmin)
    axes.set_xlim(low, outer.max() if outer.max() > low else 10 * start or 1.0)
    _write_values(figure, axes, what, shown, middles, outer, thick * row)
    set_ticks(axes.xaxis, what.scale, most=4)
    return figure


def in_words(what: Bars) -> str:
    """What the bars show of what, and how far their values reach."""
    values = _values(what)
    known = values[~np.isnan(values)]
    reach = f"from {number(known.min())} to {number(known.max())}" if known.size else "no values"
    groups = ", ".join(filter(None, (group.name for group in what.groups)))
    return f"{what.value_label} of {', '.join(what.categories)}; {groups or 'one group'}; {reach}"


def notes_on(what: Bars) -> list[str]:
    """Sentences that explain the whiskers, the missing bars and the axis."""
    values = _values(what)
    notes = []
    if any(group.std is not None for group in what.groups):
        notes.append("Whisker: ± one standard deviation.")
    if what.stacked:
        partly = np.isnan(values).any(axis=0) & ~np.isnan(values).all(axis=0)
        but = ", without the parts that have no value" if partly.any() else ""
        notes.append(f"Beside each bar: the sum{but}.")
    if np.isnan(_totals(values) if what.stacked else values).any():
        notes.append(f"{_NOTHING}: no value.")
    if what.scale == "log":
        notes.append("Logarithmic axis: compare the ends of the bars, not their lengths.")
        if np.any(values < _LEAST):
            notes.append("Values of zero or less have no bar.")
    return notes


def _values(what: Bars) -> np.ndarray:
    """Values (groups, categories), NaN for None."""
    return np.array([group.values for group in what.groups], dtype=float)


def _rows(categories: Sequence[str], lanes: int) -> tuple[list[str], float]:
    """The names of the categories, and the height [inch] of each one's row."""
    names = [textwrap.fill(textwrap.shorten(each, 66, placeholder=" …"), 24) for each in categories]
    lines = 1 + max(name.count("\n") for name in names)
    row = max(_THICK[0] * max(lanes, 1.3) + _GAP, _LINE * lines + 0.08)
    if row * len(names) <= _TALLEST:
        return names, row
    short = [textwrap.shorten(each, 26, placeholder=" …") for each in categories]
    return short, min(row, _TALLEST / len(names))


def _totals(parts: np.ndarray) -> np.ndarray:
    """The sum of each stack (1, categories), NaN where all of it is."""
    return np.where(np.isnan(parts).all(axis=0), np.nan, np.nansum(parts, axis=0))[None]


def _reaching(values: np.ndarray, scale: str) -> np.ndarray:
    """Which values have a place on the axis."""
    return values >= _LEAST if scale == "log" else ~np.isnan(values)


def _start(values: np.ndarray) -> float:
    """Where bars on a logarithmic axis begin: a power of ten well below the smallest."""
    found = values[values >= _LEAST]
    return 10.0 ** math.floor(math.log10(found.min() / 1.5)) if found.size else 0.1


def _hues(what: Bars, looks: Looks | None) -> list[Colour] | list[list[str]]:
    """The colour of each group, or of a single one the colours of its bars."""
    if len(what.groups) == 1 and what.groups[0].name not in (looks or {}):
        return [highlighted(what.categories, looks)]
    return hues([group.name for group in what.groups], looks)


def _draw_stacks(
    axes: Axes, what: Bars, middles: np.ndarray, thick: float, unit: float, looks: Looks | None
) -> None:
    left = np.zeros(len(middles))
    names = [group.name for group in what.groups]
    for group, hue in zip(what.groups, hues(names, looks), strict=True):
        width = np.nan_to_num(np.array(group.values, dtype=float)) / unit
        look = {"color": hue, "label": group.name, "ec": "white", "lw": 0.6}
        axes.barh(middles, width, thick, left, **look)
        left += width


def _draw_whiskers(
    axes: Axes, what: Bars, middles: np.ndarray, ends: np.ndarray, unit: float, floor: float
) -> np.ndarray:
    """A whisker at each bar that has one, down to `floor`; returns how far it stands out."""
    out = np.zeros_like(ends)
    for i, group in enumerate(what.groups):
        if group.std is None:
            continue
        std = np.nan_to_num(np.array(group.std, dtype=float)) / unit
        std = np.where(_reaching(np.array(group.values, dtype=float), what.scale), std, 0.0)
        drawn = std > 0
        below = np.minimum(std, ends[i] - floor)
        axes.errorbar(
            ends[i, drawn],
            middles[i, drawn],
            xerr=[below[drawn], std[drawn]],
            fmt="none",
            ecolor=INK,
            elinewidth=1.0,
            capsize=2.0,
            zorder=4,
        )
        out[i] = std
    return out


def _write_values(
    figure: Figure,
    axes: Axes,
    what: Bars,
    shown: np.ndarray,
    middles: np.ndarray,
    outer: np.ndarray,
    tall: float,
) -> None:
    """The value of each bar right of all that is drawn of it, within the axes, made wide enough."""
    size = min(_LARGEST, 72 * 0.85 * tall)
    if size < _SMALLEST:
        return
    unit = unit_of(what.value_label)
    texts = [
        axes.annotate(
            _text(float(shown[at]), unit),
            (outer[at], middles[at]),
            (_PAD, 0),
            textcoords="offset points",
            va="center_baseline",
            fontsize=size,
            in_layout=False,
            zorder=5,
        )
        for at in np.ndindex(shown.shape)
    ]
    figure.draw_without_rendering()
    room = axes.get_window_extent().width
    pad = 2 * _PAD * figure.dpi / 72
    widths = np.array([each.get_window_extent().width + pad for each in texts]) / room
    scale = axes.xaxis.get_transform()
    low, high = scale.transform(np.array(axes.get_xlim()))
    reach = (scale.transform(outer.ravel()) - low) / (1 - np.minimum(widths, 0.7))
    axes.set_xlim(right=scale.inverted().transform(np.array([max(high, low + reach.max())]))[0])


def _text(value: float, unit: str) -> str:
    if math.isnan(value):
        return _NOTHING
    if value == 0:
        return "0"
    return (
        count(value) if not unit and abs(value) < 1e9 and value % 1 == 0 else quantity(value, unit)
    )
