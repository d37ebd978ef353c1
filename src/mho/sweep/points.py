"""A point of a sweep: the settings of one run, and the name that these give it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mho import experiments
from mho.errors import unknown
from mho.experiments.earlier import current
from mho.experiments.experiment import ExperimentConfig
from mho.experiments.settings import flat
from mho.files import parse_toml

WHERE = ("processor", "threads")
"""Settings of where a run is computed, which are no part of a point."""

DIGITS = 12
"""Of the hash that names a point."""


@dataclass(frozen=True)
class Point:
    """The settings of one run.

    Args:
        experiment: its name.
        config: its settings.
    """

    experiment: str
    config: ExperimentConfig

    @classmethod
    def of_toml(cls, text: str, where: str) -> Point:
        """A point from the `config.toml` of a run.

        Args:
            text: its content.
            where: the file, for errors.

        Raises:
            ValueError: it is no configuration of an experiment.
        """
        settings = parse_toml(text, where)
        name = settings.get("family")
        if name not in experiments.EXPERIMENTS:
            raise unknown(f"family in {where}", name, experiments.EXPERIMENTS)
        record = type(experiments.get(name).preset("quick"))
        return cls(name, record.from_dict(current(settings, name)))

    @cached_property
    def id(self) -> str:
        """First digits of the SHA-256 of all settings, but those of where it is computed."""
        named = {"experiment": self.experiment, **self.settings}
        text = json.dumps(named, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]

    @cached_property
    def settings(self) -> dict[str, Any]:
        """All settings by dotted key, but those of where it is computed."""
        return {k: v for k, v in flat(self.config.to_dict()).items() if k not in WHERE}


def varied(points: Iterable[Point]) -> list[str]:
    """Settings that are not the same at all points, the seed last."""
    found: dict[str, set[str]] = {}
    every = list(points)
    for key in {key: None for point in every for key in point.settings}:
        found[key] = {json.dumps(point.settings.get(key)) for point in every}
    keys = [key for key, values in found.items() if len(values) > 1]
    return sorted(keys, key=lambda key: key == "seed")
