"""A run in small, before the run: what its settings build is built, trained a step and measured.

Networks are small, images few and made up, and nothing is kept. What cannot work with the settings
is so refused within seconds, before there is a run folder; how large and how long a run is plays no
part here, see `mho.experiments.memory`.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import torch

from mho.data.stand_in import stand_ins
from mho.errors import InvalidInput
from mho.experiments.experiment import ExperimentConfig
from mho.experiments.progress import Progress
from mho.experiments.run import Run, Stateful
from mho.experiments.trainings import Training

T = TypeVar("T")


class Rehearsal(Run):
    """A run without a folder, which keeps nothing."""

    def __init__(self) -> None:
        self.progress = Progress("rehearsal", shown=False)

    def once(self, key: str, work: Callable[[], T]) -> T:
        """Do the work; its outcome has to be what a run can keep."""
        return json.loads(json.dumps(work()))

    def each(
        self, key: str, pieces: Mapping[str, T], work: Callable[[T], float]
    ) -> dict[str, float]:
        """Do all pieces."""
        return {piece: self.once(piece, lambda v=value: work(v)) for piece, value in pieces.items()}

    def steps(
        self,
        key: str,
        total: int,
        state: Mapping[str, Stateful],
        *,
        keep: Sequence[str] | None = None,
        of: Training | None = None,
    ) -> Iterator[int]:
        """All steps."""
        yield from range(total)

    def watch(self, key: str, items: Iterable[T], total: int) -> Iterator[T]:
        """All items."""
        yield from items

    def log(self, **values: Any) -> None:
        """Nothing."""


def rehearse(config: ExperimentConfig, run: Callable[[Any, Run], T]) -> T:
    """Do a run in small; returns what it gives, whose numbers mean nothing.

    Raises:
        ValueError: something that the settings ask for cannot be built, or does not work.
    """
    with stand_ins(), torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the run itself says them
        try:
            return run(config.in_small(), Rehearsal())
        except InvalidInput as error:
            raise InvalidInput(f"these settings do not work, as a trial shows: {error}") from error
