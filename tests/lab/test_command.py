import shlex
from pathlib import Path

import pytest

import mho
from mho.cli.commands import parse
from mho.cli.run import Run
from mho.cli.try_device import Try
from mho.experiments import get
from mho.experiments.settings import key_and_value, settings_of
from mho.lab.command import commands, device_toml, file_name
from mho.lab.question import Question, levels_offered
from mho.physics import Preset


def of(name: str, **settings: object) -> Question:
    return Question(name=name, device=mho.devices.preset(name), **settings)


def parsed(question: Question) -> tuple[Run, Try]:
    run, trial = (parse(shlex.split(text)[1:]) for text in commands(question).values())
    assert isinstance(run, Run)
    assert isinstance(trial, Try)
    return run, trial


@pytest.mark.parametrize("name", mho.devices.PRESETS)
@pytest.mark.filterwarnings("ignore:Hardware")
def test_the_commands_ask_for_the_chips_of_the_question(name: str, tmp_path: Path) -> None:
    levels = levels_offered(mho.devices.preset(name))
    question = of(name, tile=64, dac_bits=5, adc_bits=6, wire_resistance=0.5,
                  weight_levels=levels[len(levels) // 2], prices="neurosim-rram")  # fmt: skip
    run, trial = parsed(question)
    assert run.prices == question.prices
    file = tmp_path / file_name(question)
    file.write_text(device_toml(question))
    assert str(run.device_file) == trial.source == file.name
    config = settings_of(run.name, get(run.name).preset(run.preset), device_file=file,
                         single=map(key_and_value, run.set)).config()  # fmt: skip
    asked, given = question.hardware, config.hardware
    same = ("device", "retention", "flicker", "telegraph", "disturb", "tile", "dac_bits",
            "adc_bits", "wire_resistance", "weight_levels")  # fmt: skip
    for field in same:
        assert getattr(given, field) == getattr(asked, field), field


def test_the_device_comes_back_from_its_file(tmp_path: Path) -> None:
    question = of("pcm-gst")
    file = tmp_path / file_name(question)
    file.write_text(device_toml(question))
    assert Preset.read(file) == question.device


@pytest.mark.parametrize(
    ("name", "file"),
    [("my cell; rm -rf ~", "my-cell--rm--rf.toml"), ("../up", "up.toml"), ("", "device.toml")],
)
def test_a_name_that_a_shell_would_take_apart_is_changed(name: str, file: str) -> None:
    question = Question(name=name, device=mho.devices.preset("pcm-gst"))
    assert file_name(question) == file
    parsed(question)


@pytest.mark.parametrize(
    ("name", "levels"), [("pcm-gst", 31), ("pcm-gst", 3), ("two-state-10k-100k", 3)]
)
def test_the_run_would_start(
    name: str, levels: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that a run looks at before it trains."""
    monkeypatch.chdir(tmp_path)
    question = of(name, weight_levels=levels)
    Path(file_name(question)).write_text(device_toml(question))
    run, _ = parsed(question)
    configs, *_ = run._plan()
    assert configs["siamese"].hardware.levels == question.hardware.levels
