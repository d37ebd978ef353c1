"""Pulses that differ are refused, whatever differs; those of one amplitude can be asked for."""

import numpy as np
import pytest

from builders.measurements import PULSED, pulse_trains
from mho.errors import InvalidInput
from mho.fit import Table, fit, parse
from mho.fit.pulses.equal_pulses import SHAPE, equal_pulses


def table(**columns: np.ndarray) -> Table:
    found = parse(pulse_trains(PULSED, 1)[0], "x")
    for name, values in columns.items():
        found.numbers[name] = values[np.arange(len(found)) % len(values)]
    return found


@pytest.mark.parametrize("name", SHAPE)
def test_pulses_that_differ_are_refused(name: str) -> None:
    word, unit = SHAPE[name]
    many = table(**{name: np.array([1.0, 1.2, 1.4])})
    with pytest.raises(InvalidInput) as refusal:
        fit(many)
    assert f"{word}s of SET pulses = '3 from 1 to 1.4 {unit}'" in str(refusal.value)
    growing = table(**{name: 1.02 ** np.arange(400)})
    with pytest.raises(InvalidInput, match="measure trains of equal pulses"):
        fit(growing)


@pytest.mark.parametrize("name", SHAPE)
def test_equal_pulses_are_taken(name: str) -> None:
    alike = table(**{name: np.array([1.0, 1.005, np.nan, 0.0])})
    foreign, remarks = equal_pulses(alike)
    assert not foreign.any()
    assert remarks == []


def test_those_of_one_amplitude_can_be_fitted_alone() -> None:
    """A tenth of the pulses is stronger: what was read after them is where trains begin."""
    text, truth = pulse_trains(PULSED, 3, cycles=12)
    mixed = parse(text, "x")
    volts = np.where(np.arange(len(mixed)) % 10 == 0, 1.5, 1.0)
    mixed.numbers["v_pulse"] = volts
    with pytest.raises(InvalidInput, match=r"--amplitude 1 -1 fits those of 1 V \(SET"):
        fit(mixed)
    found = fit(mixed, amplitude=(1.0, -1.0))
    assert found["pulses"].value == pytest.approx(truth["pulses"], rel=0.1)
    assert "follow pulses of another amplitude" in found.remarks[0]
    with pytest.raises(InvalidInput, match=r"amplitude = 3\.0: expected one of 5 or more SET"):
        fit(mixed, amplitude=(3.0, -1.0))
    with pytest.raises(InvalidInput, match="has no column V_pulse"):
        fit(parse(text, "x"), amplitude=(1.0, -1.0))
