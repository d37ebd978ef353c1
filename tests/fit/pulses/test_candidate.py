"""What is judged is what the record holds."""

import numpy as np
import pytest

from builders.measurements import PULSED, pulse_trains
from mho.fit import parse
from mho.fit.electrical import conductance
from mho.fit.pulses.candidate import Candidate, Reads, candidate
from mho.fit.pulses.exponential import variants
from mho.fit.pulses.trains import trains
from mho.physics import PulseResponse


def found(**changes: float) -> Candidate:
    cell = PULSED.replace(**changes)
    table = parse(pulse_trains(cell, 4, cycles=6)[0], "x")
    chains = trains(table, conductance(table, None))
    low, high = cell.window
    each = candidate(variants(True)[0], Reads(chains, low, high - low, 1e-15), None)
    assert each is not None
    return each


def test_a_whole_number_of_pulses_is_what_is_judged() -> None:
    each = found()
    record = each.record
    assert isinstance(record, PulseResponse)
    assert np.exp(each.written.own[0, 0]) == pytest.approx(record.pulses)
    assert each.written.shared[:2] == pytest.approx(record.nonlinearity)
    assert each.best.value - 2 < each.written.value <= each.best.value + 1e-6
    assert each.goodness().r_squared > 0.9


def test_steps_too_bent_for_the_record_cost_likelihood() -> None:
    each = found(nonlinearity=(9.9, 0.0), pulses=200, cycle_spread=0.02)
    bent = each.record.replace(nonlinearity=(3.0, 0.0))
    low, width = each.reads.low, each.reads.width
    shared = each.model.shared_by(bent, each.best, low, width)
    assert shared[0] == 3.0
    assert each.written.shared[0] == pytest.approx(9.9, abs=1.0)
    assert isinstance(each.model.typical(bent), float)
