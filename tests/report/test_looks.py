"""Names keep their looks throughout a page, and no two of one figure look alike."""

from typing import Any

from matplotlib.colors import to_hex

from mho.report.axes import PALETTE
from mho.report.bars import draw_bars
from mho.report.figures import draw_curve, draw_histogram
from mho.report.looks import GREY, MOST, look, looks_of, series_of
from mho.results import BarGroup, Bars, Curve, Group, Histogram, Series


def curve(id: str, *names: str) -> Curve:
    series = [Series(name=name, x=[1.0], y=[2.0]) for name in names]
    return Curve(id=id, title="t", x_label="x", y_label="y", series=series)


def test_a_name_looks_alike_in_all_figures() -> None:
    looks = looks_of([curve("a", "float", "ours"), curve("b", "rival", "ours", "float")])
    assert list(looks) == ["float", "ours", "rival"]
    assert looks["ours"] == look(1)


def test_more_names_than_colours_differ_in_mark_and_dash() -> None:
    several = [look(i) for i in range(4 * MOST)]
    assert len(set(several)) == len(several)
    assert len({each.colour for each in several[:MOST]}) == MOST
    for i in range(MOST):
        assert several[i].marker != several[i + MOST].marker


def bars(id: str, names: list[str], *categories: str) -> Bars:
    groups = [BarGroup(name=name, values=[1.0] * len(categories)) for name in names]
    return Bars(id=id, title="t", value_label="x", categories=categories, groups=groups)


def histogram(id: str, *names: str) -> Histogram:
    groups = [Group(name=name, edges=[0.0, 1.0, 2.0], counts=[1, 2]) for name in names]
    return Histogram(id=id, title="t", x_label="x", y_label="y", groups=groups)


def drawn(figure: Any) -> set[str]:
    """Colours of all that is drawn in it, as hexadecimal."""
    patches = [each for axes in figure.axes for each in axes.patches if each.get_fill()]
    return {to_hex(each.get_facecolor()).upper() for each in patches}


def test_a_name_has_its_colour_in_bars_and_histograms_too() -> None:
    grouped, alone = bars("b", ["ours", "float"], "x", "y"), bars("c", [""], "rival", "ours", "new")
    levels = histogram("d", "rival", "other")
    looks = looks_of([curve("a", "float", "ours", "rival"), grouped, alone, levels])
    assert drawn(draw_bars(grouped, looks)) == {look(1).colour, look(0).colour}
    assert drawn(draw_bars(alone, looks)) == {look(2).colour, look(1).colour, GREY.upper()}
    assert drawn(draw_histogram(levels, looks)) == {look(2).colour, look(3).colour}
    assert "new" not in looks, "a row of bars is told by its name"


def test_rows_that_are_no_series_have_one_colour() -> None:
    looks = looks_of([curve("a", "float")])
    assert drawn(draw_bars(bars("b", [""], "x", "y"), looks)) == {PALETTE[0]}


def test_names_of_one_figure_have_different_colours() -> None:
    first = curve("a", *"abcdefg")
    second = bars("b", ["a", "h", "i", "j"], "x")
    looks = looks_of([first, second])
    assert len({looks[name].colour for name in series_of(second)}) == 4
    assert looks["a"] == look(0)


def test_many_groups_follow_their_order() -> None:
    levels = histogram("a", *map(str, range(2 * MOST)))
    assert looks_of([levels]) == {}
    assert len(drawn(draw_histogram(levels, {}))) == 2 * MOST


def test_points_at_one_whole_number_have_that_number_on_their_axis() -> None:
    figure = draw_curve(curve("a", "float", "ours"))
    figure.draw_without_rendering()
    (axes,) = figure.axes
    low, high = axes.get_xlim()
    assert [at for at in axes.get_xticks() if low <= at <= high] == [1.0]
