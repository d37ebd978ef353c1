"""The picture of an array: its colours, its bars, what it points at, and what is refused."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle

import mho.report
from builders.wired_array import wired_array
from mho.report.axes import style
from mho.report.circuits import AT_REST, CURRENTS, REVERSED, draw_figure, in_words
from mho.report.folder import RunFolder
from mho.report.maps import TINTS
from mho.report.svg import inline
from mho.results import Circuit
from mho.results import read as read_record
from mho.results.circuit import MATRICES
from mho.results.units import NBSP


def read(fields: dict) -> Circuit:
    return read_record(Circuit, fields, "result.json: circuits[0]")


def drawn(fields: dict) -> tuple[Figure, str]:
    with style():
        figure = draw_figure(read(fields))
        return figure, inline(figure, "run1-a", "words")


def parts(figure: Figure) -> list[Axes]:
    """The array, its drivers, its outputs, the colour bars of cells and of wires."""
    return figure.axes[0].child_axes


def paths(axes: Axes, colour) -> list[PathPatch]:
    """What is drawn in a colour, be it a line or an area."""
    found = [each for each in axes.patches if isinstance(each, PathPatch)]
    hue = [each.get_facecolor() if each.get_fill() else each.get_edgecolor() for each in found]
    return [each for each, rgba in zip(found, hue, strict=True) if np.allclose(rgba, colour)]


def texts(figure: Figure) -> list[str]:
    keys = figure.axes[0].get_legend()
    assert keys is not None
    own = [each.get_text() for axes in (figure.axes[0], *parts(figure)) for each in axes.texts]
    return own + [each.get_text() for each in keys.get_texts()]


@pytest.mark.parametrize(
    ("rows", "cols"), [(1, 1), (1, 8), (8, 1), (32, 32), (64, 64), (64, 8), (8, 64), (100, 100)]
)
def test_any_size_is_drawn_within_its_frame(rows: int, cols: int) -> None:
    figure, svg = drawn(wired_array(rows, cols))
    assert figure.get_figwidth() == 5.4
    assert figure.get_figheight() < 10
    assert len(svg) < 1_500_000
    figure.draw_without_rendering()
    for axes in (figure.axes[0], *parts(figure)):
        box = axes.get_tightbbox()
        assert box is not None
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= figure.bbox.x1
        assert box.y1 <= figure.bbox.y1
    assert ("<image" in svg) == (cols == 100)  # cells too small for squares


def test_the_thickest_and_darkest_wire_carries_most() -> None:
    what = wired_array(1, 4)
    what["word_current"] = [[4.0, 2.0, 1.0, 0.0]]
    what["bit_current"] = [[0.0, 0.0, 0.0, 0.0]]
    array = parts(drawn(what)[0])[0]
    (most,), (half,), (none, *_) = (paths(array, CURRENTS(level)) for level in (31, 16, 0))
    assert most.get_path().vertices[-1].tolist() == [-0.5, 0.0]  # from driver to first cell
    assert half.get_path().vertices.tolist() == [[-0.5, 0.0], [0.5, 0.0]]
    assert most.get_linewidth() > half.get_linewidth() > none.get_linewidth()


def test_a_bit_line_is_darkest_where_it_ends_in_its_ground() -> None:
    what = wired_array(3, 2)
    what["word_current"] = [[0.0] * 2] * 3
    what["bit_current"] = [[0.0, 0.0], [0.0, 2.0], [0.0, 4.0]]
    array = parts(drawn(what)[0])[0]
    (most,), (half,) = (paths(array, CURRENTS(level)) for level in (31, 16))
    bottom = array.get_ylim()[0]
    assert most.get_path().vertices.tolist() == [[1.0, 2.5], [1.0, bottom]]
    assert half.get_path().vertices.tolist() == [[1.0, 1.5], [1.0, 2.5]]


def test_currents_that_flow_back_are_as_thick() -> None:
    what = wired_array(2, 2)
    back = what | {name: (-np.array(what[name])).tolist() for name in MATRICES[2:]}
    lines = [
        [(each.get_linewidth(), len(each.get_path())) for each in parts(drawn(each)[0])[0].patches]
        for each in (what, back)
    ]
    assert lines[0] == lines[1]


def test_neighbouring_segments_of_one_current_are_one_stroke() -> None:
    what = wired_array(3, 50) | {"word_current": [[1e-3] * 50] * 3}
    (lines,) = paths(parts(drawn(what)[0])[0], CURRENTS(31))
    assert len(lines.get_path().vertices) == 2 * 3


def test_cells_fade_as_their_voltage_goes() -> None:
    what = wired_array(4, 1, inputs=np.array([0.1, 0.1, 0.0, 0.1]))
    what["word_voltage"], what["bit_voltage"] = (
        [[0.1], [0.08], [0.0], [0.0]],
        [[0.0]] * 3 + [[0.01]],
    )
    assert read(what).share.ravel() == pytest.approx([1.0, 0.8, math.nan, -0.1], nan_ok=True)
    array = parts(drawn(what)[0])[0]

    def row(colour) -> float:
        (cell,) = paths(array, colour)
        return cell.get_path().vertices[:-1, 1].mean()

    assert row(TINTS(1.0)) == 0.5
    assert row(AT_REST) == 2.5
    assert row(REVERSED) == 3.5
    words = in_words(read(what))
    assert f"word line 4, bit line 1: \N{MINUS SIGN}10{NBSP}%" in words
    assert "across 1 cell the voltage is reversed" in words


def test_without_loss_every_cell_is_dark() -> None:
    array = parts(drawn(wired_array(3, 3, ohms=1e-9))[0])[0]
    (cells,) = paths(array, TINTS(1.0))
    assert len(cells.get_path().vertices) == 5 * 6  # of the two driven word lines


def test_the_cell_with_the_least_is_framed_and_told() -> None:
    what = wired_array(16, 12)
    share = read(what).share
    i, j = np.unravel_index(np.nanargmin(share), share.shape)
    figure, _ = drawn(what)
    frame = parts(figure)[0].lines[0]
    assert frame.get_xydata().tolist() == [[j - 0.5, i + 0.5]]
    percent = f"{100 * share[i, j]:.0f}{NBSP}%"
    assert f"least voltage left, {percent}" in texts(figure)
    assert f"word line {i + 1}, bit line {j + 1}: {percent}" in in_words(read(what))
    assert "driver at 0 V" in texts(figure)
    assert "voltage reversed" not in texts(figure)


def test_a_weak_driver_is_not_what_is_pointed_at() -> None:
    inputs = np.array([0.2, 0.2, 0.2, 0.001])
    what = read(wired_array(4, 4, ohms=100.0, inputs=inputs))
    assert np.nanargmin(what.share.min(axis=1)) == 3
    assert what.least is not None
    assert what.least[0] < 3
    tiny = read(wired_array(2, 2) | {"output": [1e-6, 0.0], "ideal": [2e-6, 1e-9]})
    assert tiny.worst == 0


def test_one_odd_cell_does_not_take_the_contrast_of_all() -> None:
    what = wired_array(20, 20, inputs=np.full(20, 0.1))
    what["bit_voltage"] = np.zeros((20, 20)).tolist()
    what["word_voltage"] = np.linspace(0.1, 0.09, 400).reshape(20, 20).tolist()
    what["word_voltage"][5][5] = 0.02
    bar = parts(drawn(what)[0])[3]
    low, high = bar.get_xlim()
    assert 85 <= low <= 91
    assert high == 100
    assert "20\N{NO-BREAK SPACE}%" in in_words(read(what))


def test_bars_are_what_arrives_within_what_would() -> None:
    what = wired_array(32, 20)
    figure, _ = drawn(what)
    bars = [each for each in parts(figure)[2].patches if isinstance(each, Rectangle)]
    heights = np.array([each.get_height() for each in bars]).reshape(2, 20)
    assert heights[0] == pytest.approx(np.array(what["output"]) / 1e-6)
    assert heights[1] == pytest.approx(np.array(what["ideal"]) / 1e-6)
    assert [each.get_fill() for each in bars] == [True] * 20 + [False] * 20
    assert parts(figure)[2].get_ylabel() == "output [µA]"
    loss = 1 - np.array(what["output"]) / what["ideal"]
    words = in_words(read(what))
    assert f"loss of an output is {100 * loss.max():.2g}{NBSP}%, at bit line" in words
    assert words.split("at bit line ")[1].split(";")[0] == str(loss.argmax() + 1)
    assert f"largest loss, \N{MINUS SIGN}{100 * loss.max():.2g}{NBSP}%" in texts(figure)


def test_drivers_stand_at_their_word_lines() -> None:
    what = wired_array(5, 5)
    figure, _ = drawn(what)
    bars = [each for each in parts(figure)[1].patches if isinstance(each, Rectangle)]
    assert [each.get_width() for each in bars] == pytest.approx(np.array(what["input"]) / 1e-3)
    assert [each.get_y() + each.get_height() / 2 for each in bars] == pytest.approx(range(5))
    assert parts(figure)[1].get_xlabel() == "driver [mV]"


@pytest.mark.parametrize("inputs", [np.zeros(3), np.array([-0.2, 0.1, 0.0]), -np.ones(3)])
def test_inputs_of_any_sign_are_drawn(inputs: np.ndarray) -> None:
    what = wired_array(3, 4, inputs=inputs)
    assert "driver at 0 V" in texts(drawn(what)[0]) or inputs.all()
    assert in_words(read(what)).startswith("3 word lines, 4 bit lines; ")


def test_the_page_holds_it_between_maps_and_histograms(
    run_folder: Callable[..., Path], content: dict
) -> None:
    folder = run_folder(content | {"circuits": [wired_array(8, 8)]})
    assert [each.id for each in RunFolder.read(folder).result.figures][3:] == [
        "confusion",
        "array",
        "levels",
        "wear",
    ]
    html = mho.report.write(folder).read_text(encoding="utf-8")
    assert (folder / "figures" / "array.png").exists()
    assert 'aria-label="Array: Currents and voltages of an array. 8 word lines, 8 bit' in html
    assert f"each segment of wire has 5{NBSP}Ω." in html
    content["circuits"] = [wired_array(2, 2) | {"id": "wear"}]
    (folder / "result.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ValueError, match="one figure per id"):
        RunFolder.read(folder)


def test_library_users_draw_tensors_without_a_run() -> None:
    fields = wired_array(3, 4)
    tensors = {k: torch.tensor(v) for k, v in fields.items() if isinstance(v, list)}
    what = Circuit("array", "one tile", 3, **tensors, wire_resistance=5.0)
    figure = mho.report.draw_circuit(what)
    assert figure.get_suptitle() == "one tile"
    assert figure.get_facecolor() == to_rgba("white")
    widths = [each.get_width() for each in parts(figure)[1].patches]
    assert widths == pytest.approx(np.array(fields["input"]) / 1e-3)
