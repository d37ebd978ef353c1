"""Which measurement a file holds, told from its headings."""

import pytest

from mho.errors import InvalidInput
from mho.fit import parse, recognise


@pytest.mark.parametrize(
    ("headings", "kind"),
    [
        ("pulse,polarity,G [uS]", "pulses"),
        ("pulse,V_pulse [V],time [s],I [uA]", "pulses"),
        ("target [uS],read [uS]", "levels"),
        ("R_target [kOhm],R_read [kOhm]", "levels"),
        ("time [s],V [V],I [uA]", "retention"),
        ("time [s],G [uS],cell", "retention"),
        ("state,R [kOhm]", "states"),
    ],
)
def test_a_table_is_recognised(headings: str, kind: str) -> None:
    table = parse(f"{headings}\n{','.join('1' for _ in headings.split(','))}\n", "x")
    assert recognise(table) == kind


def test_a_voltage_that_varies_is_a_sweep() -> None:
    rows = "".join(f"{k},{k / 10},{k}\n" for k in range(8))
    assert recognise(parse(f"time [s],V [V],I [uA]\n{rows}", "x")) == "iv"


@pytest.mark.parametrize(
    ("headings", "kind", "missing"),
    [
        ("pulse,G [uS]", None, "polarity or v_pulse"),
        ("target [uS],pulse", None, "conductance or resistance or current"),
        ("time [s],G [uS]", "iv", "voltage"),
        ("G [uS],device", None, "also a column of"),
    ],
)
def test_what_is_missing_is_said(headings: str, kind: str | None, missing: str) -> None:
    table = parse(f"{headings}\n{','.join('1' for _ in headings.split(','))}\n", "x.csv")
    with pytest.raises(InvalidInput, match=missing):
        recognise(table, kind)


def test_a_kind_that_is_asked_for_is_checked() -> None:
    table = parse("time [s],G [uS]\n1,1\n", "x")
    assert recognise(table, "retention") == "retention"
    with pytest.raises(InvalidInput, match="unknown kind 'retntion': did you mean 'retention'"):
        recognise(table, "retntion")
