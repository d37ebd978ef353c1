"""Conductances of files that hold siemens, ohms or amperes."""

import numpy as np
import pytest

from builders.measurements import PULSED, pulse_trains
from mho.errors import InvalidInput
from mho.fit import fit, parse
from mho.fit.electrical import conductance, resolution

FILES = {
    "siemens": "time [s],G [uS]\n1,20\n2,40\n3,\n",
    "ohms": "time [s],R [kOhm]\n1,50\n2,25\n3,\n",
    "amperes": "time [s],I [uA]\n1,4\n2,8\n3,\n",
    "amperes and volts": "time [s],V [V],I [uA]\n1,0.1,2\n2,-0.1,-4\n3,0.1,\n",
}


@pytest.mark.parametrize("name", FILES)
def test_the_conductance_is_the_same_whatever_is_given(name: str) -> None:
    table = parse(FILES[name], "x")
    g = conductance(table, 0.2 if name == "amperes" else None)
    np.testing.assert_allclose(g, [20e-6, 40e-6, np.nan])


def test_a_read_voltage_that_is_given_goes_before_the_column() -> None:
    table = parse("time [s],V [V],I [uA]\n1,0.1,2\n2,0.1,4\n3,0.1,\n", "x")
    np.testing.assert_allclose(conductance(table, 0.2), [10e-6, 20e-6, np.nan])
    signs = parse(FILES["amperes and volts"], "x")
    with pytest.raises(InvalidInput, match="line 3, current / voltage = -"):
        conductance(signs, 0.2)


@pytest.mark.parametrize(
    ("text", "v_read", "said"),
    [
        (FILES["amperes"], None, "--v-read V, or a column V_read"),
        (FILES["amperes"], 0.0, "v_read = 0.0: expected a voltage other than 0"),
        (FILES["amperes and volts"].replace("-0.1", "0"), None, "line 3, voltage = 0.0"),
        (FILES["ohms"].replace("25", "-25"), None, "line 3, column 'R [kOhm]' = '-25'"),
        ("time [s],pulse\n1,2\n", None, "a column of conductance"),
    ],
)
def test_what_gives_no_conductance_is_refused(text: str, v_read: float | None, said: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        conductance(parse(text, "x"), v_read)
    assert said in str(refusal.value)


def test_the_last_digit_is_carried_over() -> None:
    """dG = G^2 dR and dI / V, at the middle conductance."""
    for name, digit in (("siemens", 1e-6), ("ohms", 1e3 * 30e-6**2), ("amperes", 1e-6 / 0.2)):
        table = parse(FILES[name], "x")
        g = conductance(table, 0.2)
        assert resolution(table, g, 0.2) == pytest.approx(digit)


def test_current_needs_a_read_voltage() -> None:
    plain = pulse_trains(PULSED, 11)[0]
    text = plain.replace("G (uS)", "I (uA)")
    with pytest.raises(InvalidInput, match="--v-read"):
        fit(parse(text, "x"))
    half = fit(parse(plain, "x")).record.to_dict()["g_max"]
    assert fit(parse(text, "x"), v_read=0.5).record.to_dict()["g_max"] == pytest.approx(2 * half)
