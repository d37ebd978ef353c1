import pytest
import torch

import mho
import mho.trial
from builders.cells import FULL_PRESET
from mho import devices
from mho.physics import Preset
from mho.trial.limits import OF_LAWS


def test_a_device_is_tried() -> None:
    preset, done = devices.preset("rram-neurram-1s"), []
    before = torch.get_rng_state()
    found = mho.trial.of_preset("mine", preset, chips=2, progress=done.append)
    assert torch.equal(torch.get_rng_state(), before)
    assert sum(done) == mho.trial.steps(preset)
    assert [name for name, _ in found.times] == ["fresh", "a day", "a month"]
    written = found.accuracy["as written"].mean(1)
    repaired = found.accuracy["after repair"].mean(1)
    assert found.in_float > 0.97
    assert written[0] > written[1] > written[2]
    assert repaired[2] > written[2]
    assert found.limits["as written"][0].name == "relaxation and drift"
    assert found.limits["as written"][0].certain
    assert "most by relaxation and drift" in found.verdicts()[0]
    assert dict(found.costs)["can be written"] == "its endurance is not given"
    again = mho.trial.of_preset("mine", preset, chips=2)
    assert (again.accuracy["after repair"] == found.accuracy["after repair"]).all()


def test_a_device_of_two_states_that_wears_out_and_does_not_age() -> None:
    preset = devices.preset("two-state-10k-100k")
    preset = preset.replace(device=preset.cell.replace(endurance=1e6))
    found = mho.trial.of_preset("two", preset, chips=2)
    assert "binary weights" in found.network
    assert [name for name, _ in found.times] == ["fresh"]
    assert "until the first cell dies" in dict(found.costs)["can be written"]
    assert found.remarks == ["not given, and taken as none: relaxation and drift and 1/f noise"]


def test_a_preset_with_all_laws_is_tried() -> None:
    found = mho.trial.of_preset("all", FULL_PRESET, chips=2)
    names = {limit.name for limit in found.limits["as written"]}
    laws = {name for name, law in OF_LAWS.items() if getattr(FULL_PRESET, law) is not None}
    assert laws
    assert laws <= names
    assert any("ohmic" in remark for remark in found.remarks)


def test_what_cannot_be_tried_is_refused() -> None:
    with pytest.raises(ValueError, match="the preset has none"):
        mho.trial.of_preset("none", Preset(note="nothing"))
    with pytest.raises(ValueError, match="at least 2"):
        mho.trial.of_preset("one", devices.preset("pcm-gst"), chips=1)
    with pytest.raises(ValueError, match="price list"):
        mho.trial.of_preset("one", devices.preset("pcm-gst"), prices="cheap")
