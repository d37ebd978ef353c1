from pathlib import Path

import pytest

import mho
from mho.physics import Preset
from mho.trial.device import device

RETENTION = "time [s],conductance [uS]\n" + "\n".join(f"{10.0**k:g},{50 - k:g}" for k in range(6))


def test_a_name_a_file_and_a_measurement(tmp_path: Path) -> None:
    named = device("pcm-gst")
    assert named == ("pcm-gst", mho.devices.preset("pcm-gst"), "")
    (tmp_path / "mine.toml").write_text(named.preset.to_toml())
    assert device(str(tmp_path / "mine.toml")) == ("mine", named.preset, "")


def test_a_law_without_a_cell_is_refused(tmp_path: Path) -> None:
    (tmp_path / "aged.csv").write_text(RETENTION)
    with pytest.raises(ValueError, match="expected a file of pulses, of targets or of states"):
        device(str(tmp_path / "aged.csv"))


@pytest.mark.parametrize("written", [False, True])
def test_a_law_without_a_cell_is_put_to_a_chosen_device(tmp_path: Path, written: bool) -> None:
    file, chosen = tmp_path / "aged.csv", device("hfo2-1t1r")
    file.write_text(RETENTION)
    found = device(str(file), onto=chosen)
    if written:  # as mho fit writes it
        file = tmp_path / "aged.toml"
        file.write_text(Preset(retention=found.preset.retention).to_toml())
        with pytest.raises(ValueError, match=r"retention alone"):
            device(str(file))
        found = device(str(file), onto=chosen)
    assert found.preset.device == chosen.preset.device
    assert found.preset.retention is not None
    assert found.preset.retention != chosen.preset.retention
    assert found.name == "hfo2-1t1r with aged"
    assert "retention, on the cell of hfo2-1t1r" in found.fitted


def test_a_file_with_a_cell_takes_nothing_of_the_chosen_device(tmp_path: Path) -> None:
    file, preset = tmp_path / "mine.toml", mho.devices.preset("pcm-gst")
    file.write_text(preset.to_toml())
    assert device(str(file), onto=device("hfo2-1t1r")).preset == preset


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match="did you mean 'pcm-gst'"):
        device("pcm-gts")
