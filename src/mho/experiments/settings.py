"""The settings of a run, put together from a preset, files and single settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from mho.errors import InvalidInput, invalid
from mho.experiments.cells import in_words
from mho.experiments.earlier import current, renamed, whole
from mho.experiments.experiment import ExperimentConfig
from mho.files import parse_toml, read_toml
from mho.physics import Preset


def settings_of(
    name: str,
    preset: ExperimentConfig,
    *,
    file: Path | None = None,
    device_file: Path | None = None,
    chip: str | None = None,
    single: Iterable[tuple[str, Any]] = (),
    told: Callable[[str], None] = lambda _note: None,
) -> ExperimentConfig:
    """A preset of an experiment, with a file, then a device, then single settings laid over it.

    Args:
        name: of the experiment.
        preset: where to begin.
        file: TOML file of settings, of this version or an earlier one. The config.toml of a run
            holds them all, and takes nothing of the preset.
        device_file: preset of `mho fit` whose cell replaces that of the chips.
        chip: address of an instrument to train on.
        single: settings by key, with dots between tables, and their values.
        told: takes notes on what a device changes, and on schemes by an earlier name.

    Raises:
        ValueError: a setting is unknown or its value not allowed; the message names both.
    """
    config = preset
    if file is not None:
        given = current(read_toml(file), name)
        # What a run wrote is all of its settings: what it does not name is None, not the preset's.
        complete = {"family", "preset"} <= set(given)
        config = type(preset).from_dict(whole(given, name)) if complete else config.merged(given)
    if device_file is not None:
        if chip is not None:
            allowed = "nothing with --chip, which says what its cells are"
            raise invalid("device_file", str(device_file), allowed)
        config, notes = on_device(config, device_file)
        for note in notes:
            told(f"{device_file}: {note}")
    if chip is not None:
        config = config.on_instrument(chip)
    for key, value in single:
        config = laid_over(config, nested(key, value), told)
    return config


def laid_over(
    config: ExperimentConfig, changes: Mapping[str, Any], told: Callable[[str], None]
) -> ExperimentConfig:
    """Settings with some changed; schemes that are named as earlier versions did are told.

    Raises:
        ValueError: as `settings_of`.
    """
    for name, now in renamed(changes, config.family).items():
        told(f"the scheme {name!r} is now called {now!r}")
    return config.merged(changes)


def key_and_value(text: str) -> tuple[str, Any]:
    """The parts of "key=value"; the value is read as TOML, else as text."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise invalid("set", text, "key=value, dots between tables")
    return key, value_of(value)


def value_of(text: str) -> Any:
    """A value as TOML writes it, else the text itself."""
    try:
        return parse_toml(f"value = {text}", "value")["value"]
    except InvalidInput:
        return text


def nested(key: str, value: Any) -> dict[str, Any]:
    """The tables of a setting: "a.b" and 1 are {"a": {"b": 1}}."""
    for part in reversed(key.split(".")):
        value = {part: value}
    return value


def on_device(config: ExperimentConfig, path: Path) -> tuple[ExperimentConfig, list[str]]:
    """The configuration with the cell of a preset, and what that says of time and noise.

    Raises:
        ValueError: it cannot be read, has no cell, or one that does not suit.
    """
    preset = Preset.read(path)
    if preset.device is None:
        found = " and ".join(f"[{name}]" for name in preset.to_dict() if name != "note")
        allowed = (
            f"a preset with a table [device]: this one has {found} alone, to which mho fit FILE "
            "--add puts the cell of measured pulses, targets, states, endurance or switching"
        )
        raise invalid("device_file", str(path), allowed)
    try:
        return config.on_device(preset)
    except ValueError as error:
        cell = f"{path} ({in_words(preset.cell)})"
        raise invalid("device_file", cell, f"another cell, or none ({error})") from error
