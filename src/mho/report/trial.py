"""A device tried out, on one page: its card, accuracy as time passes, and what limits it."""

import textwrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mho.report.axes import FAINT, colours, set_ticks
from mho.report.card import COLUMN, LINE, as_file, card_on, pairs_on
from mho.results.card import Card
from mho.results.trial import Trial

MOST_LIMITS = 7


def draw_trial(trial: Trial, card: Card) -> Figure:
    """The card above; below it accuracies, and what each imperfection costs."""
    figure = Figure(figsize=(13.6, 10.4), facecolor="white")
    figure.set_layout_engine("constrained", rect=(0, 0, COLUMN, 0.975))
    grid = figure.add_gridspec(3, 3)
    card_on(figure, grid, card, top=0.945, bottom=0.33)
    below = grid[2, :].subgridspec(1, 2, width_ratios=(1, 1.6))
    _accuracy(figure.add_subplot(below[0]), trial)
    _limits(figure.add_subplot(below[1]), trial)
    _costs(figure.add_axes((COLUMN + 0.015, 0.02, 0.98 - COLUMN, 0.29)), trial)
    figure.suptitle(trial.name, x=0.01, ha="left", fontsize="x-large", fontweight="bold")
    return figure


def picture_of(trial: Trial, card: Card, ending: str) -> bytes:
    """The figure as a file of one of `mho.report.card.FORMATS`."""
    return as_file(lambda: draw_trial(trial, card), ending)


def _accuracy(axes: Axes, trial: Trial) -> None:
    """Each chip as a dot, their mean as a line, the network in float as a dashed one."""
    _title(axes, "Accuracy of a small network", trial.network)
    places = np.arange(len(trial.times), dtype=float)
    for k, (what, hue) in enumerate(zip(trial.accuracy, colours(2), strict=True)):
        accuracy, shift = 100 * trial.accuracy[what], 0.08 * (2 * k - 1)
        axes.plot(places + shift, accuracy.mean(1), "-_", color=hue, ms=14, mew=2, label=what)
        for place, chips in zip(places + shift, accuracy, strict=True):
            axes.plot(np.full(len(chips), place), chips, ".", color=hue, ms=4, alpha=0.5)
    axes.axhline(100 * trial.in_float, color=FAINT, lw=1, ls="--", label="in float")
    axes.set_xticks(places, [name for name, _ in trial.times])
    axes.set(xlim=(-0.5, len(places) - 0.5), ylabel="accuracy [%]")
    set_ticks(axes.yaxis, "linear", most=5)
    axes.legend(fontsize="x-small", frameon=True, framealpha=0.75, edgecolor="none")


def _limits(axes: Axes, trial: Trial) -> None:
    """Bars of what is won without each imperfection, with two standard errors."""
    when = trial.times[-1][0]
    _title(axes, "What limits it", f"{when}: points won by mending one alone ± 2 standard errors")
    by_name = {what: {limit.name: limit for limit in each} for what, each in trial.limits.items()}
    names = sorted(
        by_name["as written"], key=lambda n: -max(each[n].mean for each in by_name.values())
    )[:MOST_LIMITS]
    places = np.arange(len(names))
    for k, (what, hue) in enumerate(zip(by_name, colours(2), strict=True)):
        shown = [by_name[what][name] for name in names]
        axes.barh(
            places + 0.19 * (2 * k - 1), [100 * limit.mean for limit in shown], 0.36,
            xerr=[200 * limit.error for limit in shown], color=hue, label=what, ecolor=FAINT,
        )  # fmt: skip
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    axes.axvline(0, color=FAINT, lw=0.8)
    axes.set(xlabel="points of accuracy")
    set_ticks(axes.xaxis, "linear")
    axes.grid(visible=False, axis="y")
    axes.legend(fontsize="x-small", loc="lower right")


def _costs(axes: Axes, trial: Trial) -> None:
    """What it costs, and what is not known, line by line."""
    high = axes.get_position().height * axes.figure.get_figheight()  # type: ignore[union-attr]
    step = LINE / high
    axes.text(0, 1, "The network on a chip", fontsize="medium", fontweight="bold", va="top")
    y = pairs_on(axes, trial.costs, y=1 - 1.3 * step, step=step, values=0.55)
    remarks = "\n".join(line for each in trial.remarks for line in textwrap.wrap(each, 58))
    axes.text(0, y - 0.02, remarks, fontsize=7.5, va="top", color=FAINT)


def _title(axes: Axes, title: str, remark: str) -> None:
    axes.set_title(title, loc="left", fontsize="medium", fontweight="bold", pad=17)
    text = axes.text(0, 1.02, remark, transform=axes.transAxes, fontsize=8, color=FAINT)
    text.set_in_layout(False)
