"""A heat map: cells of equal size in the tint of their value, which stands in them."""

import math
import textwrap
from collections.abc import Sequence
from functools import partial

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PatchCollection
from matplotlib.colors import ListedColormap, LogNorm, Normalize, to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from mho.report.axes import FAINT, blank, set_ticks, typical
from mho.results import Map
from mho.results.units import THIN, axis_unit, count, decimals_for, decimals_needed, fixed, number

# Light is low, so that paper stays white; the lightest tints are left to the empty cells.
TINTS = ListedColormap(colormaps["YlGnBu"](np.linspace(0.06, 1.0, 128)), name="mho")
OFF_SCALE = to_rgba("#f3f3f1")

_LEAST = 1e-200  # what a logarithmic scale can show
_CELL = (0.2, 0.6)  # [inch] a row is as tall as a column is wide, within these
_LOWEST, _TALLEST = 1.3, 7.5  # [inch] all rows together
_WIDE, _NARROW = 0.65, 0.32  # [font sizes] a character, and a point or thin space
_SMALLEST, _LARGEST = 4.5, 9.5  # [pt] the numbers in the cells
_MOST_COLUMNS = 16  # with numbers in the cells


def draw_map(what: Map) -> Figure:
    """Columns x and rows y, from the bottom where y are numbers, else from the top."""
    figure, axes = blank()
    unit, label = axis_unit(what.value_label, typical(_values(what), what.scale))
    values = _values(what) / unit
    norm = _norm(values, what.scale)
    tints = _tints(values, norm)
    rows, columns = values.shape
    written = what.text and columns <= _MOST_COLUMNS
    x_label, x_names = _names(what.x, what.x_label)
    y_label, y_names = _names(what.y, what.y_label)
    axes.set(xlabel=textwrap.fill(x_label, 56), ylabel=textwrap.fill(y_label, 36))
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.set(xlim=(0, columns), ylim=(rows, 0) if isinstance(what.y[0], str) else (0, rows))
    axes.set_xticks([])  # their labels wait until it is known how wide a column is
    _thin(axes.yaxis, y_names, 1)
    axes.tick_params(length=0)
    if np.any(values >= _LEAST if what.scale == "log" else np.isfinite(values)):
        _draw_bar(figure, axes, norm, label, off_scale=_off_scale(what))
    wide = _size(figure, axes)[0] / columns
    _label_columns(axes, x_names, wide, numeric=not isinstance(what.x[0], str))
    tall = min(max(wide, _CELL[0] if written else 0.0), _CELL[1])
    tall = min(max(tall * rows, _LOWEST), _TALLEST) / rows
    figure.set_figheight(figure.get_figheight() + tall * rows - _size(figure, axes)[1])
    _thin(axes.yaxis, y_names, 0.15 / tall)
    _draw_cells(axes, values, tints, lines=min(wide, tall) > 0.1)
    if written:
        _write_values(axes, values, tints, wide, tall)
    return figure


def in_words(what: Map) -> str:
    """What the map shows over what, and how far its values reach."""
    known = _values(what)[~np.isnan(_values(what))]
    reach = f"from {number(known.min())} to {number(known.max())}" if known.size else "no values"
    size = f"{len(what.x)} columns, {len(what.y)} rows"
    return f"{what.value_label} over {what.x_label} and {what.y_label}; {size}, {reach}"


def notes_on(what: Map) -> list[str]:
    """Sentences that explain the cells without a tint."""
    notes = []
    if np.isnan(_values(what)).any():
        notes.append("Hatched: no value.")
    if _off_scale(what):
        notes.append("Grey: values of zero or less, which a logarithmic colour scale cannot show.")
    return notes


def _values(what: Map) -> np.ndarray:
    """Values (rows, columns), NaN for None."""
    return np.array(what.values, dtype=float)


def _off_scale(what: Map) -> bool:
    """Whether the map holds values that a logarithmic colour scale has no place for."""
    return what.scale == "log" and bool(np.any(_values(what) < _LEAST))


def _norm(values: np.ndarray, scale: str) -> Normalize:
    """From the smallest to the largest value; a single value is the top of its scale."""
    if scale == "log":
        found = values[values >= _LEAST]
        low, high = (found.min(), found.max()) if found.size else (1.0, 10.0)
        return LogNorm(low if low < high else high / 10, high)
    found = values[np.isfinite(values)]
    low, high = (found.min(), found.max()) if found.size else (0.0, 1.0)
    if low == high:
        low, high = min(low, 0.0), max(high, 0.0) or float(low == 0)
    return Normalize(low, high)


def _tints(values: np.ndarray, norm: Normalize) -> np.ndarray:
    """The colour of each cell as RGBA `(rows, columns, 4)`, transparent where it is empty."""
    on_scale = np.isfinite(values) & ((values >= _LEAST) | (not isinstance(norm, LogNorm)))
    tints = np.array(TINTS(norm(np.ma.array(values, mask=~on_scale).filled(norm.vmax))))
    tints[~on_scale] = OFF_SCALE
    tints[~np.isfinite(values)] = 0.0
    return tints


def _draw_bar(figure: Figure, axes: Axes, norm: Normalize, label: str, *, off_scale: bool) -> None:
    mappable = ScalarMappable(norm, TINTS.with_extremes(under=OFF_SCALE))
    extend = "min" if off_scale else "neither"
    bar = figure.colorbar(mappable, ax=axes, extend=extend, pad=0.02, aspect=24)
    assert bar.solids is not None
    bar.solids.set(rasterized=False, edgecolor="face", linewidth=0.6)  # paths, not an image
    bar.outline.set_visible(False)
    bar.set_label(textwrap.fill(label, 36))
    bar.ax.tick_params(which="both", color=FAINT)
    set_ticks(bar.ax.yaxis, "log" if isinstance(norm, LogNorm) else "linear")


def _draw_cells(axes: Axes, values: np.ndarray, tints: np.ndarray, *, lines: bool) -> None:
    """One rectangle a cell, with white lines between where there is room for them."""
    empty = [Rectangle((x, y), 1, 1) for y, x in np.argwhere(np.isnan(values))]
    axes.add_collection(
        PatchCollection(empty, facecolor="#ececec", edgecolor="#b0b0b0", hatch="////", lw=0)
    )
    border = {"edgecolors": "white", "lw": 0.8} if lines else {"edgecolors": "face", "lw": 0.2}
    axes.pcolormesh(tints, **border)


def _write_values(
    axes: Axes, values: np.ndarray, tints: np.ndarray, wide: float, tall: float
) -> None:
    """The value of every cell in black or white, as large as the longest fits in `wide` inches."""
    texts = _texts(values)
    longest = max(2 * _WIDE, *map(_ems, texts.flat))
    size = min(_LARGEST, 72 * 0.84 * wide / longest, 72 * 0.6 * tall)
    if size < _SMALLEST:
        return
    for (y, x), text in np.ndenumerate(texts):
        axes.text(
            x + 0.5,
            y + 0.5,
            text,
            color=readable_on(tints[y, x]),
            fontsize=size,
            ha="center",
            va="center_baseline",
            in_layout=False,
        )


def readable_on(ground: np.ndarray) -> str:
    """Black or white, whichever has the larger contrast (WCAG 2.2) to an RGB colour."""
    linear = np.where(ground <= 0.04045, ground / 12.92, ((ground + 0.055) / 1.055) ** 2.4)
    luminance = float(linear[:3] @ (0.2126, 0.7152, 0.0722))
    return "black" if (luminance + 0.05) ** 2 > 1.05 * 0.05 else "white"


def _texts(values: np.ndarray) -> np.ndarray:
    """Every value in the same decimals; in its own digits where the values span decades."""
    found = np.abs(values[np.isfinite(values) & (values != 0)])
    most, least = (float(found.max()), float(found.min())) if found.size else (0.0, 0.0)
    if most < 1e6 and np.all(found % 1 == 0):
        show = count
    elif most >= 1e5 or least < 1e-3 or most > 1e3 * least:
        show = partial(number, digits=3, top=5)
    else:
        decimals = max(decimals_for(most, 3), int(most < 1e3))
        show = partial(fixed, decimals=decimals_needed(values[np.isfinite(values)], decimals))
    return np.vectorize(lambda value: "" if math.isnan(value) else show(value), [object])(values)


def _ems(text: str) -> float:
    """About how wide a text is, in font sizes."""
    return sum(_NARROW if each in f".{THIN}" else _WIDE for each in text)


def _names(values: Sequence[float | str], label: str) -> tuple[str, list[str]]:
    """The label of an axis and a tick label for each of its columns or rows."""
    if isinstance(values[0], str):
        return label, [textwrap.shorten(str(each), 22, placeholder=" …") for each in values]
    unit, label = axis_unit(label, typical(np.array(values), "log"))
    return label, [number(float(each) / unit, 4) for each in values]


def _label_columns(axes: Axes, names: list[str], wide: float, *, numeric: bool) -> None:
    """Upright where all fit; else turned, or where there are many numbers only some of them."""
    longest = max(map(_ems, names)) * 10 / 72 / 0.95
    turned = longest > wide and not (numeric and len(names) > _MOST_COLUMNS)
    _thin(axes.xaxis, names, (0.16 if turned else longest) / wide)
    if turned:
        for label in axes.get_xticklabels():
            label.set(rotation=45, ha="right", rotation_mode="anchor")


def _thin(axis: Axis, names: list[str], crowd: float) -> None:
    """Leave every n-th label, where `crowd` of them would stand in the place of one."""
    step = max(1, math.ceil(crowd))
    axis.set_ticks(np.arange(0, len(names), step) + 0.5, names[::step])


def _size(figure: Figure, axes: Axes) -> tuple[float, float]:
    """Width and height of the axes in inches, once the layout has made room for all labels."""
    figure.draw_without_rendering()
    box = axes.get_window_extent()
    return box.width / figure.dpi, box.height / figure.dpi
