"""What is kept of a run that is not finished: in one file, with the one before it beside it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from mho.errors import InvalidInput, invalid
from mho.files.archive import open_archive, write_archive

FORMAT = 2
"""Version of the layout; 1 has neither a digest of its own nor one of the metrics."""

KEYS = ("format", "config", "outcomes", "stages", "metrics_bytes", "metrics_digest", "elapsed")
"""What the file holds."""

NAME, PREVIOUS, DAMAGED = "checkpoint.pt", "checkpoint.previous.pt", "checkpoint.damaged.pt"
METRICS = "metrics.jsonl"


@dataclass
class Checkpoint:
    """Where a run stands."""

    config: str
    """Settings, as TOML."""
    outcomes: dict[str, Any] = field(default_factory=dict)
    """Plain values by the name of the piece of work that they are of."""
    stages: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Of a training: `step`, the number of steps made, and `state`, by part."""
    metrics_bytes: int = 0
    """How much of the metrics file belongs to it [bytes]."""
    metrics_digest: str = ""
    """SHA-256 of that; "": not known."""
    elapsed: float = 0.0
    """Time spent so far [s]."""
    verified: bool = True
    """Whether it was read from a file that carries its digest."""

    def write(self, folder: Path) -> None:
        """Keep it in a folder, and the one before it.

        Raises:
            OSError: it cannot be written; the one before is still there.
        """
        values = (
            FORMAT,
            self.config,
            json.dumps(self.outcomes),
            self.stages,
            self.metrics_bytes,
            self.metrics_digest,
            self.elapsed,
        )
        content = dict(zip(KEYS, values, strict=True))
        write_archive(folder / NAME, content, keep=folder / PREVIOUS)


def exists(folder: Path) -> bool:
    """Whether a folder holds a checkpoint, whole or not."""
    return any((folder / name).exists() for name in (NAME, PREVIOUS))


def newest(folder: Path) -> tuple[Checkpoint, str]:
    """The newest checkpoint of a folder that is whole, and a remark if it is not the last one,
    which is put aside then.

    Raises:
        ValueError: none is; the message names the last one and what is wrong with it.
    """
    troubles: dict[Path, str] = {}
    for path in (folder / NAME, folder / PREVIOUS):
        if not path.exists():
            continue
        try:
            found = _read(path)
            _check_metrics(found, folder / METRICS)
        except (OSError, ValueError) as error:
            troubles[path] = str(error)
            continue
        for damaged in troubles:
            damaged.replace(folder / DAMAGED)
        remark = "; ".join(f"{path.name}: {why}" for path, why in troubles.items())
        return found, remark and f"{remark}; going on from {path.name}"
    path, why = next(iter(troubles.items()))
    allowed = f"a checkpoint of this version ({why}); delete the folder to start anew"
    raise invalid("checkpoint", str(path), allowed)


def check_optimizer(own: torch.optim.Optimizer, given: Any) -> None:
    """Refuse a state that is not one of this optimizer; torch takes any.

    Raises:
        ValueError: its groups have other settings than this one's, but for the learning rate, or
            what it keeps of a parameter is not finite, or not of the parameter's shape.
    """
    groups = own.state_dict()["param_groups"]
    if not isinstance(given, dict) or given.keys() != {"state", "param_groups"}:
        raise InvalidInput("it is the state of no optimizer")
    if _settings(given["param_groups"]) != _settings(groups):
        raise InvalidInput("its groups of parameters have other settings")
    parameters = dict(enumerate(p for group in own.param_groups for p in group["params"]))
    kept = given["state"]
    if not isinstance(kept, dict) or not kept.keys() <= parameters.keys():
        raise InvalidInput("it is of other parameters")
    names = [set(each) if isinstance(each, dict) else None for each in kept.values()]
    if any(each is None or each != names[0] for each in names):
        raise InvalidInput("what it keeps is not the same of each parameter")
    for number, each in kept.items():
        for name, value in each.items():
            shape = () if name == "step" else parameters[number].shape
            sound = isinstance(value, torch.Tensor) and value.shape == shape
            if not (sound and value.is_floating_point() and value.isfinite().all()):
                raise InvalidInput(f"its {name!r} of parameter {number} is not of the same shape")


def _settings(value: Any) -> Any:
    """Settings of groups, to be compared: of a learning rate, that it is one."""
    if isinstance(value, dict):
        rates = {n for n, each in value.items() if n in ("lr", "initial_lr") and _is_rate(each)}
        return {n: "a rate" if n in rates else _settings(each) for n, each in value.items()}
    return [_settings(each) for each in value] if isinstance(value, list | tuple) else value


def _is_rate(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value < 1e6


def frozen(value: Any) -> Any:
    """Copy of nested state whose tensors no later step changes."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, Mapping):
        return {k: frozen(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [frozen(v) for v in value]
    return value


def _read(path: Path) -> Checkpoint:
    held: Any
    held, verified = open_archive(path)
    if not isinstance(held, dict) or held.get("format") not in (1, FORMAT):
        raise InvalidInput(f"its layout is not version {FORMAT}")
    if held["format"] == FORMAT and not verified:
        raise InvalidInput("it carries no digest; another program has written it")
    held = {"metrics_digest": "", **held}
    if held.keys() != set(KEYS):
        raise InvalidInput(f"its layout is not version {held['format']}")
    for key, kind in zip(KEYS[1:], (str, str, dict, int, str, float), strict=True):
        if type(held[key]) is not kind:
            raise InvalidInput(f"its {key!r} is a {type(held[key]).__name__}")
    try:
        outcomes = json.loads(held["outcomes"])
    except (ValueError, RecursionError):
        outcomes = None
    if not isinstance(outcomes, dict):
        raise InvalidInput("its 'outcomes' are no table in JSON")
    for name, stage in held["stages"].items():
        sound = isinstance(name, str) and isinstance(stage, dict)
        sound = sound and stage.keys() == {"step", "state"} and isinstance(stage["state"], dict)
        if not (sound and type(stage["step"]) is int and stage["step"] >= 0):
            raise InvalidInput(f"its stage {name!r:.60} is not a number of steps and a state")
    if not (held["metrics_bytes"] >= 0 and 0 <= held["elapsed"] < math.inf):
        raise InvalidInput("its 'metrics_bytes' or 'elapsed' is negative or not finite")
    values: dict[str, Any] = {key: held[key] for key in KEYS[1:]} | {"outcomes": outcomes}
    return Checkpoint(**values, verified=verified)


def _check_metrics(found: Checkpoint, path: Path) -> None:
    """Hold the metrics file against what the checkpoint says of it."""
    size, digest = found.metrics_bytes, hashlib.sha256()
    if size:
        if (there := path.stat().st_size) < size:
            raise InvalidInput(f"{path.name} has {there} bytes of the {size} that belong to it")
        with path.open("rb") as file:
            digest.update(file.read(size))
    if found.metrics_digest and digest.hexdigest() != found.metrics_digest:
        raise InvalidInput(f"{path.name} was changed since")
