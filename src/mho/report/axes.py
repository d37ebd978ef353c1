"""How every figure looks: sizes, colours, ticks, legend; matplotlib's globals stay as they are."""

import math
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from warnings import catch_warnings, filterwarnings

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from mho.results.units import number

INK, FAINT = "#222222", "#8a8a8a"

# Okabe and Ito (2008), without the yellow that is too pale for a line on white.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#444444")
Colour = tuple[float, ...] | str
"""As matplotlib takes one."""
DASHES = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))
MARKERS = "osD^vPX"

_SETTINGS: dict[Any, Any] = {
    "font.size": 10.0,
    "font.family": "DejaVu Sans",
    "text.parse_math": False,
    "text.color": INK,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.7,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 9.0,
    "lines.linewidth": 1.8,
    "lines.markersize": 4.5,
    "hatch.linewidth": 0.6,
    "svg.fonttype": "none",
    "svg.hashsalt": "mho",
}


@contextmanager
def style() -> Iterator[None]:
    """The settings of a figure, for the time it is built and drawn."""
    with rc_context(_SETTINGS), catch_warnings():
        # A name in a script that DejaVu lacks is measured roughly and drawn by the browser.
        filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        yield


def blank(height: float = 3.5) -> tuple[Figure, Axes]:
    """A figure 5.4 inches wide with one set of axes; narrow, so that a phone can show it."""
    figure = Figure(figsize=(5.4, height), layout="constrained", facecolor="none")
    axes = figure.add_subplot()
    axes.set_facecolor("none")
    return figure, axes


def panels(n: int) -> tuple[Figure, list[Axes]]:
    """A figure with n sets of axes that share their limits, three in a row."""
    if n == 1:
        figure, axes = blank()
        return figure, [axes]
    rows = math.ceil(n / 3)
    figure = Figure(figsize=(5.4, 0.6 + 1.55 * rows), layout="constrained", facecolor="none")
    grid = list(figure.subplots(rows, 3, sharex=True, sharey=True, squeeze=False).flat)
    for spare in grid[n:]:
        spare.set_visible(False)
    for axes in grid:
        axes.set_facecolor("none")
    return figure, grid[:n]


def colours(n: int) -> list[Colour]:
    """n colours: distinct hues, or a ramp for many groups, which follow an order (levels)."""
    if n > len(PALETTE):
        ramp = colormaps["viridis"]
        return [ramp(0.85 * i / (n - 1)) for i in range(n)]
    return [PALETTE[i % len(PALETTE)] for i in range(n)]


def typical(values: np.ndarray, scale: str) -> float:
    """The value that an axis takes its prefix from: the largest, or the middle of the decades."""
    found = np.abs(values[np.isfinite(values) & (values != 0)])
    if not found.size:
        return 0.0
    return float(np.sqrt(found.min()) * np.sqrt(found.max()) if scale == "log" else found.max())


def set_ticks(axis: Axis, scale: str, *, whole: bool = False, most: int = 6) -> None:
    """Plain decimal tick labels with thin separators, powers of ten where they are far apart.

    A linear axis has at most `most` steps, a logarithmic one two labels more, which are short ones
    where it is a short axis, of four steps or less.
    """
    top = 9 if scale == "linear" else 6 if most > 4 else 4
    axis.set_major_formatter(FuncFormatter(lambda value, _: number(value, 6, top=top)))
    if scale == "linear":
        least = 1 if whole else 2  # else fractions are taken where there is one whole number
        steps = [1, 2, 2.5, 5, 10]
        axis.set_major_locator(MaxNLocator(most, integer=whole, steps=steps, min_n_ticks=least))
        return
    low, high = axis.get_view_interval()
    decades = math.log10(high / low) if 0 < low < high else 1.0
    subs = (1.0, 2.0, 5.0) if decades < 2 else (1.0,)
    axis.set_major_locator(LogLocator(subs=subs, numticks=most + 2))
    axis.set_minor_formatter(NullFormatter())


def grow(figure: Figure, height: float) -> None:
    """Make the figure taller by `height` inches, so that what is added takes nothing away."""
    figure.set_figheight(figure.get_figheight() + max(0.0, height))


def entitle(figure: Figure, title: str) -> None:
    """The title above a figure, which grows by it."""
    heading = textwrap.fill(title, 56)
    grow(figure, 0.26 * (1 + heading.count("\n")))
    figure.suptitle(heading, x=0.01, ha="left", fontsize="large", fontweight="bold")


def legend_below(figure: Figure, axes: Axes) -> None:
    """The legend under the axes, where it can hide nothing, in as many columns as fit."""
    handles, names = axes.get_legend_handles_labels()
    kept = [(h, textwrap.fill(n, 60)) for h, n in zip(handles, names, strict=True) if n]
    if not kept:
        return
    widest = max(len(line) for _, name in kept for line in name.splitlines()) + 6
    columns = max(1, min(len(kept), 74 // widest))
    rows = math.ceil(len(kept) / columns)
    lines = rows * max(1 + name.count("\n") for _, name in kept)
    grow(figure, 0.19 * (lines - 2))
    figure.legend(
        [handle for handle, _ in kept],
        [name for _, name in kept],
        loc="outside lower center",
        ncols=math.ceil(len(kept) / rows),
        handlelength=1.8,
        columnspacing=1.4,
    )
