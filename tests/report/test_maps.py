"""A heat map: every value in its place, readable on its ground, and none too odd to draw."""

import numpy as np
import pytest
from matplotlib.collections import PatchCollection, QuadMesh
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from mho.report.axes import style
from mho.report.maps import OFF_SCALE, TINTS, draw_map, in_words, notes_on, readable_on
from mho.report.svg import inline
from mho.results import Map, read
from mho.results.units import MINUS, THIN, TIMES


def drawn(values: list[list[float | None]], **more: object) -> Figure:
    """The map of `values`, over 1, 2, 3 ... where a test says nothing else."""
    fields = {
        "id": "a",
        "title": "t",
        "x_label": "ratio",
        "y_label": "spread",
        "value_label": "accuracy [%]",
        "x": list(range(1, 1 + len(values[0]))),
        "y": list(range(1, 1 + len(values))),
        "values": values,
    }
    with style():
        figure = draw_map(read(Map, fields | more, "result"))
        inline(figure, "run1-a", "words")
    return figure


def texts(figure: Figure) -> list[str]:
    return [each.get_text() for each in figure.axes[0].texts]


def tints(figure: Figure) -> np.ndarray:
    (mesh,) = (each for each in figure.axes[0].collections if isinstance(each, QuadMesh))
    return np.asarray(mesh.get_facecolor())


def labels(figure: Figure, axis: str) -> list[str]:
    return [each.get_text() for each in getattr(figure.axes[0], f"get_{axis}ticklabels")()]


def test_the_first_row_is_at_the_bottom_for_numbers_and_at_the_top_for_names() -> None:
    numbers, names = drawn([[1], [2]]), drawn([[1], [2]], y=["cat", "dog"])
    assert numbers.axes[0].get_ylim() == (0, 2)
    assert names.axes[0].get_ylim() == (2, 0)
    assert labels(names, "y") == ["cat", "dog"]


def test_cells_are_equal_however_far_the_numbers_are_apart() -> None:
    figure = drawn([[11.3, 50.06, 99.1]], x=[2e3, 1e4, 1e6], x_label="R [ohm]")
    assert [each.get_position() for each in figure.axes[0].texts] == [
        (0.5, 0.5),
        (1.5, 0.5),
        (2.5, 0.5),
    ]
    assert texts(figure) == ["11.3", "50.1", "99.1"]
    assert labels(figure, "x") == ["2", "10", f"1{THIN}000"]
    assert figure.axes[0].get_xlabel() == "R [kΩ]"


def test_a_dark_cell_is_a_large_value() -> None:
    brightness = tints(drawn([[1, 2, 3, 4]]))[:, :3].sum(axis=1)
    assert np.all(np.diff(brightness) < 0)


@pytest.mark.parametrize("tint", [*TINTS(np.linspace(0, 1, 128)), OFF_SCALE])
def test_text_stands_out_from_every_tint(tint: np.ndarray) -> None:
    def luminance(colour) -> float:
        rgb = np.asarray(colour[:3])
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        return float(linear @ (0.2126, 0.7152, 0.0722))

    ground = np.asarray(tint)
    dark, light = sorted((luminance(ground), luminance(to_rgb(readable_on(ground)))))
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_an_empty_cell_is_hatched_and_says_nothing() -> None:
    figure = drawn([[1, None], [None, 4]])
    (empty,) = (e for e in figure.axes[0].collections if isinstance(e, PatchCollection))
    assert len(empty.get_paths()) == 2
    assert empty.get_hatch()
    assert texts(figure) == ["1", "", "", "4"]
    assert tints(figure)[:, 3].tolist() == [1, 0, 0, 1]


def test_zero_and_less_have_a_number_but_no_tint_on_a_logarithmic_scale() -> None:
    figure = drawn([[0, -3, 10, 1000]], scale="log")
    assert texts(figure) == ["0", f"{MINUS}3", "10", f"1{THIN}000"]
    assert np.allclose(tints(figure)[:2], OFF_SCALE)
    assert np.allclose(tints(figure)[2:], TINTS([0.0, 1.0]))


@pytest.mark.parametrize("scale", ["linear", "log"])
@pytest.mark.parametrize(
    "values",
    [
        [[97.3]],
        [[None]],
        [[0]],
        [[-5.0, -5.0]],
        [[None, 0.0, -1.0]],
        [[1e300, -1e300]],
        [[5e-324, 1e-310]],
        [[1e-9], [1e9]],
    ],
)
def test_odd_values_are_drawn(values: list, scale: str) -> None:
    assert len(texts(drawn(values, scale=scale))) == len(values) * len(values[0])


@pytest.mark.parametrize(("size", "least"), [(10, 7.0), (12, 5.5)])
def test_many_cells_hold_smaller_numbers(size: int, least: float) -> None:
    names = [f"class number {i}" for i in range(size)]
    ramp = np.linspace(11.3, 99.1, size * size).reshape(size, size).tolist()
    figure = drawn(ramp, x=[str(i) for i in range(size)], y=[str(i) for i in range(size)])
    assert figure.get_figwidth() == 5.4
    assert least <= figure.axes[0].texts[0].get_fontsize() <= 9.5
    assert labels(drawn(ramp, x=names, y=names), "x") == names


def test_a_row_of_cells_is_as_tall_as_a_column_is_wide() -> None:
    figure = drawn(np.arange(100).reshape(10, 10).tolist())
    figure.draw_without_rendering()
    box = figure.axes[0].get_window_extent()
    assert box.height == pytest.approx(box.width, rel=0.03)


def test_numbers_are_left_out_where_they_would_not_fit_or_are_not_wanted() -> None:
    assert texts(drawn([[1] * 17])) == []
    assert texts(drawn([[1, 2]], text=False)) == []
    assert len(texts(drawn([[1] * 16]))) == 16
    assert len(labels(drawn(np.ones((40, 40)).tolist()), "x")) < 40


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([[0.05, 0.973]], ["0.050", "0.973"]),
        ([[11.31, 100]], ["11.3", "100.0"]),
        ([[1.0, 12_345.0]], ["1", f"12{THIN}345"]),
        ([[2e-6, 0.5]], [f"2{TIMES}10⁻⁶", "0.5"]),
    ],
)
def test_the_digits_suit_all_values(values: list, shown: list[str]) -> None:
    assert texts(drawn(values)) == shown


def test_the_bar_takes_its_prefix_from_the_values() -> None:
    figure = drawn([[2e-6, 8e-6]], value_label="energy [J]")
    assert figure.axes[1].get_ylabel() == "energy [µJ]"
    assert texts(figure) == ["2", "8"]


def test_a_map_in_words() -> None:
    fields = {"title": "t", "x_label": "ratio", "y_label": "spread", "value_label": "images"}
    node = fields | {"id": "a", "x": ["a", "b"], "y": [1], "values": [[0, None]], "scale": "log"}
    what = read(Map, node, "result")
    assert in_words(what) == "images over ratio and spread; 2 columns, 1 rows, from 0 to 0"
    assert [each.split(":")[0] for each in notes_on(what)] == ["Hatched", "Grey"]
    empty = read(Map, node | {"values": [[None, None]]}, "result")
    assert in_words(empty).endswith("no values")


def test_nothing_in_a_map_is_an_image() -> None:
    with style():
        svg = inline(drawn([[1, None], [0, 5]], scale="log"), "a", "b")
    assert "<image" not in svg
    assert "data:" not in svg
