"""Made-up samples in place of a data set's own, for a run in small: no file is read."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from functools import lru_cache, partial

import numpy as np

from mho.data.dataset import Dataset

EACH = {"train": 20, "test": 5}
"""Made-up samples of each class."""
HELD_OUT = 5
"""Of those in "train"."""


@contextmanager
def stand_ins() -> Iterator[None]:
    """Have every data set be a few made-up samples of each class, of its own shape, within.

    15 of each class for training, 5 for validation, 5 for the test; the same ones every time.
    """
    token = _made_up.set(True)
    try:
        yield
    finally:
        _made_up.reset(token)


def stood_in(dataset: Dataset) -> Dataset:
    """Return the data set, or within `stand_ins` what stands in for it."""
    if not _made_up.get():
        return dataset
    array = partial(_array, dataset.shape, len(dataset.classes))
    kept = (EACH["train"] - HELD_OUT) * len(dataset.classes)
    return replace(dataset, array=array, training=kept, held_out=HELD_OUT)


_made_up: ContextVar[bool] = ContextVar("made_up", default=False)


@lru_cache(maxsize=16)
def _array(shape: tuple[int, ...], classes: int, name: str) -> np.ndarray:
    """One of the four arrays of made-up samples."""
    part, what = name.split("_")
    labels = np.arange(classes * EACH[part], dtype=np.int64) % classes
    if what == "y":
        return labels
    draw = np.random.default_rng(0)
    size = (len(labels), *shape)  # a tenth of the pixels have ink, others in each sample
    return draw.integers(256, size=size, dtype=np.uint8) * (draw.random(size) < 0.1)
