from pathlib import Path

import pytest

import mho
from mho.trial.device import device

RETENTION = "time [s],conductance [uS]\n" + "\n".join(f"{10.0**k:g},{50 - k:g}" for k in range(6))


def test_a_name_a_file_and_a_measurement(tmp_path: Path) -> None:
    named = device("pcm-gst")
    assert named == ("pcm-gst", mho.devices.preset("pcm-gst"), "")
    (tmp_path / "mine.toml").write_text(named.preset.to_toml())
    assert device(str(tmp_path / "mine.toml")) == ("mine", named.preset, "")


def test_a_law_without_a_cell_is_refused(tmp_path: Path) -> None:
    (tmp_path / "aged.csv").write_text(RETENTION)
    with pytest.raises(ValueError, match="allowed is a file of pulses, of targets or of states"):
        device(str(tmp_path / "aged.csv"))


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match="did you mean 'pcm-gst'"):
        device("pcm-gts")
