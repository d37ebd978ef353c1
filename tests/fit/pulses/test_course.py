"""A record over the pulses of a file: its own course, and a band of as many cells."""

import numpy as np
import pytest

from builders.measurements import PULSED, pulse_trains
from mho.fit import parse
from mho.fit.electrical import conductance
from mho.fit.pulses.course import course
from mho.fit.pulses.trains import trains


def test_a_cell_without_noise_tells_its_own_file() -> None:
    cell = PULSED.replace(cycle_spread=0.0)
    table = parse(pulse_trains(cell, 1, cycles=2)[0], "x")
    chains = trains(table, conductance(table, None))
    found = course(cell, chains, np.ones(1))
    np.testing.assert_allclose(found.mean[:, 1:], chains.g[:, 1:], rtol=1e-6)
    np.testing.assert_allclose(found.high, found.low)
    assert np.isnan(found.mean[:, 0]).all()


def test_most_reads_lie_in_the_band_of_devices_that_differ() -> None:
    cell = PULSED.replace(pulses=40, read_noise=0.01)
    table = parse(pulse_trains(cell, 2, devices=8, cycles=2)[0], "x")
    chains = trains(table, conductance(table, None))
    found = course(cell, chains, np.ones(8))
    inside = (found.low <= chains.g) & (chains.g <= found.high)
    assert inside[np.isfinite(found.mean)].mean() == pytest.approx(0.95, abs=0.06)
    faster = course(cell, chains, np.full(8, 1.5))
    assert (faster.mean[:, 5] > found.mean[:, 5]).all()
