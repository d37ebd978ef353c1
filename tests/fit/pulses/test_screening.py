"""What reads tell before any model: refusals, wild reads, ends of the window."""

import numpy as np
import pytest

from builders.measurements import NOISY, PULSED, pulse_trains
from mho.errors import InvalidInput
from mho.fit import Table, parse
from mho.fit.electrical import conductance
from mho.fit.pulses.screening import check, heaped, reference, screen
from mho.fit.pulses.trains import Trains, trains


def chains(text: str) -> tuple[Table, Trains]:
    table = parse(text, "x")
    return table, trains(table, conductance(table, None))


TEXT = pulse_trains(PULSED, 11)[0]
FEW = "pulse,polarity,G [uS]\n0,SET,1\n" + "".join(f"{k},SET,{k}\n" for k in range(1, 8))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (FEW, "at least 5 reads after RESET pulses; there are 0"),
        (FEW + "".join(f"{k},RESET,{8 - k}\n" for k in range(1, 4)), "there are 3"),
        (
            FEW + "".join(f"{k},RESET,{8 + k}\n" for k in range(1, 9)),
            "RESET train moves by +9e-06 S",
        ),
        (FEW.replace("7,SET,7", "7,SET,-7"), "line 9, column 'G [uS]' = '-7'"),
    ],
)
def test_what_cannot_be_fitted_is_refused(text: str, said: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        check(*chains(text))
    assert said in str(refusal.value)
    check(*chains(TEXT))


def test_a_spike_is_wild_and_a_turn_is_not() -> None:
    found = chains(pulse_trains(NOISY, 3)[0])[1]
    assert not screen(found).any()
    c, k = 0, 20
    spiked = found.g.copy()
    spiked[c, k] *= 4
    wild = screen(Trains(spiked, found.pulses, found.up, found.row, found.device))
    assert np.argwhere(wild).tolist() == [[c, k]]


def test_ends_that_come_again_are_those_of_the_window() -> None:
    assert heaped(chains(TEXT)[1].g)
    assert not heaped(chains(pulse_trains(NOISY, 3)[0])[1].g)
    assert not heaped(np.linspace(0, 1, 50))
    assert not heaped(np.array([0.0, 0, 0, 0, 0, 1, 2]))  # hardly any others


def test_the_window_of_reference_is_what_was_met_or_the_mean_of_the_ends() -> None:
    found = chains(TEXT)[1]
    low, width = reference(found, at_ends=True)
    assert (low, low + width) == pytest.approx(PULSED.window)
    low, width = reference(found, at_ends=False)
    ends = found.ends()
    assert (low, low + width) == pytest.approx((ends[0].mean(), ends[1].mean()))
    swapped = Trains(found.g, found.pulses, ~found.up, found.row, found.device)
    with pytest.raises(InvalidInput, match="SET trains that end above RESET trains"):
        reference(swapped, at_ends=False)
