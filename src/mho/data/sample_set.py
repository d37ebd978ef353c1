"""Sample sets as torchvision has them: `len(set)` and `set[k]`, which gives a sample and its
label."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from mho.errors import invalid


class Arrays(NamedTuple):
    """A sample set as two arrays."""

    x: np.ndarray
    """(n, ...) samples; images with channels first."""
    y: np.ndarray
    """(n,) labels, int64."""


def is_sample_set(value: object) -> bool:
    """Whether something has a length and gives items by number, and is no array or tensor."""
    plain = isinstance(value, np.ndarray | Tensor | list | tuple | dict | str)
    return not plain and hasattr(value, "__len__") and hasattr(value, "__getitem__")


def arrays_of(what: str, samples: Any) -> Arrays:
    """All samples of a set, each asked for once, in order.

    Args:
        what: the set, in errors.
        samples: tensors or arrays of one shape, taken as they are; or images of PIL, which become
            (channels, height, width), uint8.

    Raises:
        ValueError: it is no such set, is empty, or an item is no sample with a label.
    """
    if not is_sample_set(samples):
        raise invalid(what, samples, "a set with len(set) and set[k], a sample and its label")
    if len(samples) == 0:
        raise invalid(f"len({what})", 0, "at least 1")
    found = list(_items(what, samples))
    first = found[0][0]
    for k, (x, _) in enumerate(found):
        if x.shape != first.shape or x.dtype != first.dtype:
            allowed = f"{first.dtype} {first.shape}, as {what}[0]"
            raise invalid(f"sample of {what}[{k}]", f"{x.dtype} {x.shape}", allowed)
    return Arrays(np.stack([x for x, _ in found]), np.array([y for _, y in found], np.int64))


def _items(what: str, samples: Any) -> Iterator[tuple[np.ndarray, int]]:
    for k in range(len(samples)):
        item = samples[k]
        if not isinstance(item, tuple | list) or len(item) != 2:
            raise invalid(f"{what}[{k}]", item, "a sample and its label")
        sample, label = item
        try:
            number = label.__index__()
        except (AttributeError, TypeError) as error:
            raise invalid(f"label of {what}[{k}]", label, "a whole number") from error
        yield _array(f"sample of {what}[{k}]", sample), number


def _array(what: str, sample: Any) -> np.ndarray:
    if isinstance(sample, Tensor):
        return sample.detach().cpu().numpy()
    if isinstance(sample, np.ndarray):
        return sample
    if hasattr(sample, "getbands") and hasattr(sample, "__array_interface__"):  # an image of PIL
        image = np.asarray(sample)
        return image[None] if image.ndim == 2 else np.moveaxis(image, -1, 0)
    raise invalid(what, sample, "a tensor, a NumPy array, or an image of PIL")
