"""A run that takes trainings which other runs have in common with it from a folder.

    FOLDER/ID/              a training: made by whichever run needs it first; its name is the hash
        config.toml         of all that it depends on
        checkpoint.pt       its state: while it is trained, and in the end
        metrics.jsonl       what it logged
        SHA256SUMS          of these, once it is finished

Its folder is one of a run without a result, so that whatever becomes of the process that trains,
another one goes on from the checkpoint. Only trainings whose folder is there are shared.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from mho.errors import InvalidInput
from mho.experiments import checkpoint
from mho.experiments.checkpoint import METRICS
from mho.experiments.progress import Progress
from mho.experiments.run import Run, Stateful
from mho.experiments.trainings import Training
from mho.files import (
    Taken,
    naming,
    only_writer,
    read_bytes,
    read_text,
    sums_of,
    write_bytes,
    write_text,
)
from mho.files.sums import SUMS

STAGE = "training"
"""Name of the only stage of a shared training."""

LOOK_EVERY = 1.0
"""Seconds between two looks at a training that another process makes."""

FILES = ("config.toml", checkpoint.NAME, METRICS)
"""Of a finished training."""


def share(folder: Path, trainings: Iterable[Training]) -> None:
    """Have runs share trainings: make their folders, unless they are there.

    Raises:
        OSError: one cannot be made.
    """
    for training in trainings:
        own = folder / training.id
        if not own.is_dir():
            with naming(own):
                own.mkdir(parents=True, exist_ok=True)
            write_text(own / "config.toml", training.to_toml(), to_disk=False)


def finished(folder: Path) -> bool:
    """Whether the training of a folder is finished."""
    return (folder / SUMS).exists()


class SharingRun(Run):
    """A run that shares trainings, and keeps and ends as one that does not.

    Args:
        trainings: folder of the shared ones; need not exist.
    """

    def __init__(
        self,
        directory: Path,
        config: str,
        *,
        resume: bool,
        title: str,
        trainings: Path,
        progress: Progress | None = None,
    ) -> None:
        super().__init__(directory, config, resume=resume, title=title, progress=progress)
        self._trainings = trainings
        self._training: Run | None = None

    def steps(
        self,
        key: str,
        total: int,
        state: Mapping[str, Stateful],
        *,
        keep: Sequence[str] | None = None,
        of: Training | None = None,
    ) -> Iterator[int]:
        """Count the steps that are left of a training, as `Run.steps`: none if another run has
        made it. What that one logged is logged here too.

        While another process makes it, this one waits.
        """
        name = self.name_of(key)
        folder = None if of is None else self._trainings / of.id
        if of is None or folder is None or self.begun(name) or not folder.is_dir():
            yield from super().steps(key, total, state, keep=keep)
            return
        if not finished(folder):  # what is known so far is not lost with the training
            self.save()
        with closing(self._begin(folder, of, name)) as training:
            self._training = training
            try:
                yield from training.steps(STAGE, total, state, keep=keep)
            finally:
                self._training = None
            if not finished(folder):
                _seal(folder, training)
            lines = read_text(folder / METRICS, most=1 << 40).splitlines()
        for line in map(json.loads, lines):
            del line["stage"]
            self.log(**line)
        self.keep(name, total, state if keep is None else {part: state[part] for part in keep})

    def log(self, **values: Any) -> None:
        """Append a line to the metrics, of the training that is on or else of the run."""
        if self._training is not None:
            self._training.log(**values)
        else:
            super().log(**values)

    def close(self) -> None:
        """Close the files and let other processes write to the folders."""
        if self._training is not None:
            self._training.close()
        super().close()

    def _begin(self, folder: Path, of: Training, name: str) -> Run:
        """The training, when no other process makes it."""
        told = False
        while True:
            try:
                with only_writer(folder / ".lock", "training", folder):
                    if why := _damage(folder, of):
                        self.progress.note(f"{name}: {why}; trained anew")
                        _clear(folder)
                return Run(folder, of.to_toml(), resume=True, title=self.progress.title,
                           progress=self.progress, stop=self.stop)  # fmt: skip
            except Taken:
                if not told:
                    self.progress.note(f"{name}: another run trains it, in {folder}; waiting")
                told = True
                self._wait(name)

    def _wait(self, name: str) -> None:
        with self.progress.bar(f"waiting for {name}", 1, 0):
            time.sleep(LOOK_EVERY)
        if self.stop.asked:
            self.save()
            raise KeyboardInterrupt


def _seal(folder: Path, training: Run) -> None:
    """Say that a training is finished, and keep of it what is needed."""
    training.save()
    contents = {name: read_bytes(folder / name, most=1 << 40) for name in FILES}
    write_bytes(folder / SUMS, sums_of(contents))
    with naming(folder):
        (folder / checkpoint.PREVIOUS).unlink(missing_ok=True)


def _damage(folder: Path, of: Training) -> str | None:
    """What is wrong with a training, begun or finished, for its only writer; None: nothing."""
    if not checkpoint.exists(folder):
        return f"{folder} has lost its {checkpoint.NAME}" if finished(folder) else None
    try:
        found, _ = checkpoint.newest(folder)
    except InvalidInput as error:
        return str(error)
    return None if found.config == of.to_toml() else f"{folder} holds another training"


def _clear(folder: Path) -> None:
    """Remove what there is of a training, for its only writer."""
    for name in (SUMS, METRICS, checkpoint.PREVIOUS, checkpoint.NAME):
        with naming(folder / name):
            (folder / name).unlink(missing_ok=True)
