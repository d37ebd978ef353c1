"""A table of a result: units in the head, digits that suit the column, and accessible HTML."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mho.report
from mho.report.tables import PrintedTable, print_table
from mho.results import Cell, Column, MeanStd, Table
from mho.results.units import MINUS, NBSP, THIN, TIMES

DASH = "\N{EN DASH}"


def value(mean: float, std: float | None = None) -> Cell:
    return mean if std is None else MeanStd(mean, std)


def printed(unit: str, *cells: Cell) -> PrintedTable:
    """A table of one column."""
    return print_table(Table("t", "t", [Column("a", unit)], [[each] for each in cells]))


def shown(unit: str, *cells: Cell) -> list[str]:
    rows = printed(unit, *cells).rows
    return [f"{row[0].text} {row[0].tail}".replace(NBSP, " ").strip() for row in rows]


@pytest.mark.parametrize(
    ("unit", "cells", "texts"),
    [
        ("%", [value(97.338), value(100), value(-0.001)], ["97.34", "100.00", "0.00"]),
        ("%", [value(86.904, 1.62)], ["86.90 ± 1.62"]),
        ("pp", [value(-1.5)], [f"{MINUS}1.50"]),
        ("1", [value(1_204_224), value(7)], [f"1{THIN}204{THIN}224", "7"]),
        ("", [value(3.0), value(1_234_567.0)], ["3", f"1{THIN}234{THIN}567"]),
        ("", [value(17), value(21.4, 0.9)], ["17", "21.40 ± 0.90"]),
        ("", [value(0.5), value(0.25), value(1)], ["0.50", "0.25", "1"]),
        ("", [value(1e-7, 2e-9)], [f"10⁻⁷ ± 2{TIMES}10⁻⁹"]),
        ("J", [value(1.2e-6), value(4.31e-6, 2.2e-7)], ["1.2", "4.31 ± 0.22"]),
        ("J", [value(2e-9), value(0)], ["2", "0"]),
        ("s", [value(40.2), value(3.2e8), value(0)], ["40.2 s", "10.14 years", "0 s"]),
        ("", [None, "text", ""], [DASH, "text", ""]),
        ("", [], []),
    ],
)
def test_the_digits_suit_the_column(unit: str, cells: list[Cell], texts: list[str]) -> None:
    assert shown(unit, *cells) == texts


@pytest.mark.parametrize(
    ("unit", "cells", "head"),
    [
        ("%", [value(5)], "%"),
        ("1", [value(5)], ""),
        ("J", [value(1e-6), value(3e-6)], "µJ"),
        ("J", [], "J"),
        ("ohm", [value(4.7e3)], "kΩ"),
        ("s", [value(1e-3), value(3e8)], ""),
        ("writes", [value(1), value(1e9)], "writes"),
    ],
)
def test_the_head_says_the_unit_that_the_cells_share(
    unit: str, cells: list[Cell], head: str
) -> None:
    assert printed(unit, *cells).heads[0].unit == head


def test_a_column_of_numbers_may_hold_a_few_words() -> None:
    assert printed("", value(1), value(2), "none").heads[0].numeric
    assert not printed("", value(1), "two", "three", None).heads[0].numeric
    assert not printed("", None).heads[0].numeric


@given(
    st.lists(
        st.none()
        | st.text(max_size=5)
        | st.builds(
            value,
            st.floats(-1e300, 1e300) | st.integers(-(10**20), 10**20),
            st.none() | st.floats(0, 1e300),
        )
    ),
    st.sampled_from(["%", "J", "s", "1", "", "B", "writes"]),
)
def test_any_column_can_be_printed(cells: list[Cell], unit: str) -> None:
    table = printed(unit, *cells)
    assert [row[0].numeric for row in table.rows] == [
        isinstance(each, int | float | MeanStd) for each in cells
    ]
    assert all("e+" not in row[0].text for row in table.rows if row[0].numeric)


def test_the_page_shows_tables_with_heads_and_right_aligned_numbers(one_page: Path) -> None:
    html = one_page.read_text(encoding="utf-8")
    table = re.search(r'<h3 id="run1.mitigations">.*?</table>', html, re.DOTALL)
    assert table
    part = table.group().replace(NBSP, " ")
    assert 'class="card scroll fit" role="region" aria-labelledby="run1.mitigations"' in part
    assert "Means over 32 chips." in part
    assert part.count('scope="col"') == 4
    assert part.count('scope="row"') == 3
    assert "energy&nbsp;[µJ]" in part
    assert re.search(r'<td class="num">86.90<span class="tail"[^>]*>± 1.62</span></td>', part)
    assert f'<td class="num">1{THIN}204{THIN}224</td>' in part
    assert f'<td class="right">{DASH}</td>' in part
    assert '<td class="right">not counted</td>' in part


def test_tables_stay_apart_from_other_ids(run_folder: Callable[..., Path], content: dict) -> None:
    content["tables"] = [
        {"id": name, "title": name, "columns": [{"name": "a"}], "rows": [["b"]]}
        for name in ("claims", "ledger", "accuracy")
    ]
    html = mho.report.write(run_folder(content)).read_text(encoding="utf-8")
    ids = re.findall(r'id="([^"]*)"', html)
    assert len(set(ids)) == len(ids)
