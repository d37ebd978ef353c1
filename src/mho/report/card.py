"""A device on one page: what is known of it as panels, and its numbers in a column."""

import io
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec

from mho.files import write_bytes
from mho.report.axes import FAINT, INK, colours, set_ticks, style, typical
from mho.report.svg import inline
from mho.results.card import Card, Panel
from mho.results.units import axis_unit

FORMATS = ("png", "svg", "pdf")
"""Endings of the files that a card can be saved as."""
COLUMN = 0.715
"""Share of the width that the panels take; the numbers stand to the right."""
LETTER = 0.071
"""Width that a letter of a number is given, of the size small [inch]."""
LINE = 0.2026
"""Height of a line of them [inch]."""


def draw_card(card: Card) -> Figure:
    """Five panels and the column of numbers."""
    figure = Figure(figsize=(13.6, 6.6), facecolor="white")
    figure.set_layout_engine("constrained", rect=(0, 0, COLUMN, 1))
    card_on(figure, figure.add_gridspec(2, 3), card)
    figure.suptitle(card.name, x=0.01, ha="left", fontsize="x-large", fontweight="bold")
    return figure


def card_on(
    figure: Figure, grid: GridSpec, card: Card, top: float = 0.93, bottom: float = 0.0
) -> None:
    """Panels in the upper two rows of a grid of three columns, numbers at the right between
    heights of the figure [1]."""
    places = (grid[0, 0], grid[0, 1:3], grid[1, 0], grid[1, 1], grid[1, 2])
    panels = (card.levels, card.response, card.current, card.retention, card.noise)
    for place, panel in zip(places, panels, strict=True):
        _draw(figure.add_subplot(place), panel, wide=panel is card.response)
    column = (COLUMN + 0.015, bottom, 0.98 - COLUMN, top - bottom)
    _column(figure.add_axes(column), card, step=LINE / (figure.get_figheight() * column[3]))


def picture_of(card: Card, ending: str) -> bytes:
    """The figure as a file of one of `FORMATS`."""
    return as_file(lambda: draw_card(card), ending)


def card_in_page(card: Card, name: str) -> Markup:
    """The figure as part of a page; every id in it starts with `name`."""
    return Markup(inline(draw_card(card), name, f"{card.name}: its card."))


def as_file(draw: Callable[[], Figure], ending: str) -> bytes:
    """What is drawn in the style of reports, as a file of one of `FORMATS` without a date."""
    date = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
    with style():
        figure = draw()
        FigureCanvasAgg(figure)
        buffer = io.BytesIO()
        figure.savefig(buffer, format=ending, dpi=84, metadata=date.get(ending))
    return buffer.getvalue()


def save_card(card: Card, path: Path, ending: str) -> None:
    """Write the figure as one of `FORMATS`, whole or not at all; raises `OSError`."""
    write_bytes(path, picture_of(card, ending))


def _draw(axes: Axes, panel: Panel, wide: bool) -> None:
    """A panel, or the words in its place."""
    axes.set_title(panel.title, loc="left", fontsize="medium", fontweight="bold", pad=17)
    remark = axes.text(0, 1.02, panel.remark, transform=axes.transAxes, fontsize=8, color=FAINT)
    remark.set_in_layout(False)
    if not panel.curves:
        axes.set(xticks=[], yticks=[])
        for spine in axes.spines.values():
            spine.set(visible=True, color=FAINT, alpha=0.3)
        text = textwrap.fill(panel.missing, 30)
        axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", color=FAINT)
        return
    x_factor, x_label = axis_unit(panel.x_label, _typical([c.x for c in panel.curves], panel))
    ys = [c.y if c.high is None else c.high for c in panel.curves]
    y_factor, y_label = axis_unit(panel.y_label, typical(np.concatenate(ys), "linear"))
    for curve, colour in zip(panel.curves, colours(len(panel.curves)), strict=True):
        x, y = curve.x / x_factor, curve.y / y_factor
        axes.plot(x, y, color=colour, lw=1.3 if panel.filled else 1.6, label=curve.label)
        if panel.filled:
            axes.fill_between(x, 0, y, color=colour, alpha=0.3, lw=0)
        if curve.low is not None and curve.high is not None:
            low, high = curve.low / y_factor, curve.high / y_factor
            axes.fill_between(x, low, high, color=colour, alpha=0.2, lw=0)
    axes.set(xlabel=x_label, ylabel=y_label, xscale=panel.x_scale)
    set_ticks(axes.xaxis, panel.x_scale, most=8 if wide else 4)
    if panel.filled:
        axes.set(yticks=[], ylim=(0, 1.08))
    else:
        set_ticks(axes.yaxis, "linear", most=5)
    if any(curve.label for curve in panel.curves) and len(panel.curves) <= 4:
        axes.legend(fontsize="x-small", handlelength=1.2, labelspacing=0.3, frameon=True,
                    framealpha=0.75, edgecolor="none")  # fmt: skip


def _typical(values: list[np.ndarray], panel: Panel) -> float:
    return typical(np.concatenate(values), panel.x_scale)


def _column(axes: Axes, card: Card, step: float) -> None:
    """Names, numbers, and the note below them, line by line from the top."""
    y = pairs_on(axes, card.numbers, y=1.0, step=step, values=0.37)
    room = max(0, int((y - 0.02) / (0.8 * step)))
    lines = textwrap.wrap(card.note, 58)
    if len(lines) > room:
        lines = [*lines[: max(0, room - 1)], "... (the rest is in its note)"][:room]
    text = "\n".join(lines)
    axes.text(0, y - 0.02, text, transform=axes.transAxes, fontsize=7.5, va="top", color=FAINT)


def pairs_on(
    axes: Axes, pairs: Sequence[tuple[str, str]], *, y: float, step: float, values: float
) -> float:
    """Names with their values beside them, line by line; a long value takes several.

    Args:
        axes: a column, which shows nothing else than text.
        pairs: names and values.
        y: height of the first line; and of a line, `step` [1].
        values: where values begin, as a share of the width [1].

    Returns:
        Height below the last line.
    """
    axes.set_axis_off()
    axes.set_in_layout(False)
    figure = axes.figure.get_figwidth()  # type: ignore[union-attr]
    room = int((1 - values) * axes.get_position().width * figure / LETTER)
    for name, value in pairs:
        axes.text(0.0, y, name, transform=axes.transAxes, fontsize="small", va="top", color=FAINT)
        for line in textwrap.wrap(value, room, break_on_hyphens=False) or [""]:
            axes.text(
                values, y, line, transform=axes.transAxes, fontsize="small", va="top", color=INK
            )
            y -= step
    return y
