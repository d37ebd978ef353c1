"""The walk of a table against the library's own cell."""

import numpy as np
import torch

from builders.measurements import TABLE
from mho.fit.pulses.table_walk import TableWalk
from mho.fit.pulses.walk import Walk


def test_the_walk_of_a_table_is_that_of_the_cell() -> None:
    """Means exactly, variances of a burst to a few percent; a device of other steps too."""
    low, high = TABLE.window
    width = high - low
    steps = {"set": TABLE.set_step, "reset": TABLE.reset_step[::-1]}
    logs = {way: np.log(np.array([x]) / TABLE.set_step[0]) for way, x in steps.items()}
    factor = 0.8
    own = np.full((1, 1), -np.log(factor * TABLE.set_step[0] / width))
    noise = [np.full((1, 1), np.log(s[0] / width)) for s in (TABLE.set_spread, TABLE.reset_spread)]
    walk = TableWalk((0.0, 1.0), logs["set"], logs["reset"], own, *noise, own)
    g = torch.linspace(low, high, 41, dtype=torch.float64)[5:-5]
    walk = walk.of(np.zeros(len(g), dtype=int))
    traits = {"step_factor": torch.full_like(g, factor)}
    for n in (1, 3, -1, -3):
        burst = np.full(len(g), abs(n)), np.full(len(g), n > 0)
        mean, kept, variance = walk.step((g.numpy()[None] - low) / width, *burst)
        count = torch.full(g.shape, n, dtype=torch.int32)
        still, up = (TABLE.respond(torch.full_like(g, z), g, count, traits) for z in (0.0, 0.1))
        inside = ((still - low) > 0.02 * width) & ((high - still) > 0.02 * width)
        np.testing.assert_allclose(mean[0][inside], ((still - low) / width)[inside], rtol=1e-9)
        sd = ((up - still) / 0.1 / width)[inside]
        np.testing.assert_allclose(np.sqrt(variance[0])[inside], sd, rtol=0.06)
        h = 1e-9
        near = TABLE.respond(torch.zeros_like(g), g + h, count, traits)
        np.testing.assert_allclose(kept[0][inside], ((near - still) / h)[inside], rtol=1e-3)


def one(value: float) -> np.ndarray:
    return np.full((1, 1), value)


def test_two_knots_are_the_exponential_response() -> None:
    """Steps linear in the conductance: the curve of non-linearity nu, from 1 to exp(-nu)."""
    nu, pulses, noise = 1.5, 30.0, np.log(0.01)
    first = nu / pulses / -np.expm1(-nu)  # slope of the curve at the low end
    logs = np.array([[0.0, -nu]])
    own = one(-np.log(first))
    table = TableWalk((0.0, 1.0), logs, logs, own, one(noise), one(noise), own)
    curve = Walk(one(0.0), one(1.0), one(nu), one(nu), one(0.0), one(noise), one(-9.0),
                 one(np.log(pulses)))  # fmt: skip
    g = np.linspace(0.2, 0.8, 7)[None]
    for n, up in ((1, True), (5, True), (1, False), (5, False)):
        burst = np.full(7, n), np.full(7, up)
        mean, left, _ = table.of(np.zeros(7, dtype=int)).step(g, *burst)
        wanted, kept, _ = curve.step(g, *burst)
        np.testing.assert_allclose(mean, wanted, rtol=1e-9)
        np.testing.assert_allclose(left, kept * np.ones((1, 7)), rtol=1e-8)


def test_beyond_the_window_steps_are_those_of_its_ends() -> None:
    logs = np.array([[0.0, 0.5, -1.0]])
    own = one(np.log(20.0))
    walk = TableWalk((0.2, 0.8), logs, logs, own, own, own, own).of(np.zeros(2, dtype=int))
    mean, left, _ = walk.step(np.array([[0.1, 0.95]]), np.ones(2), np.array([True, True]))
    np.testing.assert_allclose(mean[0] - [0.1, 0.95], 0.6 / 20 * np.exp([0.0, -1.0]))
    np.testing.assert_allclose(left, 1.0)
    assert walk.low.tolist() == [[0.2, 0.2]]
    assert walk.high.tolist() == [[0.8, 0.8]]
