"""Settings of earlier versions: where each of them is now, so that their files still load."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mho.errors import InvalidInput
from mho.files import flat, parse_toml

MOVED: dict[str, dict[str, str]] = {
    "bmcnn": {
        "study_per_class": "study.per_class", "study_epochs": "study.epochs",
        "r_on": "cells.r_on", "r_off": "cells.r_off", "on_distribution": "cells.on_distribution",
        "off_distribution": "cells.off_distribution", "truncation": "cells.truncation",
        "cov": "spread.compared", "headline_cov": "spread.claimed", "map_cov": "spread.maps",
        "aware_cov": "spread.aware",
    },
    "siamese": {
        "channels": "cnn.channels", "dense": "cnn.dense", "cnn_epochs": "cnn.epochs",
        "study_epochs": "study.epochs", "hysteresis": "writes.hysteresis",
        "frugal": "writes.frugal.first", "frugal_last": "writes.frugal.last",
        "cnn_frugal": "writes.cnn_frugal.first", "cnn_frugal_last": "writes.cnn_frugal.last",
        "sparse": "writes.sparse", "small": "writes.small", "every": "writes.every",
        "budget": "writes.budget", "gathered": "writes.gathered", "rounded": "writes.rounded",
        "sign_share": "writes.sign_share", "random_share": "writes.random_share",
    },
    "metaplastic": {
        "channels": "cnn.channels", "dense": "cnn.dense", "permuted": "permuted.tasks",
        "permuted_epochs": "permuted.epochs", "permuted_share": "permuted.share",
        "permuted_damping": "permuted.damping", "permuted_pull": "permuted.pull",
        "permuted_elastic": "permuted.elastic", "permuted_intelligence": "permuted.intelligence",
        "study_epochs": "study.epochs", "study_per_class": "study.per_class",
        "parts": "study.parts", "damping": "rules.damping", "pull": "rules.pull", "m": "rules.m",
        "mode": "rules.mode", "direction": "rules.direction", "binary_m": "rules.binary_m",
        "elastic": "rules.elastic", "fisher": "rules.fisher",
        "intelligence": "rules.intelligence", "gated_intelligence": "rules.gated_intelligence",
        "hidden_bits": "rules.hidden_bits", "uncertainty": "rules.bayesian.uncertainty",
        "memory_steps": "rules.bayesian.memory", "bayesian_rate": "rules.bayesian.rate",
        "digital_rate": "rules.bayesian.digital_rate",
    },
    "wires": {
        "headline_resistance": "claimed.resistance", "headline_tile": "claimed.tile",
        "refresh": "refresh.every", "refresh_per_class": "refresh.per_class",
        "rounds": "predistortion.rounds", "finer": "predistortion.finer",
    },
    "sensitivity": {},
}  # fmt: skip
"""By experiment: the former name of a setting, and its name with dots between tables."""

ADDED = {
    "bmcnn": {"data": "mnist"},
    "siamese": {"data": "mnist"},
    "metaplastic": {"permuted.data": "mnist", "study.split": "mnist"},
}
"""By experiment: settings that earlier versions did not have, and what these did."""


def moved(family: str, name: str, value: object) -> str | None:
    """Where a setting of an experiment is now; None if it still is where it was.

    A table is never an earlier setting: some of today's tables have the name of one.
    """
    places = {"device": "processor"} | MOVED.get(family, {})
    return None if isinstance(value, Mapping) else places.get(name)


def current(settings: Mapping[str, Any], family: str) -> dict[str, Any]:
    """Settings of an experiment, of this version or an earlier one, under their names of today."""
    out: dict[str, Any] = {}
    for name, value in settings.items():
        if moved(family, name, value) is None:
            systems = name in MOVED and isinstance(value, Mapping)
            out[name] = current(value, name) if systems else value
    for name, value in settings.items():
        if (place := moved(family, name, value)) is not None:
            *tables, last = place.split(".")
            inner = out
            for table in tables:
                inner[table] = dict(inner.get(table, {}))
                inner = inner[table]
            inner[last] = value
    return out


def check_same(folder: Path, begun: str, now: str) -> None:
    """Refuse to go on with a run under other settings.

    Args:
        folder: of the run.
        begun: settings that it began with as TOML, of this version or an earlier one.
        now: those of now.

    Raises:
        ValueError: they differ; the message has each key with both values.
    """
    first, second = (
        flat(whole(current(given, given.get("family", "")), given.get("family", "")))
        for given in (parse_toml(each, "config.toml") for each in (begun, now))
    )
    keys = [key for key in first | second if first.get(key) != second.get(key)]
    if keys:
        apart = [f"{key} is {_told(second, key)}, was {_told(first, key)}" for key in keys[:MOST]]
        more = f", and {len(keys) - MOST} more" if len(keys) > MOST else ""
        raise InvalidInput(
            f"{folder} holds a run with other settings: {'; '.join(apart)}{more}; give those that "
            "it began with, or another folder"
        )


MOST = 5
"""Settings that a message names."""


def _told(settings: Mapping[str, Any], key: str) -> str:
    return repr(settings[key]) if key in settings else "not set"


def whole(settings: dict[str, Any], family: str) -> dict[str, Any]:
    """Settings of today with those that earlier versions did not have, as these were then."""
    out = {
        name: whole(value, name) if name in ADDED and isinstance(value, dict) else value
        for name, value in settings.items()
    }
    for place, value in ADDED.get(family, {}).items():
        *tables, last = place.split(".")
        inner = out
        for table in tables:
            inner[table] = dict(inner.get(table, {}))
            inner = inner[table]
        inner.setdefault(last, value)
    return out
