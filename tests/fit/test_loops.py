"""Where the voltage turns, and where a cell switches."""

import numpy as np
import pytest

from builders.measurements import csv, loop
from mho.fit import parse
from mho.fit.loops import event, excursions, switches


def test_both_polarities_are_excursions_with_their_switching() -> None:
    table = parse(csv("V [V],I [A]", *loop(0.7, -0.6)), "x")
    found = [event(table, each) for each in excursions(table)]
    assert [np.sign(e.change) for e in found] == [1, -1]
    assert found[0].voltage == pytest.approx(0.675, abs=0.03)
    assert found[1].voltage == pytest.approx(-0.575, abs=0.03)
    assert switches(table)


def test_a_file_may_begin_anywhere_on_the_loop() -> None:
    v, i = loop(0.7, -0.6)
    v, i = v[19:] + v[:19], i[19:] + i[:19]
    table = parse(csv("V [V],I [A]", v, i), "x")
    found = [event(table, each) for each in excursions(table)]
    assert sorted(np.sign(e.change) for e in found) == [-1, 1]


@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_up_and_down_of_one_state_is_no_switching(noise: float) -> None:
    rng = np.random.default_rng(0)
    v, i = loop(9.0, -9.0)
    i = [x * (1 + noise * rng.standard_normal()) for x in i]
    assert not switches(parse(csv("V [V],I [A]", v, i), "x"))
