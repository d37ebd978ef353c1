"""Bars: each value at its bar's end, no bar where there is no value, and no text off the page."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

import mho.report
from mho.report.axes import PALETTE, style
from mho.report.bars import draw_bars, in_words, notes_on
from mho.report.folder import RunFolder
from mho.report.svg import inline
from mho.results import BarGroup, Bars, plain
from mho.results.units import MINUS, NBSP, THIN, unit_of

NOTHING = "\N{EN DASH}"


def group(
    values: list[float | None], std: list[float | None] | None = None, name: str = "SET"
) -> BarGroup:
    return BarGroup(name, values, std)


def block(*groups: BarGroup, **more: Any) -> Bars:
    names = [f"scheme {i}" for i in range(len(groups[0].values))]
    fields = {"value_label": "energy [J]", "categories": names, "groups": groups}
    return Bars("energies", "Energies", **fields | more)


def drawn(*groups: BarGroup, **more: Any) -> Figure:
    with style():
        figure = draw_bars(block(*groups, **more))
        inline(figure, "run1-a", "words")
    return figure


def texts(figure: Figure) -> list[str]:
    return [each.get_text() for each in figure.axes[0].texts]


def rectangles(figure: Figure) -> list[Rectangle]:
    return [each for each in figure.axes[0].patches if isinstance(each, Rectangle)]


def lengths(figure: Figure) -> list[float]:
    return [each.get_width() for each in rectangles(figure)]


def test_every_bar_ends_with_its_value_in_its_own_prefix() -> None:
    figure = drawn(group([1.5e-6, 2e-9]), group([3e-6, 0.0], name="RESET"))
    units = [f"1.5{NBSP}µJ", f"2{NBSP}nJ", f"3{NBSP}µJ", "0"]
    assert texts(figure) == units
    assert lengths(figure) == pytest.approx([1.5, 0.002, 3, 0])
    assert figure.axes[0].get_xlabel() == "energy [µJ]"
    assert [to_rgb(each.get_facecolor()) for each in rectangles(figure)[::2]] == [
        to_rgb(each) for each in PALETTE[:2]
    ]


@pytest.mark.parametrize(
    ("label", "unit", "shown"),
    [
        ("writes", "", f"401{THIN}408"),
        ("writes [1e3]", "", f"401{THIN}408"),
        ("share [%]", "%", f"401{THIN}400{NBSP}%"),
        ("R (ohm)", "ohm", f"401{NBSP}kΩ"),
    ],
)
def test_the_unit_is_the_label_s(label: str, unit: str, shown: str) -> None:
    assert unit_of(label) == unit
    assert texts(drawn(group([401_408]), value_label=label)) == [shown]


def test_the_first_category_and_group_are_at_the_top() -> None:
    figure = drawn(group([1, 2]), group([3, 4], name="RESET"), categories=["a", "b"])
    assert [each.get_text() for each in figure.axes[0].get_yticklabels()] == ["a", "b"]
    low, high = figure.axes[0].get_ylim()
    assert low > high
    middle = [each.get_y() + each.get_height() / 2 for each in rectangles(figure)]
    assert middle[0] < middle[2] < middle[1] < middle[3]


def test_bars_of_one_category_meet_and_those_of_two_do_not() -> None:
    figure = drawn(*(group([1, 1], name=str(i)) for i in range(4)))
    edges = sorted((each.get_y(), each.get_y() + each.get_height()) for each in rectangles(figure))
    gaps = [low - high for (_, high), (low, _) in pairwise(edges)]
    assert gaps[:3] + gaps[4:] == pytest.approx([0] * 6, abs=1e-9)
    assert gaps[3] > 0.1


def test_zero_less_and_nothing_have_no_bar_on_a_logarithmic_axis() -> None:
    figure = drawn(group([0, -3e-9, None, 1e-9, 1e-3], [1e-9] * 5), scale="log")
    assert texts(figure) == ["0", f"{MINUS}3{NBSP}nJ", NOTHING, f"1{NBSP}nJ", f"1{NBSP}mJ"]
    assert lengths(figure)[:3] == [0, 0, 0]
    assert all(each > 0 for each in lengths(figure)[3:])
    assert figure.axes[0].get_xscale() == "log"
    (whiskers,) = figure.axes[0].collections
    assert len(whiskers.get_segments()) == 2


def test_stacked_bars_stand_end_to_end_and_show_their_sum() -> None:
    figure = drawn(
        group([1e-9, None, None], name="DAC"), group([2e-9, 4e-9, None], name="ADC"), stacked=True
    )
    assert texts(figure) == [f"3{NBSP}nJ", f"4{NBSP}nJ", NOTHING]
    assert rectangles(figure)[3].get_x() == pytest.approx(1)
    assert lengths(figure) == pytest.approx([1, 0, 0, 2, 4, 0])


@pytest.mark.parametrize("scale", ["linear", "log"])
@pytest.mark.parametrize(
    "values",
    [
        [97.3],
        [None],
        [0],
        [-5.0, -5.0],
        [None, 0.0, -1.0],
        [1e300, -1e300],
        [5e-324, 1e-310],
        [1e-9, 1e9],
        [1.0] * 25,
    ],
)
def test_odd_values_are_drawn(values: list, scale: str) -> None:
    figure = drawn(group(values), group(values, [1.0] * len(values)), scale=scale)
    assert len(texts(figure)) == 2 * len(values)


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_no_text_leaves_the_figure_or_meets_another(scale: str) -> None:
    groups = [
        group([1e6 / (i + 1) ** k + 0.5 for i in range(20)], [3e5] * 20, f"task {k}")
        for k in range(3)
    ]
    name = "program-and-verify with incremental step pulses and a tolerance number {}"
    names = [name.format(i) for i in range(20)]
    figure = drawn(*groups, scale=scale, value_label="writes of an epoch", categories=names)
    figure.draw_without_rendering()
    shown = figure.axes[0].texts
    assert len(shown) == 60
    assert all(each.get_fontsize() > 7 for each in shown)
    boxes = [each.get_window_extent() for each in (*shown, *figure.axes[0].get_yticklabels())]
    assert all(figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1 + 1 for box in boxes)
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[i + 1 :])


def test_values_are_left_out_where_they_would_not_fit() -> None:
    crowd = [group([1.0 + i for i in range(60)], name=str(k)) for k in range(9)]
    figure = drawn(*crowd)
    assert texts(figure) == []
    assert figure.get_figheight() < 15


def test_bars_in_words() -> None:
    what = block(group([1, None], [0.1, None]), scale="log", categories=["a", "b"])
    assert in_words(what) == "energy [J] of a, b; SET; from 1 to 1"
    starts = [each.split(":")[0] for each in notes_on(what)]
    assert starts == ["Whisker", NOTHING, "Logarithmic axis"]
    zeros = block(group([0, 1]), scale="log")
    assert "Values of zero or less have no bar." in notes_on(zeros)
    parts = block(group([1, None]), group([1, 2]), stacked=True)
    (sums,) = notes_on(parts)
    assert sums == "Beside each bar: the sum, without the parts that have no value."
    empty = block(group([None], name=""))
    assert in_words(empty).endswith("one group; no values")


def test_the_page_shows_bars_between_curves_and_maps(
    run_folder: Callable[..., Path], content: dict
) -> None:
    content["bars"] = [plain(block(group([1.5e-6, None], [1e-7, None]), categories=["<b>", "$x"]))]
    folder = run_folder(content)
    ids = [each.id for each in RunFolder.read(folder).result.figures]
    assert ids == ["accuracy", "tasks", "wires", "energies", "confusion", "levels", "wear"]
    html = mho.report.write(folder).read_text(encoding="utf-8")
    assert (folder / "figures" / "energies.png").read_bytes()[:4] == b"\x89PNG"
    assert 'aria-label="Bars: Energies. energy [J] of &lt;b&gt;, $x; SET; from' in html
    assert f"1.5{NBSP}µJ" in html
    assert "Whisker: ± one standard deviation." in html
    assert "<image" not in html
