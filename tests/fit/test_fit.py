"""`fit` on files of every kind: outliers, and what cannot be fitted."""

import numpy as np
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
    with pytest.raises(InvalidInput, match="family = 'pulse-table': expected none for levels"):
        fit(parse(MEASURED["levels"], "x"), family="pulse-table")


def test_remarks_of_the_file_come_first() -> None:
    text = MEASURED["traces"].replace("\n", ",7\n").replace("G [uS],7", "G [uS],weather")
    assert fit(parse(text, "x")).remarks[0] == "columns that mean nothing here: weather"


def test_data_that_tell_nothing_are_refused_in_one_line() -> None:
    flat = "target [uS],read [uS]\n" + "".join(f"{k % 2},{k % 2}\n" for k in range(20))
    with pytest.raises(InvalidInput) as refusal:
        fit(parse(flat, "x"), "retention")
    assert "\n" not in str(refusal.value)


INTERNAL = (
    "array", "nan", "index", "shape", "operand", "broadcast", "converge", "singular", "float(",
    "object", "dtype", "argument", "none of", "bracket", "signs",
)  # fmt: skip
"""Words of messages that are meant for programmers."""


def _spoilt(text: str, how: str, rng: np.random.Generator) -> str:
    """A file whose last column is not what it should be."""
    head, *lines = text.splitlines()
    rows = [line.rpartition(",")[::2] for line in lines]
    y = np.array([float(value) for _, value in rows])
    if how == "constant":
        y[:] = y[0]
    elif how == "shuffled":
        y = rng.permutation(y)
    elif how == "few":
        some = np.sort(rng.choice(len(rows), min(len(rows), int(rng.integers(3, 14))), False))
        rows, y = [rows[k] for k in some], y[some]
    elif how == "gaps":
        y[rng.random(len(y)) < 0.9] = np.nan
    elif how == "wide":
        y = y * 10 ** rng.uniform(-6, 6, len(y))
    elif how == "steps":
        y = y[0] * (1 + np.arange(len(y)) // max(1, len(y) // 3))
    elif how == "huge":
        y = y * 1e6
    told = [f"{start},{value:.8g}" for (start, _), value in zip(rows, y, strict=True)]
    return "\n".join([head, *told]) + "\n"


@pytest.mark.parametrize("how", ["constant", "shuffled", "few", "gaps", "wide", "steps", "huge"])
@pytest.mark.parametrize("name", [name for name in MEASURED if "pulses" not in name])
def test_no_message_is_meant_for_programmers(name: str, how: str) -> None:
    """Of what is no such measurement: a fit of finite numbers, or one plain sentence."""
    for seed in range(3):
        text = _spoilt(MEASURED[name], how, np.random.default_rng(seed))
        try:
            found = fit(parse(text, "x"))
        except InvalidInput as refusal:
            said = str(refusal)
            assert "\n" not in said
            assert not [word for word in INTERNAL if word in said.lower()], said
            continue
        assert all(np.isfinite(p.value) for p in found.parameters), found.parameters
