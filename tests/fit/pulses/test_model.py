"""Maxima and predictions of a model of pulse trains, against sums over its transitions."""

import numpy as np
import pytest

from builders.measurements import PULSED, pulse_trains
from mho.fit import parse
from mho.fit.electrical import conductance
from mho.fit.pulses.exponential import variants
from mho.fit.pulses.model import maximum, predicted
from mho.fit.pulses.trains import Trains, trains
from mho.fit.pulses.walk import exact_reads

LOW, HIGH = PULSED.window


def chains(spread: float = 0.4) -> Trains:
    text, _ = pulse_trains(PULSED.replace(cycle_spread=spread), 2, devices=2, cycles=3)
    table = parse(text, "x")
    return trains(table, conductance(table, None))


def test_the_maximum_is_a_sum_over_transitions() -> None:
    (model,), found = variants(True), chains()
    best = maximum(model, found, LOW, HIGH - LOW)
    assert best.settled
    x = np.concatenate([np.tile(best.shared, (2, 1)), best.own], 1)[None]
    before, after, pulses, up, device, _, _ = found.transitions()
    total = 0.0
    for d in range(2):
        mine = device == d
        pair = ((g[mine] - LOW) / (HIGH - LOW) for g in (before, after))
        walk = model.walk(x).of(np.full(mine.sum(), d))
        total += exact_reads(walk, *pair, pulses[mine], up[mine], True)[0].sum()
    assert best.value == pytest.approx(total)
    again = maximum(model, found, LOW, HIGH - LOW, near=best)
    np.testing.assert_allclose(again.shared, best.shared, atol=1e-3)


def test_a_cell_without_noise_is_predicted_read_by_read() -> None:
    (model,), found = variants(True), chains(1e-3)
    best = maximum(model, found, LOW, HIGH - LOW)
    mean, sd = predicted(model, best.rows, found, LOW, HIGH - LOW)
    seen = np.isfinite(mean)
    assert seen.sum() == len(found.transitions()[0])
    assert not seen[:, 0].any()  # nothing comes before a first read
    np.testing.assert_allclose(mean[seen], found.g[seen], atol=2e-3 * (HIGH - LOW))
    assert (sd[seen] < 2e-3 * (HIGH - LOW)).all()
    noisy = variants(False)[1]
    best = maximum(noisy, found, LOW, HIGH - LOW)
    mean, sd = predicted(noisy, best.rows, found, LOW, HIGH - LOW)
    assert np.nanmedian(np.abs(mean - found.g)) < 0.03 * (HIGH - LOW)
