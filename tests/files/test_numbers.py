"""Numbers of tables: one strict form, and decimal marks that are told or refused."""

import pytest

from mho.errors import InvalidInput
from mho.files.numbers import decimal_mark, is_number, marks_shown, number, plain_number

NO_NUMBERS = (
    "1_000", "\u0661\u0662", "\uff11", "0x10", "1e", "e5", "--1", "1.2.3", "1,2,3", ".", ",", "+",
    "1'000", "1 000", "\u00bd", "1e400000", "infinity", "True", "1j", "9" * 61, "0.1\x00",
    "1,23,456",
)  # fmt: skip


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_what_is_no_number_is_refused(text: str) -> None:
    assert not is_number(text)
    for mark in (".", ",", ""):
        with pytest.raises(InvalidInput, match=r"^x = "):
            number("x", text, mark)
    with pytest.raises(InvalidInput, match=r"^x = "):
        plain_number("x", text)


@pytest.mark.parametrize("text", ["1e400", "-1e400", "1e-400", "0." + 50 * "0" + "1e-300"])
def test_what_double_precision_does_not_hold_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"x = .*, of 1e-300 to 1e300 or 0"):
        plain_number("x", text)
    with pytest.raises(InvalidInput):
        number("x", text, ".")


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1.0), ("+1.", 1.0), (".5", 0.5), ("-1.5E-3", -0.0015), ("0e9999", 0.0), (" 2 ", 2.0)],
)
def test_plain_numbers(text: str, value: float) -> None:
    assert plain_number("x", text) == value


@pytest.mark.parametrize(
    ("column", "table", "separator", "mark"),
    [
        (["162,082", "0.5"], set(), ",", "."),  # a point that marks decimals
        (["162,082", "7"], {"."}, ",", "."),
        (["162,082", "7"], set(), ",", ""),  # nothing tells
        (["162,082", "7"], set(), "\t", ""),
        (["162,082", "7"], set(), " ", ""),
        (["162,082", "7"], set(), ";", ","),  # semicolons stand where commas mark decimals
        (["162,082", "1,5"], set(), ",", ","),
        (["162,082", "0,125"], set(), ",", ","),
        (["162,082", "1234,567"], set(), ",", ","),
        (["1,234,567"], set(), ";", "."),
        (["1.234,5"], set(), ",", ","),
        (["1,234.5"], set(), ";", "."),
        (["1.234"], set(), ";", "."),
        (["1.234"], {","}, ";", ","),
        (["1", "2"], set(), ",", "."),
        ([], set(), ",", "."),
    ],
)
def test_the_decimal_mark_is_what_the_table_shows(
    column: list[str], table: set[str], separator: str, mark: str
) -> None:
    assert decimal_mark(column, table, separator) == mark


def test_a_column_that_shows_both_marks_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"'2\.5' has a decimal point and '1,5' a decimal comma"):
        decimal_mark(["1,5", "2.5"], set(), ";")


@pytest.mark.parametrize(
    ("text", "mark", "plain", "grouped"),
    [
        ("162,082", ".", "162082", True), ("162,082", ",", "162.082", False),
        ("1,234.5", ".", "1234.5", True), ("1.234.567,5e-3", ",", "1234567.5e-3", True),
        ("12.5", ".", "12.5", False), ("7", "", "7", False), ("2.5", "", "2.5", False),
        ("\N{MINUS SIGN}1,5", ",", "-1.5", False), ("1.234", ",", "1234", True),
    ],
)  # fmt: skip
def test_a_number_is_brought_to_a_decimal_point(
    text: str, mark: str, plain: str, grouped: bool
) -> None:
    assert number("x", text, mark) == (plain, grouped)


def test_a_comma_that_may_be_either_is_refused_with_both_readings() -> None:
    with pytest.raises(InvalidInput, match=r"x = '162,082': expected 162082, or 162\.082: "):
        number("x", "162,082", "")


@pytest.mark.parametrize(("text", "mark"), [("12,5", "."), ("12.5", ",")])
def test_another_mark_than_that_of_the_column_is_refused(text: str, mark: str) -> None:
    with pytest.raises(InvalidInput, match="as the others"):
        number("x", text, mark)


def test_a_long_text_shows_no_mark() -> None:
    assert marks_shown(["0." + 100 * "1"]) == set()
