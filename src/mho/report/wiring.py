"""Wires and cells of an array as a few merged paths: one for each level of colour and width."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, Normalize
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from mho.report.axes import INK
from mho.results import Circuit

LEVELS = 32
_HALF = 0.28  # of the pitch: half the side of a cell
_THICKEST = (0.26, 5.5)  # of the pitch, and [pt]: the wire with most current
_FINE, _TINY = 0.11, 0.055  # [inch] of pitch: less has no legs and bridges, no separate cells

Strokes = list[list[tuple[float, float]]]


def draw_array(
    axes: Axes,
    what: Circuit,
    pitch: tuple[float, float],
    spans: tuple[tuple[float, float], tuple[float, float]],
    norm: Normalize,
    look: Colormap,
    tints: np.ndarray,
) -> None:
    """Word line i at y = i, bit line j at x = j over it, the cell in the corner below left.

    Wires take tint and width from their current; `tints` is the RGBA of each cell. `spans` are
    the ends of the drawing in both directions, from the drivers and down to the amplifiers.
    """
    rows, cols = what.word_voltage.shape
    (start, right), (top, end) = spans
    axes.set(xlim=(start, right), ylim=(end, top))
    small = min(pitch)
    thickest = min(72 * _THICKEST[0] * small, _THICKEST[1])
    taps = np.concatenate([[start], np.arange(cols) - 0.5])
    words = _strokes(level(np.abs(what.word_current), norm), taps, upright=False)
    taps = np.concatenate([np.arange(rows) + 0.5, [end]])
    bits = _strokes(level(np.abs(what.bit_current), norm).T, taps, upright=True)
    _draw_wires(axes, words, look, thickest, zorder=3)
    _draw_wires(axes, bits, look, thickest, zorder=5)
    _draw_cells(axes, tints, small)
    if small >= _FINE:
        _draw_wires(axes, _legs(level(np.abs(what.cell_current), norm)), look, thickest, zorder=2)
        reach = (0.5 * thickest + 0.5) / 72 / pitch[1]
        gaps = _bridges(level(np.abs(what.bit_current), norm), reach)
        _draw_wires(axes, gaps, lambda _: "white", thickest, wider=0.12 * 72 * small, zorder=4)
    _draw_symbols(axes, rows, cols, pitch, start, end)


def level(values: np.ndarray, norm: Normalize) -> np.ndarray:
    """Which of the levels each value is of, the ends of the scale taking what is beyond."""
    found = np.rint(np.asarray(norm(values)) * (LEVELS - 1))
    return np.clip(np.nan_to_num(found), 0, LEVELS - 1).astype(int)


def widths(thickest: float) -> np.ndarray:
    """How thick a wire is at each level of current."""
    return thickest * np.linspace(0.16, 1.0, LEVELS)


def _strokes(levels: np.ndarray, taps: np.ndarray, *, upright: bool) -> list[Strokes]:
    """Of each level its pieces of all lines; neighbouring pieces of one level are one stroke."""
    found: list[Strokes] = [[] for _ in range(LEVELS)]
    for at, row in enumerate(levels):
        for first, last in _runs(row):
            ends = [(float(taps[first]), float(at)), (float(taps[last]), float(at))]
            found[row[first]].append([(y, x) for x, y in ends] if upright else ends)
    return found


def _legs(levels: np.ndarray) -> list[Strokes]:
    """From the word line down into each cell, and out of it to the bit line on its right."""
    found: list[Strokes] = [[] for _ in range(LEVELS)]
    for (i, j), at in np.ndenumerate(levels):
        found[at].append([(j - 0.5, i), (j - 0.5, i + 0.5), (j, i + 0.5)])
    return found


def _bridges(levels: np.ndarray, reach: float) -> list[Strokes]:
    """A gap in each word line where a bit line of some level passes over it."""
    found: list[Strokes] = [[] for _ in range(LEVELS)]
    for (i, j), at in np.ndenumerate(levels[:-1, :-1]):
        found[at].append([(j, i + 1 - reach), (j, i + 1 + reach)])
    return found


def _draw_wires(
    axes: Axes,
    pieces: list[Strokes],
    look: Callable[[float], Any],
    thickest: float,
    *,
    zorder: float,
    wider: float = 0.0,
) -> None:
    for at, width in enumerate(widths(thickest) + wider):
        hue = look(at / (LEVELS - 1))
        _add(axes, pieces[at], zorder=zorder + at / 2 / LEVELS, ec=hue, lw=width)


def _draw_cells(axes: Axes, tints: np.ndarray, small: float) -> None:
    """Squares apart, or where they would be tiny one image under the wires."""
    rows, cols = tints.shape[:2]
    if small < _TINY:
        axes.imshow(
            tints, extent=(-1, cols - 1, rows, 0), aspect="auto", interpolation="none", zorder=1
        )
        return
    shades, kinds = np.unique(tints.reshape(-1, 4), axis=0, return_inverse=True)
    boxes: list[Strokes] = [[] for _ in shades]
    h = _HALF
    corners = [(-h, -h), (h, -h), (h, h), (-h, h), (-h, -h)]
    for (i, j), kind in np.ndenumerate(kinds.reshape(rows, cols)):
        boxes[kind].append([(j - 0.5 + x, i + 0.5 + y) for x, y in corners])
    for shade, strokes in zip(shades, boxes, strict=True):
        look = {"fc": tuple(shade), "ec": "#8a8a8a", "lw": min(0.4, 3 * small)}
        _add(axes, strokes, zorder=7, fill=True, **look)


def _draw_symbols(
    axes: Axes, rows: int, cols: int, pitch: tuple[float, float], start: float, end: float
) -> None:
    """A triangle for each driver and each amplifier, where there is room."""
    x, y = pitch
    long, look = 0.11, {"zorder": 6, "fill": True, "fc": "white", "ec": INK, "lw": 0.6}
    if (half := min(0.4 * y, 0.07) / y) * y > 0.015:
        tip = [(start - long / x, -half), (start - long / x, half), (start, 0.0)]
        _add(axes, [[(a, b + i) for a, b in (*tip, tip[0])] for i in range(rows)], **look)
    if (half := min(0.4 * x, 0.07) / x) * x > 0.015:
        tip = [(-half, end), (half, end), (0.0, end + long / y)]
        _add(axes, [[(a + j, b) for a, b in (*tip, tip[0])] for j in range(cols)], **look)


def _runs(row: np.ndarray) -> Iterator[tuple[int, int]]:
    """First and past-the-last index of each stretch of equal values."""
    edges = np.flatnonzero(np.diff(row)) + 1
    return pairwise([0, *map(int, edges), len(row)])


def _add(axes: Axes, strokes: Strokes, *, fill: bool = False, **look: object) -> None:
    """Lines through the points of each stroke, all in one path."""
    if not strokes:
        return
    points = [point for stroke in strokes for point in stroke]
    codes = [Path.LINETO if i else Path.MOVETO for stroke in strokes for i in range(len(stroke))]
    axes.add_patch(PathPatch(Path(points, codes), fill=fill, clip_on=False, **look))
