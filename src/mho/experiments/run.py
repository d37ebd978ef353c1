"""A run: one folder, resumable at any moment, with the numbers of an unbroken one.

An experiment is written as if nothing ever broke. Two calls make it resumable:

- `run.once(key, work)` does a piece of work and keeps its outcome (plain JSON values); `run.each`
  does so for many pieces;
- `run.steps(key, total, state)` counts training steps, saving `state` every few seconds.

Started again, the experiment runs from the top, and each call gives back what is already known.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch

from mho.errors import invalid
from mho.experiments import earlier
from mho.experiments.progress import Progress
from mho.results import Result, dumps, plain
from mho.saved import read_saved

T = TypeVar("T")

FORMAT = 1
"""Version of the checkpoint's layout."""

CHECKPOINT_KEYS = ("format", "config", "outcomes", "stages", "metrics_bytes", "elapsed")
"""What a checkpoint holds."""

SAVE_EVERY = 15.0
"""Seconds between checkpoints during training."""


class Stateful(Protocol):
    """Anything with torch's two state methods."""

    def state_dict(self) -> Any:
        """State as tensors and plain values."""
        ...

    def load_state_dict(self, state_dict: Any, /) -> Any:
        """Take the state back."""
        ...


class Run:
    """The run in a folder; loads what is there if `resume`.

    Files: `config.toml`, `env.json`, `metrics.jsonl`, `checkpoint.pt` (readable with
    `weights_only=True`, replaced atomically), `result.json` at the end.

    Args:
        directory: the run folder; made if missing.
        config: the configuration, as TOML.
        resume: continue from the checkpoint in the folder, if there is one.

    Raises:
        ValueError: the folder holds a run and `resume` is False, or another configuration, or a
            checkpoint that cannot be read.
    """

    def __init__(self, directory: Path, config: str, *, resume: bool, title: str) -> None:
        self.directory, self._config = directory, config
        self.progress = Progress(title)
        self._outcomes: dict[str, Any] = {}
        self._stages: dict[str, dict[str, Any]] = {}
        self._path: list[str] = []
        self._stop = False
        self._started = time.monotonic()
        self._earlier = 0.0
        self._saved = time.monotonic()
        checkpoint = directory / "checkpoint.pt"
        if checkpoint.exists() and not resume:
            raise invalid("out", str(directory), "a new folder, or --resume to continue this run")
        directory.mkdir(parents=True, exist_ok=True)
        metrics_bytes = self._load(checkpoint) if checkpoint.exists() else 0
        write_text(directory / "config.toml", config)
        self._metrics = (directory / "metrics.jsonl").open("ab")
        self._metrics.truncate(metrics_bytes)
        self._metrics.seek(metrics_bytes)
        if not checkpoint.exists():
            self._save()

    @property
    def elapsed(self) -> float:
        """Seconds spent on this run, over all its sessions."""
        return self._earlier + time.monotonic() - self._started

    def once(self, key: str, work: Callable[[], T]) -> T:
        """Do a piece of work unless its outcome is known; the outcome is kept.

        It is saved at once, or within seconds if the piece is part of another one. Stages begun
        inside are dropped from the checkpoint when it is done.
        """
        name = "/".join([*self._path, key])
        if name not in self._outcomes:
            self._path.append(key)
            try:
                outcome = work()
            finally:
                self._path.pop()
            self._outcomes[name] = json.loads(json.dumps(outcome))
            inside = [k for k in (*self._stages, *self._outcomes) if k.startswith(f"{name}/")]
            for inner in inside:
                self._stages.pop(inner, None)
                self._outcomes.pop(inner, None)
            due = time.monotonic() - self._saved > SAVE_EVERY
            if due or self._stop or not self._path:
                self._save()
                self._check()
        return self._outcomes[name]

    def each(
        self, key: str, pieces: Mapping[str, T], work: Callable[[T], float]
    ) -> dict[str, float]:
        """Outcomes of many pieces by name, `once` each, as "key: name", under one progress bar."""
        names = {piece: f"{key}: {piece}" for piece in pieces}
        path = "".join(f"{part}/" for part in self._path)
        known = {piece for piece, name in names.items() if path + name in self._outcomes}
        found = {}
        with self.progress.bar(path + key, len(pieces), len(known)) as advance:
            for piece, value in pieces.items():
                found[piece] = self.once(names[piece], lambda v=value: work(v))
                if piece not in known:
                    advance(1)
        return found

    def steps(
        self,
        key: str,
        total: int,
        state: Mapping[str, Stateful],
        *,
        keep: Sequence[str] | None = None,
    ) -> Iterator[int]:
        """Count training steps 0 .. total - 1, from where the checkpoint stands.

        `state` is loaded at the start, in its order, if the checkpoint knows this stage, and saved
        every few seconds, at the end, and when the user interrupts. Of a finished stage only the
        parts named in `keep` stay in the checkpoint; None: all.
        """
        name = "/".join([*self._path, key])
        first = 0
        if name in self._stages:
            stage = self._stages[name]
            first = stage["step"]
            for part, item in state.items():
                if part in stage["state"]:
                    item.load_state_dict(stage["state"][part])
        with self.progress.bar(name, total, first) as advance:
            for step in range(first, total):
                yield step
                advance(1)
                if self._stop or time.monotonic() - self._saved > SAVE_EVERY:
                    self._keep(name, step + 1, state)
                    self._check()
        if first < total:
            self._keep(name, total, {k: v for k, v in state.items() if keep is None or k in keep})

    def watch(self, key: str, items: Iterable[T], total: int) -> Iterator[T]:
        """Pass items on under a progress bar, stopping between two if the user interrupts."""
        with self.progress.bar("/".join([*self._path, key]), total, 0) as advance:
            for item in items:
                self._check()
                yield item
                advance(1)

    def log(self, **values: Any) -> None:
        """Append a line to `metrics.jsonl`."""
        line = {"stage": "/".join(self._path), **{k: plain(v) for k, v in values.items()}}
        self._metrics.write(json.dumps(line).encode() + b"\n")

    def finish(self, result: Result) -> None:
        """Write `result.json`, with the time that the run took: it is complete."""
        self._save()
        timed = replace(result, wall_s=round(self.elapsed, 1))
        write_text(self.directory / "result.json", dumps(timed))

    def close(self) -> None:
        """Close the metrics file."""
        self._metrics.close()

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let Ctrl-C stop the run at the next safe point; a second one stops it at once."""

        def stop(_signal: int, _frame: object) -> None:
            if self._stop:
                raise KeyboardInterrupt
            self._stop = True
            self.progress.note("stopping at the next step; press Ctrl-C again to stop at once")

        before = signal.signal(signal.SIGINT, stop)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _check(self) -> None:
        if self._stop:
            raise KeyboardInterrupt

    def _keep(self, name: str, step: int, state: Mapping[str, Stateful]) -> None:
        parts = {part: item.state_dict() for part, item in state.items()}
        self._stages[name] = {"step": step, "state": _frozen(parts)}
        self._save()

    def _save(self) -> None:
        self._metrics.flush()
        os.fsync(self._metrics.fileno())
        values = (
            FORMAT,
            self._config,
            json.dumps(self._outcomes),
            self._stages,
            self._metrics.tell(),
            self.elapsed,
        )
        target = self.directory / "checkpoint.pt"
        with replacing(target) as temporary:
            torch.save(dict(zip(CHECKPOINT_KEYS, values, strict=True)), temporary)
        self._saved = time.monotonic()

    def _load(self, path: Path) -> int:
        """Take over a checkpoint; returns the valid length of `metrics.jsonl`."""
        try:
            state = read_saved(path)
            known = isinstance(state, dict) and state.keys() == set(CHECKPOINT_KEYS)
            if not known or state["format"] != FORMAT:
                raise ValueError(f"its layout is not version {FORMAT}")
        except (OSError, ValueError) as error:
            allowed = f"a checkpoint of this version ({error}); delete the folder to start anew"
            raise invalid("checkpoint", str(path), allowed) from error
        if not earlier.same(state["config"], self._config):
            raise invalid("config", str(path.parent), "the configuration that the run began with")
        self._outcomes = json.loads(state["outcomes"])
        self._stages = state["stages"]
        self._earlier = state["elapsed"]
        return state["metrics_bytes"]


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Write a file beside `path`, then put it in its place in one step."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _frozen(value: Any) -> Any:
    """Copy of nested state whose tensors no later step changes."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, Mapping):
        return {k: _frozen(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_frozen(v) for v in value]
    return value
