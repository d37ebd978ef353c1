"""Settings put together from presets, files and single settings."""

from pathlib import Path

import pytest

import mho
from mho import experiments
from mho.experiments.settings import key_and_value, nested, settings_of, value_of
from mho.files import flat


def test_single_settings_lie_over_a_file_and_that_over_the_preset(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    file.write_text("epochs = 2\nbatch = 10\n")
    preset = experiments.get("siamese").preset("quick")
    config = settings_of("siamese", preset, file=file, single=[("batch", 20)]).config()
    assert config == preset.merged({"epochs": 2, "batch": 20})


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [("a.b=1", "a.b", 1), ("a=[1, 2]", "a", [1, 2]), ("a=pcm-gst", "a", "pcm-gst"),
     ('a="1"', "a", "1"), ("a=b=c", "a", "b=c"), ("a=", "a", "")],
)  # fmt: skip
def test_a_setting_is_read_as_toml_else_as_text(text: str, key: str, value: object) -> None:
    assert key_and_value(text) == (key, value)


@pytest.mark.parametrize("text", ["", "a", "=1"])
def test_a_setting_has_a_key_and_a_value(text: str) -> None:
    with pytest.raises(ValueError, match="key=value"):
        key_and_value(text)


@pytest.mark.parametrize("name", experiments.EXPERIMENTS)
def test_a_preset_by_hand_is_refused_as_it_would_change_its_name_alone(name: str) -> None:
    preset = experiments.get(name).preset("quick")
    assert settings_of(name, preset, single=[("preset", "quick")]).config() == preset
    with pytest.raises(ValueError, match=r"preset = 'paper': .* --preset paper"):
        settings_of(name, preset, single=[("preset", "paper")]).config()


def test_nested_and_flat_are_inverse() -> None:
    assert nested("a.b.c", 1) == {"a": {"b": {"c": 1}}}
    assert flat(nested("a.b.c", 1)) == {"a.b.c": 1}
    assert value_of("[1, ") == "[1, "


@pytest.mark.parametrize("name", experiments.EXPERIMENTS)
def test_the_file_of_a_run_gives_its_settings_whatever_the_preset(
    name: str, tmp_path: Path
) -> None:
    """What is None there is not written, and is not that of the preset."""
    config = experiments.get(name).preset("quick")
    if isinstance(getattr(config, "hardware", None), mho.Hardware):
        device = config.hardware.device.replace(endurance=None, doi="")
        config = config.replace(hardware=config.hardware.replace(device=device, adc_bits=None))
    file = tmp_path / "config.toml"
    file.write_text(config.to_toml())
    standard = experiments.get(name).preset("standard")
    assert settings_of(name, standard, file=file).config() == config
