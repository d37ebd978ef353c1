"""Settings of earlier versions: where each of them is now, so that their files still load.

Names of schemes, and what they were before, stand in `mho.results.earlier`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mho.errors import InvalidInput
from mho.experiments.checkpoint import Checkpoint
from mho.files import flat, parse_toml
from mho.results.earlier import NAMES, NO_SCHEMES, name_of_today, text_of_today

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
        "study_epochs": "study.epochs", "hysteresis": "writes.fixed_threshold",
        "writes.hysteresis": "writes.fixed_threshold",
        "frugal": "writes.falling_threshold.first", "frugal_last": "writes.falling_threshold.last",
        "writes.frugal": "writes.falling_threshold",
        "cnn_frugal": "writes.cnn_falling_threshold.first",
        "cnn_frugal_last": "writes.cnn_falling_threshold.last",
        "writes.cnn_frugal": "writes.cnn_falling_threshold",
        "sparse": "writes.large_threshold", "writes.sparse": "writes.large_threshold",
        "small": "writes.small", "every": "writes.every",
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
"""By experiment: the former name of a setting, and its name of today, with dots between tables."""

ADDED = {
    "bmcnn": {"data": "mnist"},
    "siamese": {"data": "mnist"},
    "metaplastic": {"permuted.data": "mnist", "study.split": "mnist"},
}
"""By experiment: settings that earlier versions did not have, and what these did."""

IDEAL = {"family": "ideal", "offset": 0.0, "gain": 0.0}
HIDDEN_ONLY = {
    "m": 5.0, "gated_m": 3.5, "share": 0.5, "rate": 0.3, "momentum": 0.9, "spread": 1.0,
    "gated_spread": 0.3, "levels": 5,
}  # fmt: skip

NEW: dict[str, dict[str, Any]] = {
    "siamese": {"hardware.dac": IDEAL},
    "metaplastic": {"hardware.dac": IDEAL, "hidden_epochs": 0, "rules.hidden_only": HIDDEN_ONLY},
}
"""By experiment: the same of the version before, by whose settings it named the folders of points.
"""


SCHEMES = ("scheme", "schemes", "claimed", "chip.scheme")
"""Settings that name schemes."""


def moved(settings: Mapping[str, Any], family: str) -> Iterator[tuple[str, str]]:
    """Which settings of an experiment have the name of an earlier version, and that of today.

    A table is never an earlier setting without a dot: some of today's tables have the name of one.
    """
    for name, place in ({"device": "processor"} | MOVED.get(family, {})).items():
        value = _at(settings, name)
        if value is not _NOT_THERE and ("." in name or not isinstance(value, Mapping)):
            yield name, place


def current(settings: Mapping[str, Any], family: str) -> dict[str, Any]:
    """Settings of an experiment, of this version or an earlier one, under their names of today, and
    with schemes by theirs."""
    out: dict[str, Any] = {}
    for name, value in settings.items():
        systems = name in MOVED and isinstance(value, Mapping)
        out[name] = current(value, name) if systems else _copy(value)
    values = {place: _taken(out, name) for name, place in list(moved(settings, family))}
    for place, value in values.items():
        _put(out, place, value)
    return by_names_of_today(out, family)


def renamed(settings: Mapping[str, Any], family: str) -> dict[str, str]:
    """Schemes that settings of an experiment name as earlier versions did: their names of today."""
    found = {}
    for place in SCHEMES:
        value = _at(settings, place)
        for name in value if isinstance(value, list | tuple) else [value]:
            if (now := name_of_today(name, family)) != name:
                found[name] = now
    for name, value in settings.items():
        if name in MOVED and isinstance(value, Mapping):
            found |= renamed(value, name)
    return found


def meant_now(name: Any, family: str) -> str:
    """What is meant by a scheme's name that is not known, for errors; empty: no earlier name."""
    now = name_of_today(name, family)
    return "" if now == name else repr(now)


def by_names_of_today(settings: Mapping[str, Any], family: str) -> dict[str, Any]:
    """Settings of an experiment with the names of today of the schemes that they name."""
    out = {
        name: by_names_of_today(value, name)
        if name in MOVED and isinstance(value, Mapping) else _copy(value)
        for name, value in settings.items()
    }  # fmt: skip
    _name(out, lambda name: name_of_today(name, family))
    return out


def as_before(settings: Mapping[str, Any], family: str) -> dict[str, Any]:
    """Settings of today as the version before wrote them, by whose names it named their folders:
    schemes, and settings that stood in a table, by their names then."""
    out: dict[str, Any] = {
        name: as_before(value, name)
        if name in MOVED and isinstance(value, Mapping) else _copy(value)
        for name, value in settings.items()
    }  # fmt: skip
    for place, value in NEW.get(family, {}).items():
        if _at(out, place) == value:
            _taken(out, place)
    for earlier, place in MOVED.get(family, {}).items():
        if "." in earlier and _at(out, place) is not _NOT_THERE:
            _put(out, earlier, _taken(out, place))
    names = {now: earlier for earlier, now in NAMES.get(family, {}).items()}
    _name(out, lambda name: names.get(name, name))
    return out


def checkpoint_of_today(found: Checkpoint) -> Checkpoint:
    """A checkpoint of this version or an earlier one, with schemes by their names of today in what
    it knows pieces of work by."""
    family = parse_toml(found.config, "config.toml").get("family", "")

    def piece(name: str) -> str:
        parts = [part.partition(": ") for part in name.split("/")]
        known = NO_SCHEMES.get(family, ())
        return "/".join(
            group + colon + (own if group in known else text_of_today(own, family))
            for group, colon, own in parts
        )

    outcomes, stages = (
        {piece(name): value for name, value in each.items()}
        for each in (found.outcomes, found.stages)
    )
    return replace(found, outcomes=outcomes, stages=stages)


_NOT_THERE: Any = object()


def _name(settings: dict[str, Any], called: Callable[[str], str]) -> None:
    """Call the schemes that settings name otherwise."""
    for place in SCHEMES:
        value = _at(settings, place)
        if isinstance(value, list | tuple):
            _put(settings, place, [called(x) if isinstance(x, str) else x for x in value])
        elif isinstance(value, str):
            _put(settings, place, called(value))


def _copy(value: Any) -> Any:
    """A copy of tables within tables; what is in them is the same."""
    return {k: _copy(v) for k, v in value.items()} if isinstance(value, Mapping) else value


def _at(settings: Mapping[str, Any], place: str) -> Any:
    """The value at a dotted name."""
    value: Any = settings
    for part in place.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return _NOT_THERE
        value = value[part]
    return value


def _taken(settings: dict[str, Any], place: str) -> Any:
    """The value at a dotted name, which is taken away."""
    *tables, last = place.split(".")
    for table in tables:
        settings = settings[table]
    return settings.pop(last)


def _put(settings: dict[str, Any], place: str, value: Any) -> None:
    """Set the value at a dotted name; tables are made on the way, and laid over those there."""
    *tables, last = place.split(".")
    for table in tables:
        settings = settings.setdefault(table, {})
        if not isinstance(settings, dict):  # no table: refused where settings are checked
            return
    if isinstance(value, Mapping) and isinstance(there := settings.get(last), dict):
        there.update(value)
    else:
        settings[last] = value


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
            f"{folder} holds a run with other settings: {'; '.join(apart)}{more}; give its own "
            "settings, or another folder"
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
    for place, value in (ADDED.get(family, {}) | NEW.get(family, {})).items():
        *tables, last = place.split(".")
        inner = out
        for table in tables:
            inner[table] = dict(inner.get(table, {}))
            inner = inner[table]
        inner.setdefault(last, _copy(value))
    return out
