"""What one point of a sweep came to, read from its folder."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from mho.errors import InvalidInput
from mho.files import check_sums, read_json
from mho.results import Claim, Cost, Ledger
from mho.results.earlier import result_of_today
from mho.results.environment import checked
from mho.results.record import read as as_record
from mho.results.result import Better, Pooled
from mho.sweep.folder import Beat, Failure, PointFolder, Status, status_of
from mho.sweep.points import settings_of

CONFIG, RESULT, ENV = "config.toml", "result.json", "env.json"

OF_CHIPS = ("writes", "cells")
"""Events of a ledger that a record keeps, of one chip."""


class Measured(NamedTuple):
    """A number of a result: a claim, or what a chip costs."""

    ours: float | None
    """Mean over `n` values; None: there is none."""
    std: float | None
    """Their standard deviation; None: there is none."""
    n: int
    """Values [1]."""
    unit: str
    """As of `ours`; empty: a number."""
    what: str
    """In words."""
    better: Better
    pooled: Pooled
    """What becomes of the values of several seeds."""


@dataclass(frozen=True, kw_only=True)
class PointRecord:
    """A point as it stood when it was read.

    Files that cannot be read are no error: `problem` says which and why, and what they hold is
    missing.
    """

    id: str
    """Name of its folder."""
    experiment: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """All settings by dotted key, the seed among them."""
    claims: Mapping[str, Measured] = field(default_factory=dict)
    """Claims of its result, by id."""
    costs: Mapping[str, Measured] = field(default_factory=dict)
    """Writes and cells of a chip, and the items of its price list, by their words."""
    seconds: float | None = None
    """Time that its run took [s]."""
    environment: Mapping[str, Any] = field(default_factory=dict)
    """What it was made with, and where: commit, versions, device, command, date, SHA-256 of the
    data, host, engine."""
    failures: Sequence[Failure] = ()
    beat: Beat | None = None
    """Last sign of life; None: nothing works on it."""
    begun: bool = False
    """Whether it has a checkpoint."""
    done: bool = False
    problem: str = ""
    status: Status = "waiting"
    """How it stood at that moment; see `mho.sweep.folder`."""

    @property
    def seed(self) -> int | None:
        """Of its settings; None: these cannot be read."""
        return self.settings.get("seed")

    @property
    def host(self) -> str:
        """Where it is worked on, was done, or was when it last failed; empty: not known."""
        if self.beat is not None:
            return self.beat.host
        if self.failures and not self.done:
            return self.failures[-1].host
        return self.environment.get("host", "")

    @property
    def engine(self) -> str:
        """That had it done; empty: it is not done, or that is not known."""
        return self.environment.get("engine", "")

    def status_if(self, running: bool) -> Status:
        """How it stands, by whether a process works on it."""
        return status_of(self.done, running, self.failures, self.begun)

    def to_json(self, shared: dict[str, str]) -> dict[str, Any]:
        """All but its status, as JSON values; takes what many points have in common apart.

        Args:
            shared: takes that, as JSON by key.
        """
        return {
            "id": self.id, "experiment": self.experiment, "settings": self.settings,
            "claims": _apart(self.claims, shared), "costs": _apart(self.costs, shared),
            "seconds": self.seconds, "environment": _kept(self.environment, shared),
            "failures": [asdict(each) for each in self.failures],
            "beat": None if self.beat is None else asdict(self.beat),
            "begun": self.begun, "done": self.done, "problem": self.problem,
        }  # fmt: skip

    @classmethod
    def of_json(cls, value: Mapping[str, Any], shared: Mapping[str, Any]) -> PointRecord:
        """The record that `to_json` made the values of.

        Args:
            shared: what many have in common, by key.
        """
        beat = value["beat"]
        return cls(**{
            **value,
            "claims": _united(value["claims"], shared), "costs": _united(value["costs"], shared),
            "environment": shared[value["environment"]],
            "failures": tuple(Failure(**each) for each in value["failures"]),
            "beat": None if beat is None else Beat(**beat),
        })  # fmt: skip


def key_of(text: str) -> str:
    """The key of what many points have in common: of its content."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _kept(value: Any, shared: dict[str, str]) -> str:
    text = json.dumps(value)
    key = key_of(text)
    shared[key] = text
    return key


def _apart(several: Mapping[str, Measured], shared: dict[str, str]) -> list[list[Any]]:
    """Numbers, each with the key of its words."""
    rows = []
    for name, each in several.items():
        key, text = _words(name, *each[3:])
        shared[key] = text
        rows.append([key, *each[:3]])
    return rows


@lru_cache(4096)
def _words(*words: str) -> tuple[str, str]:
    """Key and JSON of words that many numbers have."""
    text = json.dumps(words)
    return key_of(text), text


def _united(rows: Sequence[Sequence[Any]], shared: Mapping[str, Any]) -> dict[str, Measured]:
    found = {}
    for key, ours, std, n in rows:
        name, unit, what, better, pooled = shared[key]
        found[name] = Measured(ours, std, n, unit, what, better, pooled)
    return found


def record_of(folder: PointFolder) -> PointRecord:
    """Read the folder of a point, whatever state it is in."""
    found: dict[str, Any] = {"id": folder.path.name}
    problems = []
    for part in (_settings, _progress, _failures, _result):
        try:
            found |= part(folder)
        except InvalidInput as error:
            problems.append(str(error))
        except OSError as error:
            problems.append(f"{error.filename}: {error.strerror}")
    return PointRecord(**found, problem="; ".join(dict.fromkeys(problems)))


def _progress(folder: PointFolder) -> dict[str, Any]:
    begun = (folder.path / "checkpoint.pt").exists()
    return {"done": folder.done, "beat": folder.beat, "begun": begun}


def _settings(folder: PointFolder) -> dict[str, Any]:
    where = str(folder.path / CONFIG)
    settings = settings_of(folder.toml, where, folder.path.name)
    return {"experiment": settings["family"], "settings": settings}


def _failures(folder: PointFolder) -> dict[str, Any]:
    return {"failures": tuple(folder.failures)}


def _result(folder: PointFolder) -> dict[str, Any]:
    if not folder.done:
        return {}
    path = folder.path / RESULT
    check_sums(folder.path, RESULT, ENV, CONFIG)
    value = result_of_today(read_json(path))
    env_file = folder.path / ENV
    env = checked(read_json(env_file), str(env_file)) if env_file.exists() else {}
    claims = value.get("claims", [])
    if not isinstance(claims, list):
        claims = [claims]  # refused as no claim
    seconds = value.get("wall_s")
    return {
        "claims": {
            claim.id: Measured(claim.ours, claim.std, claim.n, claim.unit, claim.what,
                               claim.better, claim.pooled)
            for claim in (as_record(Claim, each, f"{path}: claims") for each in claims)
        },
        "costs": dict(_costs(value, str(path))),
        "seconds": seconds if _is_time(seconds) else None,
        "environment": {key: env[key] for key in
                        ("commit", "versions", "device", "command", "date", "data", "host",
                         "engine")
                        if key in env},
    }  # fmt: skip


def _is_time(value: object) -> bool:
    known = isinstance(value, int | float) and not isinstance(value, bool)
    return known and math.isfinite(value) and value >= 0  # type: ignore[arg-type]


def _costs(value: Mapping[str, Any], path: str) -> Iterator[tuple[str, Measured]]:
    """What a chip is written and costs."""
    if (given := value.get("ledger")) is not None:
        ledger = as_record(Ledger, given, f"{path}: ledger")
        for name in OF_CHIPS:
            if name in (total := ledger.total or {}):
                chips = 1 if name in ledger.once else ledger.chips or 1
                what = f"{name} per chip"
                yield what, Measured(total[name] / chips, None, 1, "", what, "lower", "mean")
    if (given := value.get("cost")) is not None:
        for item in as_record(Cost, given, f"{path}: cost").items:
            yield item.what, Measured(item.value, None, 1, item.unit, item.what, "lower", "mean")
