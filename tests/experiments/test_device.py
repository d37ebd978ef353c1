"""Another device in the settings of a run, however it is given, and what follows it."""

from pathlib import Path
from typing import Any

import pytest

import mho
from mho import devices, experiments
from mho.errors import InvalidInput
from mho.experiments.device import with_cells
from mho.experiments.settings import Settings, settings_of
from mho.physics import Preset
from mho.sweep import plan

DEVICE = "hardware.device"


def settings(name: str, *single: tuple[str, Any], **more: Any) -> Any:
    """Of a preset of an experiment."""
    return settings_of(name, experiments.get(name).preset("quick"), single=single, **more)


def written(folder: Path, name: str) -> Path:
    """A published device as a file."""
    file = folder / f"{name}.toml"
    file.write_text(devices.preset(name).to_toml())
    return file


def test_weights_take_the_levels_that_other_cells_offer() -> None:
    own = settings("siamese").config().hardware
    cell = mho.devices.get("hfo2-1t1r")
    retention, conduction = mho.cells.LogTime(rate=-1e-7), mho.circuits.Sinh()
    hardware, notes = with_cells(own, Preset(device=cell, retention=retention))
    assert (hardware.device, hardware.retention, hardware.weight_levels) == (cell, retention, None)
    assert notes == [
        "weights have 17 levels, all that these cells offer, not 16",
        "cells are written as in the measurement of their spread: 10 pulses and 10 reads for each "
        "write",
    ]
    hardware, notes = with_cells(own, Preset(device=own.device, conduction=conduction))
    assert hardware == own
    assert notes == ["[conduction] is not used"]


@pytest.mark.parametrize("experiment", ["siamese", "metaplastic"])
@pytest.mark.parametrize("name", devices.PRESETS)
def test_a_device_is_the_same_however_it_is_given(
    experiment: str, name: str, tmp_path: Path
) -> None:
    """By name, by file, as a table, in a file of settings, in a sweep: with all that follows it."""
    file = written(tmp_path, name)
    (config := tmp_path / "config.toml").write_text(f"[hardware]\ndevice = {name!r}\n")
    (ahead := tmp_path / "ahead.toml").write_text("[hardware.device]\nread_noise = 0.03\n")
    expected = settings(experiment, device_file=file).config()
    assert expected.hardware.device == devices.get(name)
    others = [
        settings(experiment, (DEVICE, name)).config(),
        settings(experiment, (DEVICE, str(file))).config(),
        settings(experiment, (DEVICE, devices.preset(name).to_dict())).config(),
        settings(experiment, file=config).config(),
        settings(experiment, file=ahead, device_file=file).config(),
        settings(experiment, (DEVICE, "pcm-gst"), (DEVICE, name)).config(),
        *(point.config for axis in ({"device_file": [str(file)]}, {DEVICE: [name]})
          for point in plan.make(experiment, grid=axis).points()),
    ]  # fmt: skip
    assert others == [expected] * len(others)


def test_what_followed_one_device_follows_the_next() -> None:
    first = settings("siamese", (DEVICE, "rram-neurram-1s")).config()
    assert first.hardware.retention is not None
    again: Any = Settings(first).over([(DEVICE, "hfo2-soft-bounds")]).config()
    assert again.hardware.retention is None
    assert again.hardware.device == devices.get("hfo2-soft-bounds")


@pytest.mark.parametrize("turned", [False, True])
def test_what_is_set_by_hand_stays_in_any_order(turned: bool) -> None:
    by_hand = {
        "hardware.weight_levels": 5,
        "hardware.programming.family": "verify",
        "hardware.retention": {"family": "power-law", "nu": 0.02, "t0": 1.0},
        "hardware.device.levels": 17,
        "studies": [],
    }
    single = [(DEVICE, "hfo2-soft-bounds"), *by_hand.items()]
    if turned:  # all but what is of the device itself
        single = [*(pair for pair in single if pair[0] != DEVICE and DEVICE not in pair[0]),
                  *(pair for pair in single if DEVICE in pair[0])]  # fmt: skip
    notes: list[str] = []
    config = settings("siamese", *single).config(notes.append)
    hardware = config.hardware
    assert (hardware.weight_levels, hardware.writing.family) == (5, "verify")
    assert hardware.retention == mho.cells.PowerLaw(nu=0.02, t0=1.0)
    assert hardware.device == devices.get("hfo2-soft-bounds").replace(levels=17)
    assert config.studies == ()
    assert not [note for note in notes if "weights have" in note or "verified" in note]


def test_a_sweep_over_devices_keeps_what_is_set_by_hand() -> None:
    axis = {DEVICE: ["cmo-hfox", "hfo2-1t1r"]}
    points = plan.make("siamese", single=[("hardware.weight_levels", 3)], grid=axis).points()
    assert [point.settings["hardware.weight_levels"] for point in points] == [3, 3]
    wrong = plan.make("siamese", single=[("hardware.weight_levels", 63)], grid=axis)
    with pytest.raises(InvalidInput, match=r"point hardware.device = hfo2-1t1r: .*weight_levels"):
        wrong.points()


def test_levels_of_weights_follow_levels_of_the_cell() -> None:
    notes: list[str] = []
    config = settings("siamese", ("hardware.device.levels", 9)).config(notes.append)
    assert config.hardware.levels == 17
    assert config.hardware.programming == mho.cells.OpenLoop()
    assert notes == ["hardware.device: weights have 17 levels, all that these cells offer, not 16"]


def test_systems_of_others_follow_their_devices_too() -> None:
    notes: list[str] = []
    single = [("siamese.hardware.device", "cmo-hfox"), ("siamese.epochs", 3)]
    config = settings("wires", *single).config(notes.append)
    alone = settings("siamese", (DEVICE, "cmo-hfox")).config()
    assert config.siamese.hardware == alone.hardware
    assert config.siamese.epochs == 3
    assert notes
    assert all(note.startswith("siamese: cmo-hfox: ") for note in notes)


def test_a_refusal_names_the_device_only_where_it_is_at_fault() -> None:
    with pytest.raises(InvalidInput, match=r"SiameseConfig.*'batsh'.*'batch'"):
        settings("siamese", (DEVICE, "cmo-hfox"), ("batsh", 3)).config()
    with pytest.raises(InvalidInput, match=r"'levl'.*did you mean 'hardware\.device\.levels'"):
        settings("siamese", (DEVICE, "cmo-hfox"), ("hardware.device.levl", 3)).config()
    with pytest.raises(InvalidInput, match="did you mean 'pcm-gst'"):
        settings("siamese", (DEVICE, "pcm-gts")).config()
    start = settings("siamese", ("hardware.slices", 4)).config()
    asked = Settings(start).over([(DEVICE, "hfo2-1t1r"), ("hardware.device.levels", 200)])
    said = r"hardware\.device = 'hfo2-1t1r \(multi-level cells of 200 levels\)': expected "
    with pytest.raises(InvalidInput, match=rf"{said}another cell, or none \(Hardware\.slices"):
        asked.config()
