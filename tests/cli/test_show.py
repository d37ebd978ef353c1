"""`mho show` and the lists of devices as a user meets them; the data of cards without pixels."""

from pathlib import Path

import numpy as np
import pytest

from mho import LogTime, Preset, PulseResponse, Sinh, card, devices, dynamics
from mho.cli import main
from mho.physics import MultiLevel
from mho.results.card import Panel

FULL = Preset(
    device=PulseResponse(
        g_min=10e-6, g_max=90e-6, pulses=20, nonlinearity=(2.0, 1.0), reset_ratio=2.0,
        cycle_spread=0.4, device_spread=0.1, read_noise=0.01, stuck_on=0.02,
    ),
    conduction=Sinh(v0=0.4),
    retention=LogTime(rate=-5e-7, rate_spread=1e-7),
    note="Made up.",
)  # fmt: skip


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def test_a_card_says_what_is_known_and_that_the_rest_is_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["show", "cmo-hfox", "--out", "card.png"]) == 0
    out = capsys.readouterr().out.replace("\xa0", " ")
    for word in ("9 µS to 88.2 µS", "89 nS ± 42 nS in a factor", "0.22 % of the window", "card.png",
                 "10.1002/adfm.202504688"):  # fmt: skip
        assert word in out
    told = dict(line.split("  ", 1) for line in out.splitlines() if "not given" in line)
    assert {"endurance", "I-V", "disturb"} <= {name.strip() for name in told}
    assert Path("card.png").read_bytes().startswith(b"\x89PNG")
    assert main(["show", "cmo-hfox", "--out", "card.png"]) == 2
    assert "--overwrite replaces it" in capsys.readouterr().err


def test_a_device_file_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine.toml").write_text(FULL.to_toml())
    Path("card.svg").write_text("old")
    assert main(["show", "mine.toml", "--out", "card.svg", "--overwrite"]) == 0
    assert "2 % on" in capsys.readouterr().out.replace("\xa0", " ")
    drawn = Path("card.svg").read_text()
    for word in ("mine", "law: sinh", "Retention", "Made up."):
        assert word in drawn
    assert "card.svg" not in [p.name for p in Path().iterdir() if p.name.endswith(".tmp")]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["cmo-hfx"], "unknown device 'cmo-hfx': did you mean 'cmo-hfox'"),
        (["stanford-pk"], "did you mean 'stanford-pku'"),
        (["missing.toml"], "missing.toml"),
        (["cmo-hfox", "--out", "card.jpg"], "out = 'card.jpg': allowed is a file that ends in"),
        (["cmo-hfox", "--out", "no/card.png"], "out = 'no/card.png': allowed is a file that can"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_one_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_the_lists_name_every_device_and_its_source(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "devices"]) == 0
    out = capsys.readouterr().out
    for name, preset in devices.PRESETS.items():
        assert preset.device is not None
        assert name in out
        assert preset.device.doi in out
    assert "retention, 1/f noise" in out
    assert main(["list", "dynamics"]) == 0
    out = capsys.readouterr().out
    assert all(name in out and model.doi in out for name, model in dynamics.MODELS.items())


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
    cell = FULL.device
    assert isinstance(cell, PulseResponse)
    shown = panels(card.of_preset("mine", FULL))
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


def test_the_card_of_a_model_has_a_pinched_loop_and_switches() -> None:
    name = "stanford-pku"
    shown = card.of_model(name, dynamics.get(name))
    loop = shown.current.curves[0]
    assert (loop.x * loop.y >= 0).all()
    assert abs(np.trapezoid(loop.y, loop.x)) > 0
    sets, resets = shown.response.curves
    assert sets.y[-1] > 1.3 * sets.y[0]
    assert resets.y[-1] < 0.8 * resets.y[0]
    assert dict(shown.numbers)["DOI"] == dynamics.get(name).doi
