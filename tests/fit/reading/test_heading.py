"""Headings as people write them: the quantity, the unit, and what tells columns apart."""

import pytest

from mho.fit import parse
from mho.fit.reading.heading import read_heading, with_unit, wrong_unit
from mho.fit.reading.units import unit_of
from mho.fit.reading.vocabulary import UNITS


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
    assert not wrong_unit(heading)


@pytest.mark.parametrize(
    "text",
    ["weather", "3", "", "Current range", "IMAX", "VSET", "Set voltage (V)", "res min", "GateV"],
)
def test_what_names_no_quantity_is_none(text: str) -> None:
    assert read_heading(text) is None


@pytest.mark.parametrize(
    ("text", "quantity", "words", "at"),
    [
        ("R_LRS [kOhm]", "resistance", {"state": "LRS"}, {}),
        ("IHRS", "current", {"state": "HRS"}, {}),
        ("LTP [nS]", "conductance", {"polarity": "SET"}, {}),
        ("Time[ns]_LTD", "time", {"polarity": "RESET"}, {}),
        ("Current (A) forward", "current", {"branch": "forward"}, {}),
        ("R at 10 min [kOhm]", "resistance", {}, {"time": 600.0}),
        ("R after 30 min 80 C [kOhm]", "resistance", {}, {"time": 1800.0, "temperature": 353.15}),
        ("R before [kOhm]", "resistance", {}, {"time": 0.0}),
    ],
)
def test_a_heading_says_what_holds_for_its_column(
    text: str, quantity: str, words: dict[str, str], at: dict[str, float]
) -> None:
    heading = read_heading(text)
    assert heading is not None
    assert (heading.quantity, heading.words, heading.at) == (quantity, words, at)


@pytest.mark.parametrize(
    ("text", "quantity"),
    [
        ("AI", "current"), ("AV", "voltage"), ("Smu1.V[1][1]", "voltage"), ("AnodeI", "current"),
        ("WE(1).Current (A)", "current"), ("WE(1).Potential (V)", "voltage"),
        ("Ewe/V", "voltage"), ("<I>/mA", "current"), ("CH1 Voltage", "voltage"),
        ("Potential applied (V)", "voltage"), ("Voltage on top of the stack (V)", "voltage"),
        ("ReadVoltage", "v_read"), ("Wordline", "row"), ("num_applied", "burst"),
        ("Temperature (\u00b0C)", "temperature"), ("T (K)", "temperature"),
        ("Icc [mA]", "compliance"),
    ],
)  # fmt: skip
def test_names_that_instruments_give(text: str, quantity: str) -> None:
    heading = read_heading(text)
    assert heading is not None
    assert heading.quantity == quantity


def test_a_logarithm_and_an_absolute_value_are_told() -> None:
    log = read_heading("log10(I)")
    assert log is not None
    assert log.unit is not None
    assert log.unit.log
    size = read_heading("|I| [A]")
    assert size is not None
    assert size.absolute


def test_a_unit_below_the_heading_counts() -> None:
    plain = read_heading("read")
    assert plain is not None
    assert plain.unit is None
    assert "a heading with its unit" in wrong_unit(plain)
    kiloohm, microsiemens = unit_of("kOhm"), unit_of("uS")
    assert kiloohm is not None
    assert microsiemens is not None
    assert with_unit(plain, kiloohm).quantity == "resistance"
    found = with_unit(plain, microsiemens).unit
    assert found is not None
    assert found.factor == pytest.approx(1e-6)


def test_the_unit_of_another_quantity_is_told() -> None:
    for text in ("V [A]", "time [V]", "I [uS]"):
        heading = read_heading(text)
        if heading is not None and heading.quantity != "conductance":
            assert f"a unit of {UNITS[heading.quantity]}" in wrong_unit(heading)
