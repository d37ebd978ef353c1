"""Chains of reads: which follow one another, and how many pulses lie between."""

import numpy as np
import pytest

from mho.errors import InvalidInput
from mho.fit import parse
from mho.fit.electrical import conductance
from mho.fit.pulses.trains import Trains, polarity, trains

HEAD = "cycle,pulse,polarity,G [uS]\n"


def chains(text: str) -> Trains:
    table = parse(text, "x")
    return trains(table, conductance(table, None))


def test_pulses_count_on_or_start_again() -> None:
    """10 after 0 pulses, 2 SET pulses to 12, one more to 13, then 1 and 4 RESET pulses."""
    found = chains(HEAD + "a,0,SET,10\na,2,SET,12\na,3,SET,13\na,1,RESET,11\na,5,RESET,9\n")
    assert found.pulses.tolist() == [[0, 2, 1, 1, 4]]
    assert found.up.tolist() == [[True, True, True, False, False]]
    assert found.row.tolist() == [[0, 1, 2, 3, 4]]
    assert found.devices == 1
    before, after, pulses, up, device, chain, at = found.transitions()
    np.testing.assert_allclose(1e6 * np.stack([before, after]), [[10, 12, 13, 11], [12, 13, 11, 9]])
    assert pulses.tolist() == [2, 1, 1, 4]
    assert up.tolist() == [True, True, False, False]
    assert (device.tolist(), chain.tolist(), at.tolist()) == ([0] * 4, [0] * 4, [1, 2, 3, 4])


def test_what_came_before_a_new_count_is_not_known() -> None:
    again = HEAD + "a,1,SET,10\na,2,SET,11\na,1,SET,10\na,3,SET,12\n"
    assert chains(again).row.tolist() == [[0, 1], [2, 3]]
    cycles = HEAD + "a,1,SET,10\na,2,SET,11\nb,3,SET,12\n"
    assert chains(cycles).row.tolist() == [[0, 1], [2, -1]]


def test_reads_of_devices_are_told_apart_though_they_alternate() -> None:
    found = chains("device,pulse,polarity,G [uS]\np,0,+,1\nq,0,+,2\np,1,+,3\nq,2,+,4\n")
    assert found.row.tolist() == [[0, 2], [1, 3]]
    assert found.pulses.tolist() == [[0, 1], [0, 2]]
    assert found.device.tolist() == [0, 1]
    assert found.devices == 2


def test_a_gap_joins_the_bursts_beside_it() -> None:
    found = chains(HEAD + "a,0,SET,10\na,1,SET,\na,3,SET,13\na,1,RESET,\na,2,RESET,9\n")
    before, after, pulses, *_ = found.transitions()
    np.testing.assert_allclose(1e6 * np.stack([before, after]), [[10, 13], [13, 9]])
    assert pulses.tolist() == [3, 2]
    mixed = chains(HEAD + "a,0,SET,10\na,1,SET,\na,1,RESET,9\n")
    assert len(mixed.transitions()[0]) == 0  # SET and RESET between two reads
    fewer = found.without(found.row == 2)
    assert fewer.transitions()[0].tolist() == []
    assert fewer.pulses.tolist() == found.pulses.tolist()


def test_ends_are_the_last_reads_of_each_train() -> None:
    text = HEAD + "a,0,SET,10\na,1,SET,14\na,2,SET,16\na,1,RESET,13\na,2,RESET,11\na,1,SET,15\n"
    low, high = chains(text).ends()
    np.testing.assert_allclose(1e6 * low, [10, 11])  # where a first SET train starts, too
    np.testing.assert_allclose(1e6 * high, [16, 15])


@pytest.mark.parametrize(
    ("words", "up"),
    [(("SET", "Reset"), [True, False]), (("+1", "-1"), [True, False]),
     (("LTP", "ltd"), [True, False]), (("1", "0"), [True, False]),
     (("-0,5", "0,5"), [False, True])],
)  # fmt: skip
def test_directions_have_many_names(words: tuple[str, str], up: list[bool]) -> None:
    table = parse(f"pulse;polarity;G [uS]\n0;{words[0]};1\n0;{words[1]};2\n", "x")
    assert polarity(table).tolist() == up


def test_the_sign_of_a_voltage_is_a_direction() -> None:
    table = parse("pulse,V_pulse [V],G [uS]\n0,1.5,1\n1,-2,2\n", "x")
    assert polarity(table).tolist() == [True, False]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD + "a,0,SET,1\na,1,FOO,2\n", "line 3, polarity = 'FOO'"),
        (HEAD + "a,0.5,SET,1\n", "line 2, pulse = 0.5: expected a whole number"),
        (HEAD + "a,,SET,1\n", "line 2, pulse = nan"),
        ("pulse,V_pulse [V],G [uS]\n0,0,1\n", "line 2, pulse voltage = 0.0"),
    ],
)
def test_what_is_no_train_is_refused(text: str, said: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        chains(text)
    assert said in str(refusal.value)
