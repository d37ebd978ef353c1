"""Scenarios of continual learning: tasks that come one after another.

A task only says what its samples are; they are read when it is loaded. `sequential` is one data
set after another, `permuted` (Goodfellow et al. 2013, arXiv 1312.6211) the same images under other
orders of their pixels, `split` a few classes at a time (Zenke et al. 2017, arXiv 1703.04200), and
`stream` one data set in many small parts (Laborieux et al. 2021, doi:10.1038/s41467-021-22768-y).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_type_hints

import numpy as np
import torch

from mho.arguments import checked
from mho.data.dataset import Dataset
from mho.data.named import dataset
from mho.data.order import WORDS, shuffled
from mho.data.splits import SPLITS, Samples, chosen, gather
from mho.errors import invalid, unknown
from mho.kinds import taken

_STREAM = 2**62  # of the permutations' shuffles: beyond every epoch and other use of a seed


@dataclass(frozen=True, kw_only=True)
class Task:
    """What the samples of one task are; made by the functions of this file."""

    name: str
    dataset: str | Path | Dataset
    permutation: tuple[int, int] | None = None  # (seed, number), the key of the order of values
    classes: tuple[int, ...] | None = None  # None: all
    relabel: bool = False  # label k means classes[k]
    part: tuple[int, int] | None = None  # (k, parts), k from 0; cuts the training samples only

    def __post_init__(self) -> None:
        for name, hint in get_type_hints(Task).items():
            object.__setattr__(self, name, taken(f"Task.{name}", getattr(self, name), hint))
        data = dataset(self.dataset)
        if self.permutation is not None and not all(
            _whole(k, 0, _STREAM) for k in self.permutation
        ):
            raise invalid(
                "Task.permutation", self.permutation, f"two integers from 0 to {_STREAM - 1}"
            )
        if self.classes is not None:
            _check_classes("Task.classes", self.classes, len(data.classes))
        elif self.relabel:
            raise invalid("Task.relabel", True, "False without classes")
        if self.part is not None:
            (k, parts), most = self.part, data.training
            if not (_whole(parts, 1, most + 1) and _whole(k, 0, parts)):
                raise invalid("Task.part", self.part, f"(k, parts), k < parts, parts 1 to {most}")

    @checked
    def load(self, split: str, per_class: int | None = None) -> Samples:
        """Return the task's samples of one split, inputs float32, in the order of `mho.data.load`.

        ``per_class`` as there: so many of each class, counted within the part if there is one. Of
        a part, the samples come in mixed order; validation and test are whole.

        Raises:
            ValueError: unknown split, or ``per_class`` out of range.
            FileNotFoundError: the files are nowhere and cannot be downloaded.
        """
        data = dataset(self.dataset)
        samples = gather(data, split, self._chosen(data, split, per_class))
        samples = replace(samples, name=f"{self.name}/{split}")
        if self.permutation is not None:
            seed, number = self.permutation
            order = shuffled(math.prod(data.shape), seed=seed, stream=_STREAM + number)
            mixed = samples.flat.index_select(1, torch.from_numpy(order))
            samples = replace(samples, inputs=mixed.view_as(samples.inputs))
        if self.relabel and self.classes is not None:
            own = torch.zeros(len(samples.classes), dtype=torch.int64)
            own[list(self.classes)] = torch.arange(len(self.classes))
            names = tuple(samples.classes[k] for k in self.classes)
            samples = replace(samples, labels=own[samples.labels], classes=names)
        return samples

    @checked
    def count(self, split: str, per_class: int | None = None) -> int:
        """Return how many samples `load` gives, without reading an image; same errors."""
        return len(self._chosen(dataset(self.dataset), split, per_class))

    def _chosen(self, data: Dataset, split: str, per_class: int | None) -> np.ndarray:
        """Positions of the samples of a split in the part behind it, in their order."""
        if split not in SPLITS:
            raise unknown("split", split, SPLITS)
        part = self.part if split.startswith("train") else None
        found = chosen(data, split, per_class, part)
        if self.classes is not None:
            found = found[np.isin(data.array(f"{SPLITS[split]}_y")[found], self.classes)]
        return found


@checked
def sequential(datasets: Sequence[str | Path | Dataset]) -> tuple[Task, ...]:
    """Return one task for each data set.

    Raises:
        ValueError: an unknown data set, none at all, or one that comes twice.
    """
    names = [_name(data) for data in datasets]
    if not names or len(set(names)) < len(names):
        raise invalid("datasets", tuple(names), "at least one, each once")
    return tuple(Task(name=name, dataset=data) for name, data in zip(names, datasets, strict=True))


@checked
def permuted(data: str | Path | Dataset, tasks: int, seed: int) -> tuple[Task, ...]:
    """Return tasks of the same samples, each with its own order of the values of a sample.

    Task 0 has the values, of images the pixels, where they are. The order of task k depends on the
    seed and k alone.

    Raises:
        ValueError: an unknown data set, no task, or a negative seed.
    """
    if not _whole(tasks, 1, WORDS):
        raise invalid("tasks", tasks, "an integer of 1 or more")
    if not _whole(seed, 0, _STREAM):
        raise invalid("seed", seed, f"an integer from 0 to {_STREAM - 1}")
    name = _name(data)
    more = (
        Task(name=f"{name} permuted {k}", dataset=data, permutation=(seed, k))
        for k in range(1, tasks)
    )
    return (Task(name=name, dataset=data), *more)


@checked
def split(
    data: str | Path | Dataset,
    groups: Sequence[Sequence[int]] | None = None,
    *,
    relabel: bool = False,
) -> tuple[Task, ...]:
    """Return one task for each group of classes.

    Args:
        data: The data set.
        groups: Classes of each task, in any order; a class is in one group at most. None: two at a
            time, in their order.
        relabel: False: labels stay, the learner tells all classes apart (class-incremental). True:
            they become the position in the group, one output for each (domain-incremental).

    Raises:
        ValueError: an unknown data set or class, an empty group, a class in two groups, groups of
            different sizes with ``relabel``, or no groups for an odd number of classes.
    """
    known = len(dataset(data).classes)
    if groups is None:
        if known % 2:
            raise invalid("groups", None, f"the classes of each task: {known} make no pairs")
        groups = tuple((k, k + 1) for k in range(0, known, 2))
    if not groups or not all(groups):
        raise invalid("groups", groups, "at least one, none of them empty")
    everything = [k for group in groups for k in group]
    _check_classes("groups", everything, known)
    if relabel and len(set(map(len, groups))) > 1:
        raise invalid("groups", groups, "groups of one size with relabel")
    return tuple(
        Task(
            name=f"{_name(data)} classes {', '.join(map(str, group))}",
            dataset=data,
            classes=tuple(group),
            relabel=relabel,
        )
        for group in groups
    )


@checked
def stream(data: str | Path | Dataset, parts: int) -> tuple[Task, ...]:
    """Return tasks that are disjoint parts of the training samples, of equal size and class mix.

    The parts are cut from the data's fixed shuffle; validation and test are the whole splits.

    Raises:
        ValueError: an unknown data set, or parts out of range.
    """
    most = dataset(data).training
    if not _whole(parts, 1, most + 1):
        raise invalid("parts", parts, f"an integer from 1 to {most}")
    return tuple(
        Task(name=f"{_name(data)} part {k + 1} of {parts}", dataset=data, part=(k, parts))
        for k in range(parts)
    )


def _name(data: str | Path | Dataset) -> str:
    return data.name if isinstance(data, Dataset) else str(data)


def _whole(value: object, low: int, end: int) -> bool:
    return isinstance(value, int) and low <= value < end


def _check_classes(field: str, classes: Sequence[int], known: int) -> None:
    fits = all(_whole(k, 0, known) for k in classes)
    if not classes or not fits or len(set(classes)) < len(classes):
        raise invalid(field, tuple(classes), f"classes 0 to {known - 1}, each once, at least one")
