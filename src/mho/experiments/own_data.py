"""Data of a run: what the networks and settings ask of them, refused before a training starts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from mho.data import SPLITS, Dataset, dataset
from mho.data.named import is_public
from mho.data.splits import indices
from mho.errors import invalid
from mho.experiments.experiment import ExperimentConfig
from mho.files.code import code_in


def check_images(data: Dataset, least: int, instead: str) -> None:
    """Refuse samples that convolutions do not take.

    Args:
        data: the samples.
        least: rows and columns that the convolutions need.
        instead: which settings work with samples of any shape.

    Raises:
        ValueError: they are no images (channels, height, width) of that size.
    """
    if len(data.shape) != 3 or min(data.shape[1:]) < least:
        allowed = f"(channels, height, width) of {least} x {least} or more; or {instead}"
        raise invalid(f"shape of a sample of {data.name}", data.shape, allowed)


def check_data(config: ExperimentConfig) -> dict[str, str]:
    """Read the data of a run once, whole and checked; returns the SHA-256 of each, and of each file
    of the user's own code.

    Raises:
        ValueError: they are wrong, or the settings ask for more samples of a class than there are.
        FileNotFoundError: the files are nowhere and cannot be downloaded.
    """
    found = {name: dataset(name).sha256 for name in config.datasets}
    found |= code_in(config.to_dict())
    config.check_batch()
    for asked in config.asked:
        if asked.per_class is None:
            continue
        data = dataset(asked.data)
        labels = data.array(f"{SPLITS[asked.split]}_y")
        own = labels[indices(labels, asked.split, held_out=data.held_out)]
        there = int(np.bincount(own, minlength=len(data.classes)).min())
        if asked.per_class > there:
            allowed = f"at most {there}, as {asked.data} has in the split {asked.split!r}"
            raise invalid(f"{asked.setting}, samples of each class", asked.per_class, allowed)
    return found


def own_digests(datasets: Iterable[str], settings: Mapping[str, Any]) -> dict[str, str]:
    """SHA-256 of each data set and each file of code that is the user's own, by name.

    Args:
        datasets: of a run, public ones among them.
        settings: its settings.

    Raises:
        ValueError: one cannot be read.
    """
    own = {name: dataset(name).sha256 for name in datasets if not is_public(name)}
    return own | code_in(settings)


def slug(name: str) -> str:
    """The name of a data set as part of an id: letters, digits and hyphens, the last 40 of them."""
    return re.sub(r"[^A-Za-z0-9]+", "-", name)[-40:].strip("-")
