"""Fits beyond their intervals: outliers, gaps, choices between families, what cannot be fitted."""

import re

import numpy as np
import pytest
import torch

from measurements import (
    LEVELS,
    PULSED,
    STATES,
    TABLE,
    program_and_read,
    pulse_trains,
    sweeps,
    traces,
    two_states,
)
from mho.errors import InvalidInput
from mho.fit import fit, parse
from mho.fit.pulses.table_walk import TableWalk
from mho.fit.random_effects import between
from mho.physics import (
    LogTime,
    Ohmic,
    PowerLaw,
    PulseResponse,
    PulseTable,
    Sinh,
    Spread,
    Transistor,
)

SWEEP = {"conductances": (2e-5, 2e-4), "points": 30, "relative": 0.01}
NOISY = PULSED.replace(pulses=40, read_noise=0.01)


def changed(text: str, line: int, old: str, new: str) -> str:
    """The text with one line (from 1) changed by a pattern."""
    lines = text.splitlines()
    lines[line - 1], times = re.subn(old, new, lines[line - 1])
    assert times == 1
    return "\n".join(lines)


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


MEASURED = {
    "exact pulses": pulse_trains(PULSED, 11)[0],
    "noisy pulses": pulse_trains(NOISY, 11)[0],
    "levels": program_and_read(LEVELS, 11, devices=8, repeats=5)[0],
    "states": two_states(STATES, 11, devices=20, cycles=10)[0],
    "sweeps": sweeps(Sinh(v0=0.4), 11, **SWEEP)[0],
    "traces": traces(PowerLaw(nu=0.05, nu_spread=0.02), 11, devices=8)[0],
}


@pytest.mark.parametrize("name", MEASURED)
def test_outliers_are_named_and_change_little(name: str) -> None:
    text = MEASURED[name]
    plain = fit(parse(text, "x"))
    lines = (20, 50)
    spoilt = text
    for line in lines:
        value = float(text.splitlines()[line - 1].rpartition(",")[2])
        spoilt = changed(spoilt, line, r"[^,]+$", f"{30 * value:.6g}")
    found = fit(parse(spoilt, "x"))
    assert plain.outliers == []
    assert found.outliers == list(lines)
    for before, after in zip(plain.parameters, found.parameters, strict=True):
        assert before.name == after.name
        if before.low is not None and before.high is not None:
            assert before.low <= after.value <= before.high


@pytest.mark.parametrize(
    ("text", "law"),
    [
        (sweeps(Ohmic(), 2, **SWEEP)[0], Ohmic),
        (sweeps(Sinh(v0=0.5), 2, **SWEEP)[0], Sinh),
        (sweeps(Transistor(beta=3e-4, overdrive=0.6), 2, **SWEEP)[0], Transistor),
        (traces(PowerLaw(nu=0.1, nu_spread=0.01), 2, devices=5)[0], PowerLaw),
        (traces(LogTime(rate=-1e-6, rate_spread=1e-7), 2, devices=5)[0], LogTime),
    ],
)
def test_the_law_is_chosen(text: str, law: type) -> None:
    found = fit(parse(text, "x"))
    assert type(found.record) is law
    assert found.goodness.r_squared > 0.99
    assert found.goodness.normal_p > 1e-3
    assert found.goodness.runs_p > 1e-3


@pytest.mark.parametrize("shape", ["normal", "lognormal"])
def test_the_distribution_is_chosen(shape: str) -> None:
    spread = Spread(distribution=shape, cov=0.25)
    cell = STATES.replace(
        r_on=STATES.r_on.replace(device=spread, cycle=Spread()),
        r_off=STATES.r_off.replace(cycle=Spread()),
    )
    text, _ = two_states(cell, 4, devices=400, cycles=1)
    found = fit(parse(text, "x"))
    assert found.record.r_on.device.distribution == shape
    assert found.record.r_off.device.distribution == "lognormal"


def test_levels_and_window_are_those_of_the_targets() -> None:
    found = fit(parse(MEASURED["levels"], "x"))
    assert found.record.levels == 9
    assert found.record.window == pytest.approx(LEVELS.window)
    assert found["levels"].low is None
    shifted = MEASURED["levels"].replace("read [S]", "read [mS]")
    with pytest.raises(InvalidInput):
        fit(parse(shifted, "x"), "states")
    assert fit(parse(MEASURED["levels"], "x"), levels=17).record.levels == 17


def test_current_needs_a_read_voltage() -> None:
    text = MEASURED["exact pulses"].replace("G (uS)", "I (uA)")
    with pytest.raises(InvalidInput, match="--v-read"):
        fit(parse(text, "x"))
    plain = fit(parse(MEASURED["exact pulses"], "x"))
    assert fit(parse(text, "x"), v_read=0.5).record.g_max == pytest.approx(2 * plain.record.g_max)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (changed(MEASURED["exact pulses"], 9, "SET", "FOO"), "line 9, polarity = 'FOO'"),
        (changed(MEASURED["exact pulses"], 9, r"[^,]+$", "-3"), "line 9, conductance"),
        (changed(MEASURED["exact pulses"], 9, ",7,", ",7.5,"), "line 9, pulse = 7.5"),
        (MEASURED["exact pulses"].replace("RESET", "SET"), "RESET missing"),
        (MEASURED["exact pulses"].replace("RESET", "UP").replace("SET", "RESET").replace(
            "UP", "SET"), "is the sign swapped?"),
        (changed(MEASURED["states"], 9, "HRS", "XRS"), "line 9, state = 'XRS'"),
        (MEASURED["states"].replace("HRS", "on").replace("LRS", "off"), "on has the higher"),
        (changed(MEASURED["traces"], 9, r"[^,]+$", "-1"), "line 9, conductance"),
        (MEASURED["sweeps"].replace("\n1,", "\n0,"), "does the cell switch?"),
    ],
)  # fmt: skip
def test_what_cannot_be_fitted_is_refused_with_its_line(text: str, said: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        fit(parse(text, "x"))
    assert said in str(refusal.value)


def test_spread_between_is_exact_for_equal_errors() -> None:
    """The interval of tau holds it in 95 of 100 draws of any number of devices."""
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(1000):
        y = rng.normal(0, 0.3, 6) + rng.normal(0, 0.1, 6)
        of = between(y, np.full(6, 0.01))
        held += of.low <= 0.3 <= of.high
    assert 930 <= held <= 970
