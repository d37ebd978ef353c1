"""Tables as a model: where they start, what their parameters mean, the record."""

import numpy as np
import pytest

from builders.measurements import PULSED, pulse_trains
from mho.fit import parse
from mho.fit.electrical import conductance
from mho.fit.maximum import Maximum
from mho.fit.outcome import Parameter
from mho.fit.pulses.exponential import variants
from mho.fit.pulses.tabulated import KNOTS, Tabulated, tables
from mho.fit.pulses.trains import trains
from mho.physics import PulseTable

CURVE = (2.0, 1.0)
SHARED = np.array([*CURVE, np.log(1.5), np.log(0.02)])
OWN = np.log([[20.0], [30.0]])
WINDOW = [Parameter("g_min", 10e-6, 9e-6, 11e-6, "S"), Parameter("g_max", 90e-6, 89e-6, 91e-6, "S")]
(MET,) = variants(True)


def started() -> list[Tabulated]:
    best = Maximum(SHARED, OWN, np.eye(6), 0.0, True)
    return tables(MET, best, WINDOW, 10e-6, 80e-6, 1000)


def test_tables_start_as_the_response_that_they_follow() -> None:
    assert [each.knots for each in started()] == list(KNOTS)
    for table in started():
        shared, own = table.start(None, 0.0, 1.0)  # type: ignore[arg-type]
        assert len(shared) == 2 * table.knots + 1
        x = np.concatenate([np.tile(shared, (2, 1)), own], 1)[None]
        known = np.concatenate([np.tile(SHARED, (2, 1)), OWN], 1)[None]
        knots = np.linspace(0, 1, table.knots)
        for device in range(2):
            pick = np.full(table.knots, device)
            for up in (True, False):
                few = np.full(table.knots, 0.01), np.full(table.knots, up)
                step = table.walk(x).of(pick).step(knots[None], *few)[0] - knots
                wanted = MET.walk(known).of(pick).step(knots[None], *few)[0] - knots
                np.testing.assert_allclose(step, wanted, rtol=0.01)


def test_parameters_are_steps_of_the_typical_device() -> None:
    table = started()[0]
    shared, own = table.start(None, 0.0, 1.0)  # type: ignore[arg-type]
    best = Maximum(shared, own, 1e-4 * np.eye(9), 0.0, True)
    found, remarks = table.parameters(best, None, 0.0, 80e-6, 0.0)  # type: ignore[arg-type]
    value = {p.name: p.value for p in found}
    assert value["set_step[0]"] / value["set_step[2]"] == pytest.approx(np.exp(2.0), rel=0.03)
    assert value["reset_step[2]"] / value["reset_step[0]"] == pytest.approx(np.exp(1.0), rel=0.03)
    assert value["set_spread"] == pytest.approx(0.02 * 80e-6)
    assert remarks == []
    cell, remarks = table.record(found)
    assert isinstance(cell, PulseTable)
    assert cell.window == pytest.approx((10e-6, 90e-6))
    assert cell.crossing[0] / cell.crossing[1] == pytest.approx(1.5, rel=0.15)
    assert cell.levels == 9


def test_reads_with_an_error_have_one_more() -> None:
    text, _ = pulse_trains(PULSED.replace(read_noise=0.02), 1)
    table = parse(text, "x")
    free = variants(False)[1]
    chains = trains(table, conductance(table, None))
    shared, own = free.start(chains, 10e-6, 80e-6)
    best = Maximum(shared, own, 1e-4 * np.eye(6), 0.0, True)
    (first, *_) = tables(free, best, WINDOW, 10e-6, 80e-6, 1000)
    assert first.name == "table of 3, noisy reads, no ends met"
    start, _ = first.start(chains, 10e-6, 80e-6)
    assert len(start) == 2 * 3 + 2
    assert start[-1] == shared[-1]
    found, remarks = first.parameters(
        Maximum(start, own, 1e-4 * np.eye(9), 0.0, True), chains, 10e-6, 80e-6, 0.0
    )
    assert found[-1].name == "read_noise"
    assert found[-1].value == pytest.approx(np.exp(start[-1]))
    assert remarks == ["window: the mean ends of the trains"]
