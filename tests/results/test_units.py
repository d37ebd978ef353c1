"""Numbers as text: what is printed is the number, rounded, with a mantissa one can read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mho.results.units import (
    MINUS,
    NBSP,
    PREFIXES,
    THIN,
    TIMES,
    axis_unit,
    count,
    fixed,
    number,
    prefixed,
    quantity,
)

POWERS = {prefix: exponent for exponent, prefix in PREFIXES.items()}


def plain(text: str) -> float:
    return float(text.replace(THIN, "").replace(MINUS, "-"))


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1.2e-6, "J", "1.2 µJ"),
        (9.999e-7, "J", "1 µJ"),
        (0.0, "J", "0 J"),
        (-3.3e-12, "A", f"{MINUS}3.3 pA"),
        (4.7e3, "ohm", "4.7 kΩ"),
        (2.5e-9, "J/image", "2.5 nJ/image"),
        (0.0482, "s", "48.2 ms"),
        (93.2, "s", "1.55 min"),
        (59.999, "s", "1 min"),
        (3.2e8, "s", "10.1 years"),
        (50_176, "bytes", "50.2 kB"),
        (0.25, "B", "0.25 B"),
        (97.338, "%", "97.34 %"),
        (1_234_567, "writes", f"1{THIN}234{THIN}567 writes"),
        (12, "1", "12"),
        (1.5e12, "ops", f"1.5{TIMES}10¹² ops"),
    ],
)
def test_quantity_reads_as_in_a_paper(value: float, unit: str, text: str) -> None:
    assert quantity(value, unit).replace(NBSP, " ") == text


def test_micro_is_the_micro_sign() -> None:
    assert "\N{MICRO SIGN}" in quantity(1e-6, "J")


@given(st.floats(1e-18, 9e20), st.sampled_from("JSVAW"))
def test_quantity_has_a_readable_mantissa_and_the_right_value(value: float, unit: str) -> None:
    mantissa, label = quantity(value, unit).split(NBSP)
    assert 1 <= plain(mantissa) < 1000
    assert plain(mantissa) * 10.0 ** POWERS[label.removesuffix(unit)] == pytest.approx(value, 5e-3)


@given(st.floats(1e-40, 1e40), st.sampled_from(["J", "s", "B", "%", "", "furlong"]))
def test_prefix_never_changes_the_sign_of_the_story(value: float, unit: str) -> None:
    assert quantity(-value, unit) == MINUS + quantity(value, unit)
    factor, _ = prefixed(value, unit)
    assert factor > 0


@given(st.integers(-(10**15), 10**15))
def test_count_only_adds_separators(value: int) -> None:
    text = count(value)
    assert plain(text) == value
    assert all(len(part) == 3 for part in text.split(THIN)[1:])


@given(st.floats(-1e8, 1e8), st.integers(2, 6))
def test_number_keeps_its_significant_digits(value: float, digits: int) -> None:
    text = number(value, digits)
    if TIMES not in text and "10" + "⁻" not in text:
        assert plain(text) == pytest.approx(value, rel=10.0 ** (1 - digits), abs=1e-300)


def test_rounded_zero_has_no_sign() -> None:
    assert fixed(-0.001, 2, sign=True) == "0.00"
    assert fixed(0.5, 1, sign=True) == "+0.5"


@pytest.mark.parametrize(
    ("label", "largest", "expected"),
    [
        ("conductance [S]", 8e-5, (1e-6, "conductance [µS]")),
        ("G (S)", 2e-3, (1e-3, "G (mS)")),
        ("wire resistance [ohm]", 5.0, (1.0, "wire resistance [Ω]")),
        ("time [s]", 1e8, (1.0, "time [s]")),
        ("accuracy [%]", 98.0, (1.0, "accuracy [%]")),
        ("epoch", 20.0, (1.0, "epoch")),
    ],
)
def test_axis_takes_its_prefix_from_the_data(label: str, largest: float, expected: tuple) -> None:
    assert axis_unit(label, largest) == expected
