"""Headings as people write them: the quantity, the unit, and what tells columns apart."""

import pytest

from mho.errors import InvalidInput
from mho.fit import parse
from mho.fit.reading.heading import UNITS, check_unit, read_heading, unit_of, with_unit


@pytest.mark.parametrize(
    ("heading", "quantity", "value"),
    [
        ("R [kOhm]", "resistance", 2e3),
        ("R (MΩ)", "resistance", 2e6),
        ("R_ohm", "resistance", 2.0),
        ("I_read/µA", "current", 2e-6),
        ("Current (nA)", "current", 2e-9),
        ("g [mS]", "conductance", 2e-3),
        ("G [umho]", "conductance", 2e-6),
    ],
)
def test_units(heading: str, quantity: str, value: float) -> None:
    table = parse(f"time [h];{heading}\n1;2\n", "x.csv")
    assert table.numbers[quantity][0] == pytest.approx(value)
    assert table.numbers["time"][0] == 3600


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("uS", ("S", 1e-6)), ("\u00b5S", ("S", 1e-6)), ("\u03bcS", ("S", 1e-6)),
        ("mS", ("S", 1e-3)), ("1/ohm", ("S", 1.0)), (" nA ", ("A", 1e-9)),
        ("k\u2126", ("ohm", 1e3)), ("M\u03a9", ("ohm", 1e6)), ("Kohm", ("ohm", 1e3)),
        ("ms", ("s", 1e-3)), ("min", ("s", 60.0)), ("h", ("s", 3600.0)),
        ("furlong", None), ("", None), ("u", None),
    ],
)  # fmt: skip
def test_units_have_prefixes(text: str, unit: tuple[str, float] | None) -> None:
    found = unit_of(text)
    assert (found is None) == (unit is None)
    if found and unit:
        assert found[0] == unit[0]
        assert found[1] == pytest.approx(unit[1])


@pytest.mark.parametrize(
    ("text", "quantity", "tag"),
    [
        ("G3 [uS]", "conductance", "3"),
        ("I_read dev 12 (nA)", "current", "12"),
        ("|I| [A]", "current", ""),
        ("Read-back [kOhm]", "resistance", ""),
        ("R_target [kOhm]", "target", ""),
        ("Pulse No.", "pulse", ""),
        ("Read voltage (V)", "v_read", ""),
        ("elapsed time in h", "time", ""),
        ("read [uA]", "current", ""),
    ],
)
def test_a_heading_names_a_quantity(text: str, quantity: str, tag: str) -> None:
    heading = read_heading(text)
    assert heading is not None
    assert (heading.quantity, heading.tag) == (quantity, tag)
    check_unit(heading, "x")


@pytest.mark.parametrize("text", ["weather", "3", "", "G G [uS]"])
def test_what_names_no_quantity_is_none(text: str) -> None:
    assert read_heading(text) is None


def test_a_unit_below_the_heading_counts() -> None:
    plain = read_heading("read")
    assert plain is not None
    assert plain.unit is None
    with pytest.raises(InvalidInput, match=r"x = 'read': allowed is a heading with its unit"):
        check_unit(plain, "x")
    assert with_unit(plain, "kOhm").quantity == "resistance"
    assert with_unit(plain, "uS").factor == pytest.approx(1e-6)


def test_the_unit_of_another_quantity_is_refused() -> None:
    for text in ("V [A]", "time [V]", "I [uS]"):
        heading = read_heading(text)
        assert heading is not None
        with pytest.raises(InvalidInput, match=f"a unit of {UNITS[heading.quantity]} for what"):
            check_unit(heading, "x")
