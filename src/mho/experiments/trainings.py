"""What a training depends on: runs whose trainings depend on the same have them in common."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import tomli_w

import mho
from mho.config import Config
from mho.data import SOURCES, Dataset
from mho.experiments.experiment import ExperimentConfig
from mho.files import flat

DIGITS = 12
"""Of the hash that names a training."""


class Training:
    """All that the outcome of a training depends on: its state in the end, and what it logs.

    Args:
        settings: plain values, or records of them, by name; None counts as not being there.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        plain = {k: v.to_dict() if isinstance(v, Config) else v for k, v in settings.items()}
        self.settings = {k: v for k, v in flat(plain).items() if v is not None}

    @classmethod
    def of(
        cls,
        config: ExperimentConfig,
        *names: str,
        data: Sequence[str | Path | Dataset],
        **more: Any,
    ) -> Self:
        """A training that depends on the seed, on other settings of a run, and on more.

        Args:
            config: the settings of the run.
            names: of those that it depends on, dots between tables.
            data: what it learns; their content counts, whatever their names.
            more: what else it depends on, by name.
        """
        chosen = {name: _at(config, name) for name in ("seed", *names)}
        made = {"mho": mho.__version__, "data": [_content(name) for name in data]}
        return cls(made | chosen | more)

    @cached_property
    def id(self) -> str:
        """First digits of the SHA-256 of what it depends on."""
        text = json.dumps(self.settings, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]

    def to_toml(self) -> str:
        """What it depends on, as TOML."""
        return tomli_w.dumps(self.settings)


def _content(data: str | Path | Dataset) -> str:
    """What tells data from others: of public ones, whose files are checked, the name."""
    if isinstance(data, str) and data in SOURCES:
        return data
    return mho.data.dataset(data).sha256


def _at(config: Config, name: str) -> Any:
    """A setting by its dotted name."""
    value: Any = config
    for part in name.split("."):
        value = getattr(value, part)
    return value
