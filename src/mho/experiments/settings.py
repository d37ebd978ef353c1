"""The settings of a run, put together from a preset, files and single settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mho.errors import InvalidInput, invalid
from mho.experiments.device import DEVICE
from mho.experiments.earlier import current, whole
from mho.experiments.experiment import ExperimentConfig
from mho.files import parse_toml, read_toml


@dataclass(frozen=True)
class Settings:
    """Settings by hand over those to begin from, which other settings may still be laid over.

    What is set by hand stays so whatever device comes later; what came with the former device
    follows the new one.

    Args:
        start: of an experiment, or those of a run.
        steps: tables of settings, the later over the earlier, see `ExperimentConfig.laid_over`.
    """

    start: ExperimentConfig
    steps: tuple[Mapping[str, Any], ...] = ()

    def over(self, single: Iterable[tuple[str, Any]]) -> Settings:
        """These with single settings laid over them, by key, with dots between tables."""
        return Settings(self.start, (*self.steps, *(nested(key, value) for key, value in single)))

    @property
    def seed(self) -> int:
        """The seed, as the last that names one has it."""
        named = [step["seed"] for step in self.steps if "seed" in step]
        return named[-1] if named else self.start.seed

    def config(self, told: Callable[[str], None] = lambda _note: None) -> ExperimentConfig:
        """All of it.

        Args:
            told: takes notes on what a device changes, and on schemes by an earlier name.

        Raises:
            ValueError: a setting is unknown or its value not allowed; the message names both.
        """
        config, notes = self.start.laid_over(self.steps)
        for note in notes:
            told(note)
        return config


def settings_of(
    name: str,
    preset: ExperimentConfig,
    *,
    file: Path | None = None,
    device_file: Path | None = None,
    chip: str | None = None,
    single: Iterable[tuple[str, Any]] = (),
) -> Settings:
    """A preset of an experiment, with a file, then a device, then single settings laid over it.

    Args:
        name: of the experiment.
        preset: where to begin.
        file: TOML file of settings, of this version or an earlier one. The config.toml of a run
            holds them all, and takes nothing of the preset.
        device_file: preset of `mho fit` whose cell replaces that of the chips.
        chip: address of an instrument to train on.
        single: settings by key, with dots between tables, and their values.

    Raises:
        ValueError: the file cannot be read, or two of these do not go together.
    """
    start, steps = preset, []
    if file is not None:
        given = current(read_toml(file), name)
        # What a run wrote is all of its settings: what it does not name is None, not the preset's.
        if {"family", "preset"} <= set(given):
            start = type(preset).from_dict(whole(given, name))
        else:
            steps.append(given)
    if device_file is not None:
        if chip is not None:
            allowed = "nothing with --chip, which says what its cells are"
            raise invalid(DEVICE, str(device_file), allowed)
        steps.append({DEVICE: device_file})
    if chip is not None:
        start.on_instrument(chip)
        steps.append(nested("chip.address", chip))
    return Settings(start, tuple(steps)).over(single)


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
