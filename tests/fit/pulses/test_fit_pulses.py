"""Pulse trains as a whole: which variant and family, windows, devices, gaps."""

import numpy as np
import pytest
import torch

from builders.measurements import NOISY, PULSED, TABLE, changed, pulse_trains
from mho.errors import InvalidInput
from mho.fit import fit, parse
from mho.fit.pulses.fit_pulses import fit_pulses
from mho.physics import PulseResponse, PulseTable


def test_noisy_reads_are_told_from_noisy_pulses() -> None:
    text, truth = pulse_trains(NOISY, 1)
    found = fit(parse(text, "x"))
    least = min(found.rivals, key=lambda rival: rival.aic)
    assert least.name == "noisy reads, ends met"
    for name in ("read_noise", "cycle_spread", "pulses", "nonlinearity SET", "g_max"):
        assert found[name].value == pytest.approx(truth[name], rel=0.35)
        width = found[name].high - found[name].low
        assert abs(found[name].value - truth[name]) < width
    # without them half of the noise of a read would be taken for noise of the pulses
    assert found["cycle_spread"].high < 0.4 + 0.01 * 40


def test_spread_between_devices() -> None:
    text, _ = pulse_trains(PULSED.replace(device_spread=0.3), 3, devices=12, cycles=2)
    found = fit(parse(text, "x"))
    assert found["device_spread"].covers(0.3)
    assert found["pulses"].covers(20)
    assert found.record.device_spread == found["device_spread"].value


def test_steps_that_no_exponential_has_become_a_table() -> None:
    text, truth = pulse_trains(TABLE, 1)
    found = fit(parse(text, "x"))
    assert isinstance(found.record, PulseTable)
    least = min(found.rivals, key=lambda rival: rival.aic)
    assert least.name.startswith("table of 3")
    assert {"exact reads, ends met", "table of 5, exact reads, ends met"} < {
        rival.name for rival in found.rivals
    }
    for name, value in truth.items():
        width = found[name].high - found[name].low
        assert abs(found[name].value - value) < width, name
    assert found.record.window == pytest.approx(TABLE.window)
    kept = fit(parse(text, "x"), family="pulse-response")
    assert isinstance(kept.record, PulseResponse)
    assert kept.goodness.runs_p < 1e-3 < found.goodness.runs_p


def test_a_window_inside_has_the_same_steps() -> None:
    """Trains that reach no end: the numbers are relative to their range, the steps are not."""
    cell = PULSED.replace(pulses=80, cycle_spread=0.1)
    text, _ = pulse_trains(cell, 5, cycles=12, over=0.3, start=40e-6)
    found = fit(parse(text, "x"))
    assert "window" in found.remarks[0]
    record = found.record
    assert isinstance(record, PulseResponse)
    g = torch.linspace(*record.window, 5, dtype=torch.float64)[1:-1]
    still = torch.zeros_like(g)
    for pulses in (1, -1):
        n = torch.tensor(pulses, dtype=torch.int32)
        steps = [(c.respond(still, g, n, {}) - g) for c in (cell, record)]
        torch.testing.assert_close(steps[1], steps[0], rtol=0.15, atol=0.0)


def test_gaps_are_gone_around() -> None:
    text, truth = pulse_trains(PULSED, 7)
    for line in (5, 6, 17, 40, 41, 42, 90):
        text = changed(text, line, r"[^,]+$", "")
    found = fit(parse(text, "x"))
    assert found["pulses"].covers(truth["pulses"])
    assert found["cycle_spread"].covers(truth["cycle_spread"])


def test_an_unknown_family_is_named() -> None:
    with pytest.raises(InvalidInput, match="unknown family of pulses 'pulse-tabel': did you mean"):
        fit_pulses(parse(pulse_trains(PULSED, 1)[0], "x"), family="pulse-tabel")


def test_levels_are_as_asked_for() -> None:
    found = fit_pulses(parse(pulse_trains(PULSED, 1)[0], "x"), levels=12)
    assert isinstance(found.record, PulseResponse)
    assert found.record.levels == 12
    assert found.picture.x_label == "pulses"
    assert len(found.picture.series) == 4


def test_two_cells_far_apart_are_fitted_where_no_table_holds_both() -> None:
    rows = []
    for column, start in ((5, 5.0), (6, 23.0)):
        g = start
        for polarity, sign in (("SET", 1), ("RESET", -1)):
            for pulse in range(1, 10):
                step = (0.95 if column == 5 else 1.7) * (1 - 0.03 * pulse)
                g += sign * step
                rows.append(f"3,{column},{pulse},{polarity},{g:.3f}")
    found = fit_pulses(parse("\n".join(["row,col,pulse,polarity,G [uS]", *rows]), "x"))
    assert found["device_spread"].value > 0.1
    assert found["cycle_spread"].value < 0.3


@pytest.mark.parametrize("seed", [1, 2, 5])
def test_a_curve_that_the_exponential_leaves_open_is_not_written_as_even_steps(seed: int) -> None:
    """Conductances that go with the logarithm of the pulses: with seed 5 the curved fit has no
    clear maximum, and even steps are far worse."""
    random = np.random.default_rng(seed)
    up = 1.9 + 1.42 * np.log(np.arange(1, 19))
    trains = (("SET", up), ("RESET", 7.8 - up))
    rows = [f"{k},{name},{g:.2f}" for name, each in trains
            for k, g in enumerate(each + 0.1 * random.standard_normal(18))]  # fmt: skip
    found = fit(parse("\n".join(["pulse,polarity,G [uS]", *rows]), "x"))
    assert found.goodness.free_run is not None
    assert found.goodness.free_run.r_squared > 0.95
