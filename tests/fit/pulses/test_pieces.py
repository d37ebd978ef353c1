"""Long chains in pieces: each read once, and the filter says the same of it."""

import numpy as np
import pytest

from builders.measurements import NOISY, pulse_trains
from mho.fit import parse
from mho.fit.electrical import conductance
from mho.fit.pulses.exponential import variants
from mho.fit.pulses.model import log_likelihood
from mho.fit.pulses.pieces import LONGEST, pieces
from mho.fit.pulses.trains import Trains, trains


def chains(cycles: int) -> Trains:
    text, _ = pulse_trains(NOISY, 1, devices=2, cycles=cycles)
    one = "\n".join(",".join((r.split(",")[0], *r.split(",")[2:])) for r in text.splitlines())
    table = parse(one, "x")
    return trains(table, conductance(table, None))


def test_short_chains_are_left_whole() -> None:
    found = chains(2)
    assert found.g.shape[1] < LONGEST
    assert pieces(found, 64).trains is found


@pytest.mark.parametrize("warm_up", [0, 64])
def test_each_read_is_counted_once(warm_up: int) -> None:
    found = chains(8)
    cut = pieces(found, warm_up)
    assert found.g.shape[1] > LONGEST > cut.trains.g.shape[1]
    np.testing.assert_array_equal(cut.joined(cut.trains.g, found.g.shape), found.g)
    assert cut.counted.sum() == np.isfinite(found.g).sum()
    np.testing.assert_array_equal(cut.trains.device, found.device[cut.chain[:, 0]])


def test_a_filter_forgets_where_it_started() -> None:
    found, model = chains(8), variants(False)[1]
    x = np.array([[2.0, 1.0, 0.4, np.log(0.01), np.log(0.01), np.log(40.0)]] * 2)[None]
    low, high = NOISY.window
    whole, near = (
        log_likelihood(model, found, low, high - low, warm_up)(x).sum()
        for warm_up in (10_000, 64)
    )  # fmt: skip
    assert near == pytest.approx(whole, abs=1e-3)
