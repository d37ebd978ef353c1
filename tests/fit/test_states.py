"""Reads of two states: words for them, what is told of the file, what is refused."""

import numpy as np
import pytest

from builders.measurements import STATES, csv, two_states
from mho.errors import InvalidInput
from mho.fit import parse
from mho.fit.states import fit_states
from mho.physics import Spread, TwoState

RNG = np.random.default_rng(0)
ON = (10.0 * np.exp(0.1 * RNG.standard_normal(40))).tolist()
OFF = (200.0 * np.exp(0.3 * RNG.standard_normal(40))).tolist()


def file(on: str = "LRS", off: str = "HRS", column: str = "R [kOhm]") -> str:
    return csv(f"state,{column}", [on] * 40 + [off] * 40, ON + OFF)


@pytest.mark.parametrize("words", [("LRS", "HRS"), ("on", "Off"), ("1", "0"), ("SET", "RESET"),
                                   ("low  resistance", "high resistance")])  # fmt: skip
def test_states_have_many_names(words: tuple[str, str]) -> None:
    found = fit_states(parse(file(*words), "x"))
    assert isinstance(found.record, TwoState)
    assert found["r_on.mean"].covers(10e3 * np.exp(0.005))
    assert found["r_off.device.cov"].covers(0.307)
    assert found.record.r_on.mean == found["r_on.mean"].value
    assert found.remarks == [
        "no column of devices or cycles: all spread is taken as between devices"
    ]


def test_a_column_of_cycles_makes_it_the_spread_of_cycles() -> None:
    text = file().replace("state", "cycle,state")
    numbered = [text.splitlines()[0]] + [f"{k},{x}" for k, x in
                                         enumerate(text.splitlines()[1:])]  # fmt: skip
    found = fit_states(parse("\n".join(numbered), "x"))
    assert isinstance(found.record, TwoState)
    assert found.record.r_off.cycle.cov == found["r_off.cycle.cov"].value > 0
    assert found.record.r_off.device.cov == 0
    assert found.remarks == []


@pytest.mark.parametrize("shape", ["normal", "lognormal"])
def test_the_distribution_is_chosen(shape: str) -> None:
    spread = Spread.from_dict({"distribution": shape, "cov": 0.25})
    cell = STATES.replace(
        r_on=STATES.r_on.replace(device=spread, cycle=Spread()),
        r_off=STATES.r_off.replace(cycle=Spread()),
    )
    text, _ = two_states(cell, 4, devices=400, cycles=1)
    found = fit_states(parse(text, "x"))
    assert isinstance(found.record, TwoState)
    assert found.record.r_on.device.distribution == shape
    assert found.record.r_off.device.distribution == "lognormal"


def test_the_picture_is_a_plot_of_normal_scores() -> None:
    found = fit_states(parse(file(), "x"))
    on, off = found.picture.series
    assert on.measured.tolist() == pytest.approx(sorted(1e3 * r for r in ON))
    assert (np.diff(on.fitted) > 0).all()
    assert np.interp(0.0, off.x, off.fitted) == pytest.approx(
        np.exp(np.mean(np.log(OFF))) * 1e3, rel=1e-2
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (file(off="XRS"), "line 42, state = 'XRS': expected LRS, on, 1 or HRS, off, 0"),
        (file(on="HRS", off="LRS"), "on has the higher resistance"),
        (csv("state,G [uS]", ["on"] * 9 + ["off"] * 9, [9.0] * 17 + [-1.0]),
         "line 19, column 'G [uS]' = '-1'"),
        (csv("state,R [ohm]", ["on"] * 9 + ["off"] * 3, [9.0] * 9 + [99.0] * 3),
         "state off = 3: expected at least 8 reads"),
    ],
)  # fmt: skip
def test_what_is_no_pair_of_states_is_refused(text: str, said: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        fit_states(parse(text, "x"))
    assert said in str(refusal.value)
