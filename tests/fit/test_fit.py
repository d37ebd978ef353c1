"""`fit` on files of every kind: outliers, and what cannot be fitted."""

import pytest

from builders.measurements import (
    LEVELS,
    NOISY,
    PULSED,
    STATES,
    SWEEP,
    changed,
    program_and_read,
    pulse_trains,
    sweeps,
    traces,
    two_states,
)
from mho.errors import InvalidInput
from mho.fit import fit, parse
from mho.physics import PowerLaw, Sinh

MEASURED = {
    "exact pulses": pulse_trains(PULSED, 11)[0],
    "noisy pulses": pulse_trains(NOISY, 11)[0],
    "levels": program_and_read(LEVELS, 11, devices=8, repeats=5)[0],
    "states": two_states(STATES, 11, devices=20, cycles=10)[0],
    "sweeps": sweeps(Sinh(v0=0.4), 11, **SWEEP)[0],
    "traces": traces(PowerLaw(nu=0.05, nu_spread=0.02), 11, devices=8)[0],
}


@pytest.mark.parametrize("name", MEASURED)
def test_outliers_are_named_and_change_little(name: str) -> None:
    text = MEASURED[name]
    plain = fit(parse(text, "x"))
    lines = (20, 50)
    spoilt = text
    for line in lines:
        value = float(text.splitlines()[line - 1].rpartition(",")[2])
        spoilt = changed(spoilt, line, r"[^,]+$", f"{30 * value:.6g}")
    found = fit(parse(spoilt, "x"))
    assert plain.outliers == []
    assert found.outliers == list(lines)
    for before, after in zip(plain.parameters, found.parameters, strict=True):
        assert before.name == after.name
        if before.low is not None and before.high is not None:
            assert before.low <= after.value <= before.high


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (changed(MEASURED["exact pulses"], 9, "SET", "FOO"), "line 9, polarity = 'FOO'"),
        (changed(MEASURED["exact pulses"], 9, r"[^,]+$", "-3"), "line 9, column 'G"),
        (changed(MEASURED["exact pulses"], 9, ",7,", ",7.5,"), "line 9, pulse = 7.5"),
        (MEASURED["exact pulses"].replace("RESET", "SET"), "RESET missing"),
        (MEASURED["exact pulses"].replace("RESET", "UP").replace("SET", "RESET").replace(
            "UP", "SET"), "is the sign swapped?"),
        (changed(MEASURED["states"], 9, "HRS", "XRS"), "line 9, state = 'XRS'"),
        (MEASURED["states"].replace("HRS", "on").replace("LRS", "off"), "on has the higher"),
        (changed(MEASURED["traces"], 9, r"[^,]+$", "-1"), "line 9, column 'G"),
        (MEASURED["sweeps"].replace("\n1,", "\n0,"), "does the cell switch?"),
    ],
)  # fmt: skip
def test_what_cannot_be_fitted_is_refused_with_its_line(text: str, said: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        fit(parse(text, "x"))
    assert said in str(refusal.value)


def test_a_family_is_for_pulses_alone() -> None:
    with pytest.raises(InvalidInput, match="family = 'pulse-table': allowed is none for levels"):
        fit(parse(MEASURED["levels"], "x"), family="pulse-table")


def test_remarks_of_the_file_come_first() -> None:
    text = MEASURED["traces"].replace("\n", ",7\n").replace("G [uS],7", "G [uS],weather")
    assert fit(parse(text, "x")).remarks[0] == "columns that mean nothing here: weather"


def test_data_that_tell_nothing_are_refused_in_one_line() -> None:
    flat = "target [uS],read [uS]\n" + "".join(f"{k % 2},{k % 2}\n" for k in range(20))
    with pytest.raises(InvalidInput) as refusal:
        fit(parse(flat, "x"), "retention")
    assert "\n" not in str(refusal.value)
