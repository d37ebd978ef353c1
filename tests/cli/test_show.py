"""`mho show` and the lists of devices as a user meets them; the data of cards without pixels."""

from pathlib import Path

import pytest

from builders.cells import FULL_PRESET
from mho import devices, dynamics
from mho.cli import main
from mho.physics import devices as devices_module
from mho.physics import dynamics as dynamics_module


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
    Path("mine.toml").write_text(FULL_PRESET.to_toml())
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
        (["cmo-hfox", "--out", "card.jpg"], "out = 'card.jpg': expected a file that ends in"),
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
    assert main(["list", "devices", "--long"]) == 0
    out = capsys.readouterr().out
    for name, preset in devices.PRESETS.items():
        assert preset.device is not None
        assert name in out
        assert preset.device.doi in out
    assert "retention, 1/f noise" in out
    assert main(["list", "dynamics", "--long"]) == 0
    out = capsys.readouterr().out
    assert all(name in out and model.doi in out for name, model in dynamics.MODELS.items())


def test_all_cards_are_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    few = {name: devices.PRESETS[name] for name in ("cmo-hfox", "pcm-gst")}
    monkeypatch.setattr(devices_module, "PRESETS", few)
    monkeypatch.setattr(dynamics_module, "MODELS", {})
    assert main(["show", "all", "--out", "gallery"]) == 0
    page = Path("gallery/gallery.md").read_text()
    for name, preset in few.items():
        assert f"![Card of {name}]({name}.png)" in page
        assert preset.note[:20] in page
        assert Path(f"gallery/{name}.png").read_bytes().startswith(b"\x89PNG")
    assert main(["show", "all", "--out", "gallery"]) == 2
    assert main(["show", "all", "--out", "gallery", "--overwrite"]) == 0
    assert main(["show", "all"]) == 2
