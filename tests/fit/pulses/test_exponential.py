"""The exponential response as a model: what is estimated, first guesses, the record."""

import numpy as np
import pytest

from builders.measurements import PULSED, pulse_trains
from mho.fit import parse
from mho.fit.electrical import conductance
from mho.fit.maximum import Maximum
from mho.fit.outcome import Parameter
from mho.fit.pulses.exponential import Exponential, variants
from mho.fit.pulses.trains import Trains, trains


def chains(**changes: float) -> Trains:
    text, _ = pulse_trains(PULSED.replace(**changes), 1, devices=3, cycles=3)
    table = parse(text, "x")
    return trains(table, conductance(table, None))


EXACT, FREE, NOISY = variants(False)
(MET,) = variants(True)


def test_variants_differ_in_what_they_estimate() -> None:
    shared = ["set_curve", "reset_curve", "log_ratio", "log_noise"]
    assert MET.names == EXACT.names == shared
    assert FREE.names == [*shared, "log_read"]
    assert NOISY.names == ["low", "high", *shared, "log_read"]
    even = Exponential("even", noisy=False, bounded=True, curved=False)
    assert even.names == ["log_ratio", "log_noise"]


def test_a_walk_takes_shared_numbers_and_one_of_each_device() -> None:
    x = np.arange(2 * 3 * 8, dtype=float).reshape(2, 3, 8)
    walk = NOISY.walk(x)
    names = ("low", "high", "set_curve", "reset_curve", "log_ratio", "log_noise", "log_read")
    for k, name in enumerate((*names, "log_pulses")):
        np.testing.assert_array_equal(getattr(walk, name), x[..., k])
    fixed = MET.walk(x[..., :5])
    assert (fixed.low == 0).all()
    assert (fixed.high == 1).all()
    assert np.exp(fixed.log_read) == pytest.approx(np.full((2, 3), 1e-5))


def test_first_guesses_are_near() -> None:
    low, high = PULSED.window
    shared, own = MET.start(chains(cycle_spread=0.1), low, high - low)
    guess = dict(zip(MET.names, shared, strict=True))
    assert guess["set_curve"] == pytest.approx(PULSED.nonlinearity[0], abs=0.8)
    assert guess["reset_curve"] == pytest.approx(PULSED.nonlinearity[1], abs=0.8)
    assert np.exp(guess["log_ratio"]) == pytest.approx(PULSED.reset_ratio, rel=0.3)
    assert own.shape == (3, 1)
    assert np.exp(own) == pytest.approx(np.full((3, 1), PULSED.pulses), rel=0.4)


def test_the_ends_of_the_window_are_looked_for() -> None:
    g = np.linspace(0.0, 1.0, 101)[None]

    def likelihood(x: np.ndarray) -> np.ndarray:
        return -((x[..., 0] - 0.06) ** 2) - (x[..., 1] - 0.9) ** 2

    start = np.array([0.5, 0.6, 0, 0, 0, 0, 0.0])
    found = NOISY.searched(likelihood, start, np.zeros((2, 1)), g)
    assert found[:2] == pytest.approx([0.06, 0.9])
    assert start[0] == 0.5  # a copy
    assert MET.searched(likelihood, start, np.zeros((2, 1)), g) is start


def numbers(**changes: float) -> list[Parameter]:
    values = {"g_min": 1e-5, "g_max": 9e-5, "pulses": 20.4, "nonlinearity SET": 2.0,
              "nonlinearity RESET": 12.0, "reset_ratio": 1.5, "cycle_spread": 0.4}  # fmt: skip
    return [Parameter(name, value, None, None) for name, value in (values | changes).items()]


def test_the_record_takes_what_the_family_can_have() -> None:
    cell, remarks = MET.record(numbers())
    assert (cell.pulses, cell.levels, cell.nonlinearity) == (20, 9, (2.0, 10.0))
    assert remarks == [
        "pulses 20.4: written as 20, a whole number",
        "nonlinearity[1] 12: written as 10, the most that the family takes",
    ]
    few, _ = MET.record(numbers(pulses=3.2))
    assert few.levels == 4
    wild, _ = MET.record(numbers(device_spread=1.7, g_min=-1e-6))
    assert (wild.device_spread, wild.g_min) == (1.0, 0.0)


@pytest.mark.parametrize("window", [None, (0.0, 1.0)])
def test_a_record_holds_the_parameters_that_it_was_made_of(
    window: tuple[float, float] | None,
) -> None:
    """Back from the record to the parameters in units of a window of reference."""
    model = Exponential("each", noisy=True, bounded=True, window=window)
    low, width = (12e-6, 70e-6) if window is None else (10e-6, 80e-6)
    values = numbers(**{"pulses": 20.0, "nonlinearity RESET": -3.0, "read_noise": 0.02})
    cell, remarks = model.record(values)
    assert remarks == []
    best = Maximum(np.zeros(len(model.names)), np.zeros((1, 1)), np.eye(1), 0.0, True)
    shared = dict(zip(model.names, model.shared_by(cell, best, low, width), strict=True))
    span = 80e-6 / width
    assert shared["set_curve"], shared["reset_curve"] == (2.0, -3.0)
    assert np.exp(shared["log_ratio"]) == pytest.approx(1.5)
    assert np.exp(shared["log_noise"]) == pytest.approx(0.4 / 20 * span)
    assert np.exp(shared["log_read"]) == pytest.approx(0.02 * span)
    if window is None:
        ends = [low + width * shared[e] for e in ("low", "high")]
        assert ends == pytest.approx([10e-6, 90e-6])
    assert model.typical(cell) == model.typical_found({"pulses": 20.0}) == np.log(20)
