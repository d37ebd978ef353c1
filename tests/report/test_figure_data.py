"""Every kind of figure as a table: a heading, and a line for each point, bin, bar or cell."""

import csv
import io
import typing

import pytest

from mho.report.figure_data import csv_of
from mho.results import (
    BarGroup,
    Bars,
    Circuit,
    Curve,
    Group,
    Histogram,
    Map,
    Rank,
    Ranking,
    RankPanel,
    Series,
)

SERIES = Series(name="a, b", x=[1.0, 2.0], y=[3.0, None], std=[0.5, None])
EACH = {
    "curve": (
        Curve(id="c", title="t", x_label="x [s]", y_label="y", series=[SERIES]),
        [["series", "x [s]", "y", "standard deviation"], ["a, b", "1.0", "3.0", "0.5"],
         ["a, b", "2.0", "", ""]],
    ),
    "histogram": (
        Histogram(id="h", title="t", x_label="G", groups=[Group("g", [0.0, 1.0, 2.0], [3.0, 4.0])]),
        [["group", "from: G", "to: G", "count"], ["g", "0.0", "1.0", "3.0"],
         ["g", "1.0", "2.0", "4.0"]],
    ),
    "bars": (
        Bars(id="b", title="t", value_label="E [J]", categories=["k", "l"],
             groups=[BarGroup("g", [1.0, None], [0.1, None])]),
        [["category", "group", "E [J]", "standard deviation"], ["k", "g", "1.0", "0.1"],
         ["l", "g", "", ""]],
    ),
    "map": (
        Map(id="m", title="t", x_label="x", y_label="y", value_label="v", x=[1.0, 2.0], y=["r"],
            values=[[5.0, None]]),
        [["y", "x", "v"], ["r", "1.0", "5.0"], ["r", "2.0", ""]],
    ),
    "ranking": (
        Ranking(id="r", title="t", value_label="v", side_label="s", side_names=["one"],
                panels=[RankPanel("p", 0.0, [Rank("n", 1.0, 0.5, 1.5, [2.0], [None])])]),
        [["panel", "name", "v", "low", "high", "one", "one, deviation"],
         ["p", "n", "1.0", "0.5", "1.5", "2.0", ""]],
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", EACH)
def test_a_figure_as_a_table(kind: str) -> None:
    figure, rows = EACH[kind]
    assert list(csv.reader(io.StringIO(csv_of(figure)))) == rows


def test_an_array_has_a_line_for_each_cell() -> None:
    one = [[1.0, 2.0], [3.0, 4.0]]
    state = Circuit(
        id="a", title="t", rows=2, word_voltage=one, bit_voltage=one, word_current=one,
        bit_current=one, cell_current=one, input=[1.0, 2.0], output=[1.0, 2.0], ideal=[1.0, 2.0],
        wire_resistance=1.0,
    )  # fmt: skip
    rows = list(csv.reader(io.StringIO(csv_of(state))))
    assert len(rows) == 1 + 4
    assert rows[-1] == ["1", "1", *["4.0"] * 5]


def test_no_kind_is_left_out() -> None:
    from mho.report.plots import Shown

    kinds = {"Curve", "Histogram", "Bars", "Map", "Ranking", "Circuit"}
    assert {each.__name__ for each in typing.get_args(Shown) or Shown.__subclasses__()} <= kinds
