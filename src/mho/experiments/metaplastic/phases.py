"""The course of a training: which images are shown at which step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mho.data import Samples, Task
from mho.experiments.experiment import Feed
from mho.experiments.metaplastic.config import MetaplasticConfig
from mho.hardware.streams import derived_seed


class Mixed:
    """Batches with equally many images of each of some tasks, by step from the phase's start."""

    def __init__(
        self, samples: Sequence[Samples], batch: int, seed: int, device: torch.device
    ) -> None:
        each = max(1, batch // len(samples))
        self._samples = samples
        self._feeds = [
            Feed(s.inputs, s.labels, each, derived_seed(seed, "task", k), device)
            for k, s in enumerate(samples)
        ]

    def at(self, step: int) -> tuple[Tensor, Tensor]:
        """Images and labels of a step; a single image comes twice, for batch normalization."""
        x, y = map(torch.cat, zip(*(feed.at(step) for feed in self._feeds), strict=True))
        return (x, y) if len(x) > 1 else (torch.cat([x, x]), y.repeat(2))

    def apart(self, n: int) -> list[tuple[Tensor, Tensor]]:
        """The first images of each task, about n in all, with their labels."""
        each = -(-n // len(self._feeds))
        images = [feed.sample(each) for feed in self._feeds]
        return [
            (x, s.labels[:each].to(x.device)) for x, s in zip(images, self._samples, strict=True)
        ]

    def labelled(self, n: int) -> tuple[Tensor, Tensor]:
        """The same of all tasks as one."""
        x, y = zip(*self.apart(n), strict=True)
        return torch.cat(x), torch.cat(y)

    def sample(self, n: int) -> Tensor:
        """The images alone."""
        return self.labelled(n)[0]


@dataclass(frozen=True)
class Phase:
    """Steps in which the same tasks are learnt."""

    number: int
    tasks: tuple[Task, ...]
    start: int
    """First step."""
    end: int
    """Step after the last."""
    epoch: int
    """Steps in an epoch."""

    def ends_epoch(self, step: int) -> bool:
        """Whether a step is the last one of an epoch."""
        return (step - self.start + 1) % self.epoch == 0

    def feed(self, config: MetaplasticConfig, seed: int, device: torch.device) -> Mixed:
        """The images; held while they are needed, since those of all phases may be too many."""
        samples = [t.load("train", per_class=config.per_class) for t in self.tasks]
        return Mixed(samples, config.batch, derived_seed(seed, "phase", self.number), device)


def phases(config: MetaplasticConfig, tasks: Sequence[Task], joint: bool) -> list[Phase]:
    """One phase for each task in turn, or one for all."""
    out: list[Phase] = []
    for number, some in enumerate([tuple(tasks)] if joint else [(task,) for task in tasks]):
        images = [t.count("train", per_class=config.per_class) for t in some]
        epoch = -(-max(images) // max(1, config.batch // len(some)))
        start = out[-1].end if out else 0
        out.append(Phase(number, some, start, start + epoch * config.epochs, epoch))
    return out
