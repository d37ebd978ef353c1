"""Cards of presets as data: what is drawn is what the cell and its laws do."""

import numpy as np
import pytest
import torch
from scipy import stats

from builders.cells import FULL_PRESET
from mho import Preset, card, devices
from mho.card.cell import MOST_LEVELS, shown_levels
from mho.cells import PulseResponse, Telegraph
from mho.circuits import Ohmic, Sinh, Transistor
from mho.physics import Flicker, MultiLevel, PowerLaw
from mho.results.card import Panel

LEVELS = MultiLevel(g_min=10e-6, g_max=90e-6, levels=5, sigma=(2e-6,))


def panels(of: card.Card) -> dict[str, Panel]:
    return {name: getattr(of, name)
            for name in ("levels", "response", "current", "retention", "noise")}  # fmt: skip


@pytest.mark.parametrize("name", devices.PRESETS)
def test_nothing_is_drawn_that_a_preset_does_not_give(name: str) -> None:
    preset = devices.preset(name)
    assert preset.device is not None
    shown = panels(card.of_preset(name, preset))
    given = {
        "levels": True,
        "response": preset.device.remembers,
        "current": preset.conduction is not None,
        "retention": preset.retention is not None,
        "noise": bool(preset.flicker or preset.telegraph or preset.device.read_noise),
    }
    assert {k: bool(panel.curves) for k, panel in shown.items()} == given
    for panel in shown.values():
        assert panel.curves or "not given" in panel.missing
        for curve in panel.curves:
            assert curve.x.shape == curve.y.shape
            assert np.isfinite(curve.y).all()


def test_a_card_shows_what_the_cell_does() -> None:
    cell = FULL_PRESET.device
    assert isinstance(cell, PulseResponse)
    shown = panels(card.of_preset("mine", FULL_PRESET))
    peaks = [curve.x[curve.y.argmax()] for curve in shown["levels"].curves]
    np.testing.assert_allclose(peaks, np.linspace(10e-6, 90e-6, 9), atol=0.6 * cell.step)
    sets, resets = shown["response"].curves
    assert len(sets.x) == 21
    assert resets.x[0] == sets.x[-1]
    assert len(resets.x) == 11
    assert sets.y[0] == pytest.approx(cell.g_min)
    assert sets.low is not None
    assert sets.high is not None
    assert (sets.low <= sets.y + 1e-9).all()
    assert sets.y[10] == pytest.approx(10e-6 + 80e-6 / (1 + np.exp(-1)), rel=0.02)
    high, _, low = shown["retention"].curves
    decades = np.log(high.x[-1] / high.x[0])
    assert high.y[-1] - high.y[0] == pytest.approx(-5e-7 * decades, rel=0.02)
    assert low.y[-1] >= 0
    trace = shown["noise"].curves[0].y
    assert trace.std() == pytest.approx(0.01 * 80e-6, rel=0.15)
    spike = MultiLevel(g_min=1e-6, g_max=2e-6, levels=2)
    for k, curve in enumerate(panels(card.of_preset("x", Preset(device=spike)))["levels"].curves):
        assert curve.x.tolist() == [spike.window[k]] * 2


def test_a_card_is_the_same_each_time() -> None:
    one, two = (panels(card.of_preset("x", FULL_PRESET)) for _ in range(2))
    for name, panel in one.items():
        for a, b in zip(panel.curves, two[name].curves, strict=True):
            np.testing.assert_array_equal(a.y, b.y)


@pytest.mark.parametrize(("states", "most"), [(2, 16), (9, 16), (32, 16), (5, 3)])
def test_shown_levels_run_from_end_to_end(states: int, most: int) -> None:
    level = shown_levels(LEVELS.replace(levels=states), most)
    assert len(level) == min(states, most)
    assert level[0] == 0
    assert level[-1] == states - 1
    assert (level.diff() >= 1).all()
    assert torch.equal(level, level.round())


def test_densities_are_those_of_one_attempt() -> None:
    """Normal around each level, each to its own peak."""
    panel = card.of_preset("x", Preset(device=LEVELS)).levels
    assert panel.remark == "all levels, one pulse each, not verified"
    for level, curve in enumerate(panel.curves):
        centre = 10e-6 + 20e-6 * level
        normal = stats.norm.pdf(curve.x, centre, 2e-6) * 2e-6 * np.sqrt(2 * np.pi)
        assert np.abs(curve.y - normal).max() < 0.2  # as smooth as 2,000 draws are
        mean = np.average(curve.x, weights=curve.y)
        deviation = np.average((curve.x - mean) ** 2, weights=curve.y) ** 0.5
        assert mean == pytest.approx(centre, abs=0.2e-6)
        assert deviation == pytest.approx(2e-6, rel=0.1)
        assert curve.y.max() == 1.0
    many = card.of_preset("x", Preset(device=LEVELS.replace(levels=40))).levels
    assert len(many.curves) == MOST_LEVELS
    assert many.remark.startswith("16 of 40 levels")


def test_bursts_lie_between_reads_where_pulses_are_many() -> None:
    cell = PulseResponse(g_min=10e-6, g_max=90e-6, pulses=600)
    panel = card.of_preset("x", Preset(device=cell)).response
    assert panel.remark.endswith("read after every 4 pulses")
    sets, _ = panel.curves
    assert np.diff(sets.x).tolist() == [4] * 150
    np.testing.assert_allclose(sets.y, 10e-6 + 80e-6 * sets.x / 600, rtol=1e-9)


@pytest.mark.parametrize("law", [Ohmic(), Sinh(v0=0.2), Transistor(overdrive=0.5)])
def test_currents_are_those_of_the_law(law: Ohmic | Sinh | Transistor) -> None:
    panel = card.of_preset("x", Preset(device=LEVELS, conduction=law)).current
    for curve, g in zip(panel.curves, (90e-6, 50e-6, 10e-6), strict=True):
        i = law.current(torch.from_numpy(curve.x), torch.tensor(g, dtype=torch.float64))
        np.testing.assert_array_equal(curve.y, i.numpy())
        assert curve.x[-1] == pytest.approx(law.telling_voltage)
    alone = card.of_preset("x", Preset(conduction=law)).current
    assert alone.remark == f"law: {law.family}, conductances chosen here"


def test_the_band_of_retention_holds_nine_cells_in_ten() -> None:
    law = PowerLaw(t0=10.0, nu=0.05, nu_spread=0.02)
    panel = card.of_preset("x", Preset(device=LEVELS, retention=law)).retention
    high = panel.curves[0]
    decades = np.log(high.x[-1] / 10.0)
    for side, z in ((high.low, 1.645), (high.high, -1.645)):
        assert side is not None
        assert side[-1] == pytest.approx(90e-6 * np.exp(-(0.05 + 0.02 * z) * decades), rel=0.05)
    assert high.x[0] == pytest.approx(10.0)


def test_noise_is_read_at_the_pace_of_the_trap() -> None:
    preset = Preset(device=LEVELS, telegraph=Telegraph(depth=0.4, full=0.5, empty=1.5))
    panel = card.of_preset("x", preset).noise
    (curve,) = panel.curves
    assert curve.x[1] == pytest.approx(2.0 / 40)
    assert set(np.round(curve.y / 50e-6, 6)) == {1.0, 0.8}  # a trap of the mean depth
    slow = card.of_preset("x", Preset(device=LEVELS, flicker=Flicker(amplitude=0.05))).noise
    assert np.ptp(slow.curves[0].y) > 0.05 * 50e-6
    assert slow.remark.startswith("1/f, a cell at mid window")
