"""A run: one folder, resumable at any moment, with the numbers of an unbroken one.

An experiment is written as if nothing ever broke. Two calls make it resumable:

- `run.once(key, work)` does a piece of work and keeps its outcome (plain JSON values); `run.each`
  does so for many pieces;
- `run.steps(key, total, state)` counts training steps, saving `state` every few seconds.

Where several processes do the run (`mho.experiments.processes`) all make the same calls; the folder
is that of process 0, and all save, stop and go on at the same step.

Started again, the experiment runs from the top, and each call gives back what is already known.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch

from mho.errors import Failed, InvalidInput, invalid
from mho.experiments import checkpoint, earlier, processes
from mho.experiments.checkpoint import METRICS, Checkpoint, frozen
from mho.experiments.progress import Progress
from mho.experiments.trainings import Training
from mho.files import (
    check_output,
    clear_leftovers,
    naming,
    only_writer,
    read_bytes,
    read_text,
    sums_of,
    write_files,
    write_text,
)
from mho.files.sums import SUMS
from mho.results import Result, dumps, plain

T = TypeVar("T")

SAVE_EVERY = 15.0
"""Seconds between checkpoints during training."""

FINISHED = ("config.toml", "env.json", METRICS)
"""Files of a finished run beside its result; SHA256SUMS lists them."""


class Stateful(Protocol):
    """Anything with torch's two state methods."""

    def state_dict(self) -> Any:
        """State as tensors and plain values."""
        ...

    def load_state_dict(self, state_dict: Any, /) -> Any:
        """Take the state back."""
        ...


Listener = Callable[[Mapping[str, Any]], None]
"""Takes a line of `metrics.jsonl`: its stage, and what was logged in it."""


@dataclass
class Stop:
    """Whether a run, and runs within it, are to stop."""

    asked: bool = False
    """Of this process."""
    agreed: bool = False
    """All processes of the run know."""


class Run:
    """The run in a folder; loads what is there if `resume`.

    Files: `config.toml`, `env.json`, `metrics.jsonl`; `checkpoint.pt` (readable with
    `weights_only=True`, replaced in one step) and the one before it; `result.json` and
    `SHA256SUMS` at the end. While the run is open, no other process can write to the folder.

    Args:
        directory: the run folder; made if missing.
        config: the configuration, as TOML.
        resume: continue from the checkpoint in the folder, if there is one.
        title: what progress calls the run.
        progress: shows how far it is; None: on standard error.
        stop: that of the run which this one is part of; None: its own.

    Raises:
        ValueError: the folder holds a run and `resume` is False, or another configuration, or
            checkpoints none of which can be read; or another process writes to it.
        OSError: the folder cannot be written to.
    """

    def __init__(
        self,
        directory: Path,
        config: str,
        *,
        resume: bool,
        title: str,
        progress: Progress | None = None,
        stop: Stop | None = None,
    ) -> None:
        self.directory = directory
        self._processes = processes.here()
        own = Progress(title, shown=self._processes.leads)
        self.progress = own if progress is None else progress
        self.stop = stop or Stop()
        self._path: list[str] = []
        self._started = self._saved = time.monotonic()
        self._digest = hashlib.sha256()
        self._metrics, self._open = None, ExitStack()
        self._listener: Listener | None = None
        self._lines = bytearray()  # not in the file yet, which may be another process's by now
        self._kept = processes.by_first(lambda: self._opened(config, resume))
        self._earlier = self._kept.elapsed

    def _opened(self, config: str, resume: bool) -> Checkpoint:
        """Open the folder; returns what is there of the run."""
        directory = self.directory
        check_output(directory, folder=True)
        if checkpoint.exists(directory) and not resume:
            raise invalid("out", str(directory), "a new folder, or --resume to continue this run")
        with naming(directory):
            directory.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            lock = directory / ".lock"
            self._writing = stack.enter_context(only_writer(lock, "out", directory))
            clear_leftovers(directory)
            found = self._begun(config)
            write_text(directory / "config.toml", config)
            with naming(directory / METRICS):
                self._metrics = stack.enter_context((directory / METRICS).open("ab"))
                self._metrics.truncate(found.metrics_bytes)
                self._metrics.seek(found.metrics_bytes)
            if found.metrics_bytes:
                self._digest.update(read_bytes(directory / METRICS, most=1 << 40))
            if not checkpoint.exists(directory):
                found = self._written(found)
            self._open = stack.pop_all()
        return found

    @property
    def elapsed(self) -> float:
        """Seconds spent on this run, over all its sessions."""
        return self._earlier + time.monotonic() - self._started

    def name_of(self, key: str) -> str:
        """Name of a piece of work: those that it is part of, and its own."""
        return "/".join([*self._path, key])

    def begun(self, stage: str) -> bool:
        """Whether the checkpoint knows a stage."""
        return stage in self._kept.stages

    def once(self, key: str, work: Callable[[], T]) -> T:
        """Do a piece of work unless its outcome is known; the outcome is kept.

        It is saved at once, or within seconds if the piece is part of another one. Stages begun
        inside are dropped from the checkpoint when it is done.
        """
        name = self.name_of(key)
        outcomes, stages = self._kept.outcomes, self._kept.stages
        if name not in outcomes:
            self._path.append(key)
            try:
                outcome = work()
            finally:
                self._path.pop()
            outcomes[name] = processes.of_first(json.loads(json.dumps(outcome)))
            inside = [k for k in (*stages, *outcomes) if k.startswith(f"{name}/")]
            for inner in inside:
                stages.pop(inner, None)
                outcomes.pop(inner, None)
            if self._due() or not self._path:
                self.save()
                self._check()
        return outcomes[name]

    def each(
        self, key: str, pieces: Mapping[str, T], work: Callable[[T], float]
    ) -> dict[str, float]:
        """Outcomes of many pieces by name, `once` each, as "key: name", under one progress bar."""
        names = {piece: f"{key}: {piece}" for piece in pieces}
        path = "".join(f"{part}/" for part in self._path)
        known = {piece for piece, name in names.items() if path + name in self._kept.outcomes}
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
        of: Training | None = None,
    ) -> Iterator[int]:
        """Count training steps 0 .. total - 1, from where the checkpoint stands.

        `state` is loaded at the start, in its order, if the checkpoint knows this stage, and saved
        every few seconds, at the end, and when the user interrupts. Of a finished stage only the
        parts named in `keep` stay in the checkpoint; None: all. `of` says all that they and what is
        logged depend on; runs of a sweep make a training that depends on the same only once.

        Raises:
            ValueError: what the checkpoint holds of this stage is not its state.
        """
        name = self.name_of(key)
        first = self._restored(name, total, state, state if keep is None else keep)
        with self.progress.bar(name, total, first, trains=True, of=of) as advance:
            for step in range(first, total):
                yield step
                advance(1)
                if self._due():
                    self.keep(name, step + 1, state)
                    self._check()
        if first < total:
            self.keep(name, total, {k: v for k, v in state.items() if keep is None or k in keep})

    def watch(self, key: str, items: Iterable[T], total: int) -> Iterator[T]:
        """Pass items on under a progress bar, stopping between two if the user interrupts."""
        with self.progress.bar(self.name_of(key), total, 0) as advance:
            for item in items:
                self._due()
                self._check()
                yield item
                advance(1)

    def log(self, **values: Any) -> None:
        """Append a line to `metrics.jsonl`, with the next checkpoint."""
        self.progress.logged(values)
        if self._metrics is None:
            return
        line = {"stage": "/".join(self._path), **{k: plain(v) for k, v in values.items()}}
        encoded = json.dumps(line).encode() + b"\n"
        self._digest.update(encoded)
        self._lines += encoded
        if self._listener is not None:
            self._listener(line)

    def listened_by(self, listener: Listener) -> None:
        """Give each line of `metrics.jsonl` to a listener: those of before at once, then each as it
        comes. Of several processes, the first one's alone."""
        if self._processes.leads:
            for line in read_text(self.directory / METRICS).splitlines():
                listener(json.loads(line))
            self._listener = listener

    def finish(self, result: Result) -> None:
        """Write `result.json`, with the time that the run took, and `SHA256SUMS`: all is done."""
        self.save()
        if not self._processes.leads:
            return
        many = self._processes.count
        timed = replace(result, wall_s=round(self.elapsed, 1), processes=many)
        contents = {
            name: read_bytes(self.directory / name, most=1 << 40)
            for name in FINISHED
            if (self.directory / name).exists()
        }
        contents["result.json"] = dumps(timed).encode()
        out = {"result.json": contents["result.json"], SUMS: sums_of(contents)}
        write_files({self.directory / name: content for name, content in out.items()})

    def close(self) -> None:
        """Close the metrics file and let other processes write to the folder."""
        with naming(self.directory / METRICS):
            self._open.close()

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let Ctrl-C, or SIGTERM, stop the run at the next safe point; a second Ctrl-C stops it at
        once. SIGTERM may come twice, from a batch system and from who started the process.

        Raises:
            ValueError: what was taken over from a file without its digest is not of this run.
        """

        def stop(number: int, _frame: object) -> None:
            if self.stop.asked and number == signal.SIGINT:
                raise KeyboardInterrupt
            self.stop.asked = True
            self.progress.note("stopping at the next step; press Ctrl-C again to stop at once")

        before = {each: signal.signal(each, stop) for each in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        except Failed:
            if self.stop.asked and self._processes.count > 1:  # all were, and another was faster
                raise KeyboardInterrupt from None
            raise
        except (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError) as error:
            if self._kept.verified:
                raise
            allowed = "a folder of this run; delete it to start anew"
            raise invalid("checkpoint", str(self.directory), allowed) from error
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def _check(self) -> None:
        if self.stop.agreed:
            raise KeyboardInterrupt

    def _due(self) -> bool:
        """Whether to save now; the same in all processes, of which any may be told to stop."""
        late = self._processes.leads and time.monotonic() - self._saved > SAVE_EVERY
        self.stop.agreed, late = processes.any_of(self.stop.asked, late)
        return self.stop.agreed or late

    def _begun(self, config: str) -> Checkpoint:
        """What is there of this run already."""
        if not checkpoint.exists(self.directory):
            return Checkpoint(config)
        found, remark = checkpoint.newest(self.directory)
        found = earlier.checkpoint_of_today(found)
        earlier.check_same(self.directory, found.config, config)
        if remark:
            self.progress.note(remark)
        return replace(found, config=config)

    def _restored(
        self, name: str, total: int, state: Mapping[str, Stateful], kept: Collection[str]
    ) -> int:
        """Load what is known of a stage; returns the number of steps that were made of it."""
        if name not in self._kept.stages:
            return 0
        step, known = (self._kept.stages[name][key] for key in ("step", "state"))
        where = f"checkpoint of {self.directory}: stage {name!r}"
        if step > total:
            raise invalid(f"{where}, step", step, f"at most {total}, the steps of this stage")
        needed = [part for part in state if step < total or part in kept]
        if missing := [part for part in needed if part not in known]:
            raise InvalidInput(f"{where} lacks the state of {', '.join(map(repr, missing))}; "
                               "delete the folder to start anew")  # fmt: skip
        for part, item in state.items():
            if part in known:
                try:
                    if isinstance(item, torch.optim.Optimizer):
                        checkpoint.check_optimizer(item, known[part])
                    item.load_state_dict(known[part])
                except Exception as error:
                    said = " ".join(str(error).split())
                    raise InvalidInput(f"{where}: {part!r} does not take the state that is there "
                                       f"({said:.200}); delete the folder to start anew"
                                       ) from error  # fmt: skip
        return step

    def keep(self, name: str, step: int, state: Mapping[str, Stateful]) -> None:
        """Put a stage as it stands into the checkpoint."""
        parts = {part: item.state_dict() for part, item in state.items()}
        processes.check_alike(f"stage {name!r}, step {step}", parts)
        self._kept.stages[name] = {"step": step, "state": frozen(parts)}
        self.save()

    def save(self) -> None:
        """Write the checkpoint."""
        if self._processes.leads:
            self._writing.check()
            self._kept = self._written(replace(self._kept, elapsed=self.elapsed))
        self._saved = time.monotonic()

    def _written(self, kept: Checkpoint) -> Checkpoint:
        """Write a checkpoint, with what the metrics file holds by now."""
        assert self._metrics is not None
        with naming(self.directory / METRICS):
            self._metrics.write(self._lines)
            self._lines.clear()
            self._metrics.flush()
            os.fsync(self._metrics.fileno())
        kept = replace(
            kept, metrics_bytes=self._metrics.tell(), metrics_digest=self._digest.hexdigest()
        )
        kept.write(self.directory)
        return kept
