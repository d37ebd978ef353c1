"""Images with their labels, in splits that never change."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from mho.arguments import checked
from mho.data.idx import read_idx
from mho.data.order import shuffled
from mho.data.source import SOURCES, locate, read_file
from mho.errors import invalid, unknown

# split -> the original file pair it is taken from
SPLITS = {"train": "train", "validation": "train", "train+validation": "train", "test": "t10k"}
VALIDATION_PER_CLASS = 500
STAND_INS = {"train": 20, "t10k": 5}  # made-up images of each class in a file, see `stand_ins`
STAND_INS_HELD_OUT = 5  # of those in "train"
_SEED = 1998  # of the one shuffle behind the splits; a new value would be a new split


@dataclass(frozen=True, eq=False)
class Samples:
    """Grey images and their labels; sample i of both is the same sample."""

    images: Float[Tensor, "n 1 28 28"]  # [1], 0 is background, 1 full ink
    labels: Int64[Tensor, " n"]
    name: str  # "<dataset>/<split>"
    classes: tuple[str, ...]  # label k means classes[k]

    @property
    def flat(self) -> Float[Tensor, "n 784"]:
        """The images as rows, a view."""
        return self.images.flatten(1)

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device | str) -> "Samples":
        """Return the same samples on a device."""
        return replace(self, images=self.images.to(device), labels=self.labels.to(device))


@checked
def load(
    dataset: str,
    split: str,
    *,
    per_class: int | None = None,
    dtype: torch.dtype = torch.float32,
) -> Samples:
    """Return one split of a data set, or a class-balanced subset of it.

    The 60,000 original training samples are cut by one fixed shuffle: the last 500 of each class
    in it are ``"validation"`` (5,000), the others ``"train"`` (55,000), all of them
    ``"train+validation"``. ``"test"`` is the original 10,000.

    A whole split comes in the order of the original file. With ``per_class`` come the first so
    many of each class in the fixed shuffle, dealt in rounds of one sample of every class in mixed
    order: a smaller subset is the beginning of a larger one. No random state is read or changed.

    Args:
        dataset: ``"mnist"`` or ``"fashion-mnist"``.
        split: ``"train"``, ``"validation"``, ``"train+validation"`` or ``"test"``.
        per_class: Samples of each class; None for all there are.
        dtype: Floating type of the images; a value v of the file becomes v / 255.

    Raises:
        ValueError: unknown name, ``per_class`` out of range, ``dtype`` not floating, or a file
            whose content is not the expected one.
        FileNotFoundError: the files are nowhere and cannot be downloaded.
    """
    if dataset not in SOURCES:
        raise unknown("dataset", dataset, SOURCES)
    if split not in SPLITS:
        raise unknown("split", split, SPLITS)
    if not dtype.is_floating_point:
        raise invalid("dtype", dtype, "a floating type such as torch.float32")
    return gather(dataset, split, indices(all_labels(dataset, split), split, per_class), dtype)


@contextmanager
def stand_ins() -> Iterator[None]:
    """Have every data set be a few made-up images of each class, and no file be read, within.

    15 of each class for training, 5 for validation, 5 for the test; the same ones every time.
    """
    token = _made_up.set(True)
    try:
        yield
    finally:
        _made_up.reset(token)


_made_up: ContextVar[bool] = ContextVar("made_up", default=False)


def all_labels(dataset: str, split: str) -> np.ndarray:
    """Return the labels ``(n,)`` uint8 of the original file that a split is taken from."""
    return _array(dataset, f"{SPLITS[split]}-labels-idx1-ubyte")


def gather(
    dataset: str, split: str, chosen: np.ndarray, dtype: torch.dtype = torch.float32
) -> Samples:
    """Return the samples at positions ``chosen`` ``(m,)`` of the file behind a split."""
    images = _array(dataset, f"{SPLITS[split]}-images-idx3-ubyte")[chosen]
    labels = all_labels(dataset, split)[chosen]
    return Samples(
        images=torch.from_numpy(images).to(dtype).div_(255).unsqueeze(1),
        labels=torch.from_numpy(labels.astype(np.int64)),
        name=f"{dataset}/{split}",
        classes=SOURCES[dataset].classes,
    )


def indices(
    labels: np.ndarray,
    split: str,
    per_class: int | None = None,
    part: tuple[int, int] | None = None,
) -> np.ndarray:
    """Return which samples of the original file make up a split, in the order `load` gives them.

    ``part`` ``(k, parts)`` is the k-th (from 0) of so many disjoint parts of the split, in mixed
    order: sizes differ by one sample at most, and every class is dealt evenly over all parts.

    ``labels`` ``(n,)`` are all labels of that file, the result ``(m,)`` int64.
    """
    order = shuffled(len(labels), seed=_SEED)
    last = STAND_INS_HELD_OUT if _made_up.get() else VALIDATION_PER_CLASS
    held_out = _ranks(labels[order][::-1])[::-1] < last  # counted from the end
    keep = {"train": ~held_out, "validation": held_out}.get(split, np.full(len(order), True))
    order = order[keep]
    if part is not None:
        own = labels[order]
        evenly = np.argsort((_ranks(own) + 0.5) / np.bincount(own)[own], kind="stable")
        order = order[np.sort(np.array_split(evenly, part[1])[part[0]])]  # of the fixed shuffle
    if per_class is None:
        return np.sort(order) if part is None else order
    most = int(np.bincount(labels[order]).min())
    if not isinstance(per_class, int) or not 1 <= per_class <= most:
        raise invalid("per_class", per_class, f"an integer from 1 to {most} for {split!r}")
    rounds = _ranks(labels[order])
    mixed = shuffled(len(labels), seed=_SEED, stream=1)[order]
    wanted = rounds < per_class
    return order[wanted][np.lexsort((mixed[wanted], rounds[wanted]))]


def _ranks(labels: np.ndarray) -> np.ndarray:
    """Count, for each item, the items of its own class before it, ``(n,)`` int64."""
    count = np.bincount(labels)
    by_class = np.argsort(labels, kind="stable")
    before = np.empty(len(labels), dtype=np.int64)
    before[by_class] = np.arange(len(labels)) - np.repeat(np.cumsum(count) - count, count)
    return before


def _array(dataset: str, file: str) -> np.ndarray:
    if _made_up.get():
        return _stand_in(file)
    path = locate(dataset, file)
    stat = path.stat()
    return _decoded(path, SOURCES[dataset].files[file], (stat.st_mtime_ns, stat.st_size))


@cache
def _stand_in(file: str) -> np.ndarray:
    """A file of made-up images, or their labels."""
    labels = np.arange(10 * STAND_INS[file.split("-")[0]], dtype=np.uint8) % 10
    if "labels" in file:
        return labels
    draw = np.random.default_rng(0)
    size = (len(labels), 28, 28)  # a tenth of the pixels have ink, others in each image
    return draw.integers(256, size=size, dtype=np.uint8) * (draw.random(size) < 0.1)


@lru_cache(maxsize=8)  # the files of two data sets, 110 MB
def _decoded(path: Path, sha256: str, stamp: tuple[int, int]) -> np.ndarray:
    """Return the array in a file, read-only; ``stamp`` changes when the file does."""
    return read_idx(read_file(path, sha256), str(path))
