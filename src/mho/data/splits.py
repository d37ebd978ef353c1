"""Samples with their labels, in splits that never change."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from mho.arguments import checked
from mho.data.dataset import Dataset, held
from mho.data.named import dataset
from mho.data.order import shuffled
from mho.errors import invalid, unknown

SPLITS = {"train": "train", "validation": "train", "train+validation": "train", "test": "test"}
"""Splits, and the part of the data set that each is taken from."""
_SEED = 1998  # of the one shuffle behind the splits; a new value would be a new split


@dataclass(frozen=True, eq=False)
class Samples:
    """Inputs of any shape and their labels; sample i of both is the same sample."""

    inputs: Float[Tensor, "n *shape"]  # [1]; of images 0 is black, 1 white
    labels: Int64[Tensor, " n"]
    name: str  # "<dataset>/<split>"
    classes: tuple[str, ...]  # label k means classes[k]

    @property
    def flat(self) -> Float[Tensor, "n features"]:
        """The inputs as rows, a view."""
        return self.inputs.flatten(1)

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device | str) -> "Samples":
        """Return the same samples on a device."""
        return replace(self, inputs=self.inputs.to(device), labels=self.labels.to(device))


@checked
def load(
    data: str | Path | Dataset,
    split: str,
    *,
    per_class: int | None = None,
    dtype: torch.dtype = torch.float32,
) -> Samples:
    """Return one split of a data set, or a class-balanced subset of it.

    The training samples are cut by one fixed shuffle: the last of each class in it, a tenth but
    500 at most, are ``"validation"`` (of MNIST, Fashion-MNIST and CIFAR-10 5,000), the others
    ``"train"`` (55,000, of CIFAR-10 45,000), all of them ``"train+validation"``. ``"test"`` are the
    test samples.

    A whole split comes in the order of the original. With ``per_class`` come the first so many of
    each class in the fixed shuffle, dealt in rounds of one sample of every class in mixed order: a
    smaller subset is the beginning of a larger one. No random state is read or changed.

    Args:
        data: Name of a public data set (``mho list datasets``), a ``.npz`` file or a folder of
            images, see `mho.data.dataset`; or a `Dataset`.
        split: ``"train"``, ``"validation"``, ``"train+validation"`` or ``"test"``.
        per_class: Samples of each class; None for all there are.
        dtype: Floating type of the inputs; a value v of type uint8 becomes v / 255.

    Raises:
        ValueError: unknown name, ``per_class`` out of range, ``dtype`` not floating, or a file
            whose content is not the expected one.
        FileNotFoundError: the files are nowhere and cannot be downloaded.
    """
    found = dataset(data)
    if split not in SPLITS:
        raise unknown("split", split, SPLITS)
    if not dtype.is_floating_point:
        raise invalid("dtype", dtype, "a floating type such as torch.float32")
    return gather(found, split, chosen(found, split, per_class), dtype)


def gather(
    data: Dataset, split: str, chosen: np.ndarray, dtype: torch.dtype = torch.float32
) -> Samples:
    """Return the samples at positions ``chosen`` ``(m,)`` of the part behind a split."""
    part = SPLITS[split]
    # taken rather than indexed, so that strides are those of a new array, whatever the array's are
    inputs = data.array(f"{part}_x").take(chosen, axis=0)
    labels = data.array(f"{part}_y")[chosen]
    taken = torch.from_numpy(inputs).to(dtype)
    return Samples(
        inputs=taken.div_(255) if inputs.dtype == np.uint8 else taken,
        labels=torch.from_numpy(labels.astype(np.int64)),
        name=f"{data.name}/{split}",
        classes=data.classes,
    )


def chosen(
    data: Dataset,
    split: str,
    per_class: int | None = None,
    part: tuple[int, int] | None = None,
) -> np.ndarray:
    """Return the positions of a split's samples, as `indices`, in the part behind it."""
    labels = data.array(f"{SPLITS[split]}_y")
    return indices(labels, split, per_class, part, data.held_out)


def indices(
    labels: np.ndarray,
    split: str,
    per_class: int | None = None,
    part: tuple[int, int] | None = None,
    held_out: int | None = None,
) -> np.ndarray:
    """Return which samples of the part behind it make up a split, in the order of `load`.

    ``part`` ``(k, parts)`` is the k-th (from 0) of so many disjoint parts of the split, in mixed
    order: sizes differ by one sample at most, and every class is dealt evenly over all parts.

    ``labels`` ``(n,)`` are all labels of that part, ``held_out`` how many training samples of each
    class validation has, as in `Dataset`; the result is ``(m,)`` int64.
    """
    order = shuffled(len(labels), seed=_SEED)
    last = held(np.bincount(labels), held_out)[labels[order]]
    ends = _ranks(labels[order][::-1])[::-1] < last  # counted from the end
    keep = {"train": ~ends, "validation": ends}.get(split, np.full(len(order), True))
    order = order[keep]
    if part is not None:
        own = labels[order]
        evenly = np.argsort((_ranks(own) + 0.5) / np.bincount(own)[own], kind="stable")
        order = order[np.sort(np.array_split(evenly, part[1])[part[0]])]  # of the fixed shuffle
    if per_class is None:
        return np.sort(order) if part is None else order
    most = int(np.bincount(labels[order], minlength=int(labels.max()) + 1).min())
    if most == 0:
        raise invalid("per_class", per_class, f"None: {split!r} has no sample of some class")
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
