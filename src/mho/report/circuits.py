"""The state of an array, drawn as engineers draw arrays: where current crowds, voltage is lost."""

from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize, to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from mho.report.axes import FAINT, INK, PALETTE, blank, set_ticks, typical
from mho.report.maps import TINTS
from mho.report.wiring import LEVELS, draw_array, level, widths
from mho.results import Circuit
from mho.results.units import MINUS, NBSP, axis_unit, count, number, quantity

# Warm beside the cold tints of the cells; the palest still shows on paper.
CURRENTS = ListedColormap(colormaps["OrRd"](np.linspace(0.25, 1.0, LEVELS)), name="mho currents")
AT_REST, REVERSED = to_rgba("#e4e4e4"), to_rgba("#d98fc0")

_WIDTH = 5.4 - 2 / 24  # [inch] of the whole, without the margins of the layout
_LEFT, _RIGHT, _TOP = 1.1, 0.2, 0.32  # [inch] around the array
_LEAD, _SYMBOL = 0.18, 0.12  # [inch] of the lines outside the array; drivers and amplifiers
_PITCH, _FLAT = 0.46, 3.0  # [inch] between two lines at most; the most that cells are stretched
_TALLEST, _LOWEST = 6.4, 1.2  # [inch] all word lines together
_DRIVERS, _OUTPUTS = 0.6, 0.85  # [inch] the bars
_KEYS, _BARS = 0.72, 0.52  # [inch] below the outputs: the legend, the colour bars
_SMALL, _NOTE = 8.0, "#666666"  # [pt] and colour of what stands beside
_APART = 64  # columns whose bars stand apart
_ROOM = 0.4  # [inch] for the loss of each column
_NAME = 1.7  # [inch] for what a side of the array is


@dataclass(frozen=True)
class Layout:
    """Where the parts of the picture stand, in inches from its upper left corner."""

    rows: int
    cols: int

    @property
    def pitch(self) -> tuple[float, float]:
        """Between two bit lines, and between two word lines."""
        x = min(_PITCH, (_WIDTH - _LEFT - _RIGHT - _LEAD) / (self.cols + 0.2))
        y = min(_PITCH, max(x, min(_FLAT * x, _LOWEST / self.rows)), _TALLEST / self.rows)
        return min(x, _FLAT * y), y

    @property
    def spans(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """From left to right and from top to bottom of the array, in lines."""
        x, y = self.pitch
        return (-0.85 - _LEAD / x, self.cols - 0.65), (-0.35, self.rows - 0.15 + _LEAD / y)

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the array with its leads."""
        (left, right), (top, bottom) = self.spans
        return (right - left) * self.pitch[0], (bottom - top) * self.pitch[1]

    @property
    def height(self) -> float:
        return _TOP + self.size[1] + _SYMBOL + _OUTPUTS + _KEYS + _BARS


def draw_figure(what: Circuit) -> Figure:
    """Word lines from their drivers on the left, bit lines down to their outputs."""
    layout = Layout(*what.word_voltage.shape)
    figure, canvas = blank(layout.height + 2 / 24)
    canvas.set(xlim=(0, _WIDTH), ylim=(0, layout.height))
    canvas.set_axis_off()
    share, voltages = what.share, _voltages(what)
    currents = Normalize(0, what.peak)
    array = _inset(canvas, layout, _LEFT, _TOP, *layout.size)
    array.set_axis_off()
    draw_array(array, what, layout.pitch, layout.spans, currents, CURRENTS, _tints(share, voltages))
    _draw_drivers(canvas, layout, what)
    _draw_outputs(canvas, layout, what)
    _draw_names(canvas, layout)
    _draw_keys(canvas, layout, what, array)
    _draw_scales(canvas, layout, currents, voltages, share)
    return figure


def in_words(what: Circuit) -> str:
    """Size, and the numbers that the picture is for: least voltage left, largest loss, currents."""
    rows, cols = what.word_voltage.shape
    words = [f"{_some(rows, 'word line')}, {_some(cols, 'bit line')}"]
    if (cell := what.least) is not None:
        i, j = cell
        words.append(
            "the least share of the driver's voltage is left at "
            f"word line {i + 1}, bit line {j + 1}: {_percent(what.share[i, j])}"
        )
    if turned := int(np.sum(what.share < 0)):
        words.append(f"across {_some(turned, 'cell')} the voltage is reversed")
    if (j := what.worst) is not None:
        loss = _percent(what.loss[j])
        words.append(f"the largest loss of an output is {loss}, at bit line {j + 1}")
    words.append(f"a wire carries at most {quantity(what.peak, 'A')}")
    return "; ".join(words)


def notes_on(what: Circuit) -> list[str]:
    """Sentences that say how to read the picture."""
    ohms = quantity(what.wire_resistance, "ohm")
    notes = [
        "Word lines run from the drivers on the left, bit lines end in virtual grounds "
        f"(0{NBSP}V); each segment of wire has {ohms}.",
        "Darker and thicker wires carry more current. The tint of a cell is the voltage across it, "
        "as a share of what its driver applies.",
    ]
    if what.least is not None and np.nanmin(what.share) < what.share[what.least]:
        notes.append(
            "Frame: the least share, among rows driven with over a tenth of the largest voltage."
        )
    return notes


def _voltages(what: Circuit) -> Normalize:
    """To all [%], from a round share below all but one cell in twenty not driven weakly."""
    known = what.driven_share[~np.isnan(what.driven_share)]
    low = 100 * float(np.quantile(known, 0.05)) if known.size else 0.0
    steps = MaxNLocator(10, steps=[1, 2, 5, 10]).tick_values(min(max(low, 0.0), 99.9), 100)
    return Normalize(max(0.0, float(steps[0])), 100.0)


def _tints(share: np.ndarray, norm: Normalize) -> np.ndarray:
    """RGBA of each cell `(rows, cols, 4)`."""
    steps = level(np.nan_to_num(100 * share), norm) / (LEVELS - 1)
    tints = np.array(TINTS(steps))
    tints[share < 0] = REVERSED
    tints[np.isnan(share)] = AT_REST
    return tints


def _inset(
    canvas: Axes, layout: Layout, left: float, top: float, width: float, height: float
) -> Axes:
    """Axes at a place in inches."""
    place = (left, layout.height - top - height, width, height)
    made = canvas.inset_axes(place, transform=canvas.transData)
    made.set_in_layout(False)
    made.set_facecolor("none")
    made.grid(visible=False)
    made.tick_params(labelsize=_SMALL, length=2.0, pad=2.0)
    return made


def _draw_drivers(canvas: Axes, layout: Layout, what: Circuit) -> None:
    """The inputs, as bars that begin at the array."""
    unit, label = axis_unit("driver [V]", typical(what.input, "linear"))
    left = _LEFT - _SYMBOL - 0.04 - _DRIVERS
    axes = _inset(canvas, layout, left, _TOP, _DRIVERS, layout.size[1])
    axes.barh(np.arange(layout.rows), what.input / unit, 0.62, color="#777777", lw=0)
    axes.set_xlim(*_reach(what.input / unit)[::-1])
    axes.set_ylim(*layout.spans[1][::-1])
    axes.vlines(0, -0.5, layout.rows - 0.5, color=FAINT, lw=0.8)
    axes.spines["left"].set_visible(False)
    axes.spines["bottom"].set_visible(False)
    axes.spines["top"].set_visible(True)
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_xlabel(label, fontsize=_SMALL, labelpad=3)
    set_ticks(axes.xaxis, "linear", most=2)
    low, high = sorted(axes.get_xlim())
    inside = [each for each in axes.get_xticks() if low <= each <= high]
    axes.set_xticks([min(inside), max(inside)])
    _count(axes.yaxis, layout.rows, layout.pitch[1])
    axes.set_ylabel("word line", fontsize=_SMALL, labelpad=2)


def _draw_outputs(canvas: Axes, layout: Layout, what: Circuit) -> None:
    """What arrives at the grounds, filled, within the outline of what would without wires."""
    both = np.concatenate([what.output, what.ideal])
    unit, label = axis_unit("output [A]", typical(both, "linear"))
    top = _TOP + layout.size[1] + _SYMBOL + 0.04
    axes = _inset(canvas, layout, _LEFT, top, layout.size[0], _OUTPUTS)
    at = np.arange(layout.cols)
    if layout.cols <= _APART:
        look = {"lw": min(0.9, 8 * layout.pitch[0]), "clip_on": False}
        axes.bar(at, what.output / unit, 0.7, color=PALETTE[0], lw=0)
        axes.bar(at, what.ideal / unit, 0.7, fill=False, ec=INK, **look)
    else:
        edges = np.arange(layout.cols + 1) - 0.5
        axes.stairs(what.output / unit, edges, fill=True, color=PALETTE[0], lw=0)
        axes.stairs(what.ideal / unit, edges, color=INK, lw=0.5, baseline=None)
    low, high = _reach(both / unit)
    ends = np.maximum(0.0, np.maximum(what.output, what.ideal)) / unit
    _write_losses(axes, what, ends, high, each=layout.pitch[0] >= _ROOM)
    axes.set_ylim(high + 0.28 * (high - low), low)
    axes.set_xlim(*layout.spans[0])
    axes.axhline(0, color=FAINT, lw=0.8)
    axes.spines["bottom"].set_visible(False)
    axes.spines["left"].set_visible(True)
    axes.set_ylabel(label, fontsize=_SMALL)
    set_ticks(axes.yaxis, "linear", most=3)
    _count(axes.xaxis, layout.cols, layout.pitch[0])
    axes.set_xlabel("bit line", fontsize=_SMALL, labelpad=1)


def _write_losses(axes: Axes, what: Circuit, ends: np.ndarray, high: float, *, each: bool) -> None:
    """Below each bar where there is room, else below all of them for the worst column."""
    look = {"fontsize": _SMALL, "color": "#a34700", "va": "top", "in_layout": False}
    drop = {"textcoords": "offset points", "ha": "center"}
    if each:
        for j in np.flatnonzero(~np.isnan(what.loss)):
            axes.annotate(_change(what.loss[j]), (j, ends[j]), (0, -2), **drop, **look)
    elif (j := what.worst) is not None:
        side = ("left", "center", "right")[3 * j // len(ends)]
        axes.vlines(j, ends[j], 1.08 * high, color="#a34700", lw=0.8)
        text = f"largest loss, {_change(what.loss[j])}"
        axes.annotate(text, (j, 1.08 * high), (0, -1), **drop | {"ha": side}, **look)


def _draw_names(canvas: Axes, layout: Layout) -> None:
    """What the ends of the lines are."""
    width, height = layout.size
    look = {"fontsize": _SMALL, "color": _NOTE, "in_layout": False}
    y = layout.height - _TOP
    above = "bit lines, open at the top" if width > _NAME else "open"
    beside = "word lines, open at the right" if height > _NAME else "open"
    canvas.text(_LEFT + width, y + 0.06, above, ha="right", **look)
    canvas.text(_LEFT + width + 0.04, y - 0.02, beside, rotation=270, va="top", **look)
    ground = f"grounds, 0{NBSP}V"
    canvas.text(_LEFT + _LEAD - 0.05, y - height - 0.03, ground, ha="right", va="center", **look)


def _draw_keys(canvas: Axes, layout: Layout, what: Circuit, array: Axes) -> None:
    """What the bars and the odd cells are, with the two numbers to take away."""
    keys: list = [
        Patch(fc=PALETTE[0], label="output"),
        Patch(fc="none", ec=INK, lw=0.9, label="without wires"),
    ]
    if (cell := what.least) is not None:
        i, j = cell
        side = max(5.0, 72 * 0.68 * min(layout.pitch))
        look = {"marker": "s", "ls": "", "mfc": "none", "mec": INK, "clip_on": False, "zorder": 9}
        array.plot([j - 0.5], [i + 0.5], ms=side, mew=1.1, **look)
        text = f"least voltage left, {_percent(what.share[i, j])}"
        keys.append(Line2D([], [], ms=6, mew=1.1, label=text, **look))
    if np.isnan(what.share).any():
        keys.append(Patch(fc=AT_REST, label="driver at 0 V"))
    if np.any(what.share < 0):
        keys.append(Patch(fc=REVERSED, label="voltage reversed"))
    canvas.legend(
        handles=keys, loc="upper center", bbox_to_anchor=(_WIDTH / 2, _BARS + 0.38),
        bbox_transform=canvas.transData, ncols=3, fontsize=_SMALL, handlelength=1.0,
        handleheight=0.8, columnspacing=1.2, handletextpad=0.5, borderpad=0,
    ).set_in_layout(False)  # fmt: skip


def _draw_scales(
    canvas: Axes, layout: Layout, currents: Normalize, voltages: Normalize, share: np.ndarray
) -> None:
    """Colour bars: cells as a strip, wires as a wedge, since they are thicker as well."""
    wide, high, top = 2.2, 0.11, layout.height - _BARS + 0.18
    left = _inset(canvas, layout, 0.2, top, wide, high)
    below = share[share >= 0].min(initial=1.0) * 100 < (voltages.vmin or 0.0)
    bar = canvas.figure.colorbar(
        ScalarMappable(voltages, TINTS),
        cax=left,
        orientation="horizontal",
        extend="min" if below else "neither",
    )
    assert bar.solids is not None
    bar.solids.set(rasterized=False, edgecolor="face", linewidth=0.6)
    bar.outline.set_visible(False)
    set_ticks(left.xaxis, "linear", most=5)
    left.set_title("cells: driver's voltage left [%]", fontsize=_SMALL, pad=3)
    right = _inset(canvas, layout, _WIDTH - 0.2 - wide, top, wide, high)
    unit, label = axis_unit("wires: current [A]", currents.vmax or 0.0)
    ends = np.linspace(0, currents.vmax or 1.0, LEVELS + 1) / unit
    tall = widths(1.0)
    hues = CURRENTS(np.arange(LEVELS))
    look = {"align": "edge", "color": hues, "ec": hues, "lw": 0.3}
    right.bar(ends[:-1], tall, np.diff(ends), (1 - tall) / 2, **look)
    right.set(xlim=(0, ends[-1]), ylim=(0, 1), yticks=[])
    right.spines[:].set_visible(False)
    set_ticks(right.xaxis, "linear", most=5)
    right.set_title(label, fontsize=_SMALL, pad=3)


def _count(axis: Axis, n: int, pitch: float) -> None:
    """Numbers from 1, as many as have room."""
    step = next(s for s in (1, 2, 4, 8, 16, 32, 64) if s * pitch > 0.26 or s == 64)
    at = sorted({1, *range(step, n + 1, step)})
    axis.set_ticks(np.array(at) - 1.0, [str(each) for each in at])
    axis.set_tick_params(length=0)


def _reach(values: np.ndarray) -> tuple[float, float]:
    """From the lowest to the highest value, with zero."""
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    return (low, high) if low < high else (0.0, 1.0)


def _percent(share: float) -> str:
    return f"{number(100 * share, 2)}{NBSP}%"


def _change(loss: float) -> str:
    return f"{MINUS if loss >= 0 else '+'}{number(abs(100 * loss), 2)}{NBSP}%"


def _some(n: int, what: str) -> str:
    return f"{count(n)} {what}{'s' * (n != 1)}"
