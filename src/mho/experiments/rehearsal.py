"""A run in small, before the run: what its settings build is built, trained a step and measured.

Networks are narrow, images few and made up, and nothing is kept. What cannot work with the settings
is so refused within seconds, before there is a run folder; how large and how long a run is plays no
part here, see `mho.experiments.memory`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch

from mho.data import stand_ins
from mho.experiments.experiment import ExperimentConfig
from mho.experiments.progress import Progress
from mho.experiments.run import Run, Stateful


class Rehearsal(Run):
    """A run without a folder, which forgets."""

    def __init__(self) -> None:
        self.progress = Progress("rehearsal", shown=False)
        self._outcomes: dict[str, Any] = {}
        self._stages: dict[str, dict[str, Any]] = {}
        self._path: list[str] = []
        self._stop = False
        self._saved = float("inf")

    def log(self, **values: Any) -> None:
        """Nothing."""

    def _keep(self, name: str, step: int, state: Mapping[str, Stateful]) -> None:
        """Nothing."""

    def _save(self) -> None:
        """Nothing."""


def rehearse(config: ExperimentConfig, run: Callable[[Any, Run], object]) -> None:
    """Do a run in small.

    Raises:
        ValueError: something that the settings ask for cannot be built, or does not work.
    """
    with stand_ins(), torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the run itself says them
        run(config.in_small(), Rehearsal())
