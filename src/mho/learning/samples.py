"""Data sets that give one sample after another, as torchvision's do: as batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import Tensor

from mho.errors import invalid


class SampleSet(Protocol):
    """Samples (input, label) by number, as a map-style data set of torch gives them."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


if TYPE_CHECKING:
    Loader = Iterable[Any] | SampleSet
    """Batches, or a data set of samples."""
else:
    Loader = Iterable[Any]  # which `mho.kinds` takes data sets for, too

BATCH = 256
"""Samples of a batch."""

MODES = {"L": 1, "RGB": 3}
"""Channels of pictures by mode of Pillow's."""


def is_set(given: Any) -> bool:
    """Whether something is a data set of samples (input, label): it has a length, and its first
    item is such a pair, the label a number."""
    if isinstance(given, Tensor | np.ndarray | str | bytes | Mapping | type):
        return False
    if not (hasattr(given, "__len__") and hasattr(given, "__getitem__")):
        return False
    try:
        first: Any = given[0] if len(given) else None
    except (TypeError, LookupError, NotImplementedError):  # no set by number
        return False
    return isinstance(first, tuple | list) and len(first) == 2 and _is_number(first[1])


def batches(given: Any, what: str) -> Iterator[tuple[Tensor, Tensor]]:
    """Inputs (n, ...) and labels (n,) of a data set, in its order; pictures of Pillow's are taken
    as (channels, height, width), v / 255.

    Args:
        what: name of the argument, for errors.

    Raises:
        ValueError: a sample is no such pair, no input, or of another shape than the first.
    """
    for start in range(0, len(given), BATCH):
        numbers = range(start, min(start + BATCH, len(given)))
        pairs = [_pair(given[k], f"{what}[{k}]") for k in numbers]
        inputs = [x for x, _ in pairs]
        for k, x in zip(numbers, inputs, strict=True):
            if x.shape != inputs[0].shape or x.dtype != inputs[0].dtype:
                allowed = f"{tuple(inputs[0].shape)} of {inputs[0].dtype}, as {what}[{start}]"
                raise invalid(f"{what}[{k}], input", x, allowed)
        yield torch.stack(inputs), torch.tensor([y for _, y in pairs])


def _pair(sample: Any, where: str) -> tuple[Tensor, int | float]:
    pair = isinstance(sample, tuple | list) and len(sample) == 2
    if not (pair and _is_number(sample[1])):
        raise invalid(where, sample, "a sample (input, label), the label a number")
    label = sample[1]
    label = label.item() if isinstance(label, Tensor | np.ndarray | np.generic) else label
    return _input(sample[0], f"{where}, input"), label


def _input(value: Any, where: str) -> Tensor:
    if isinstance(value, Tensor):
        return value
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiu":
        return torch.as_tensor(value)
    if hasattr(value, "getbands"):  # Pillow's
        mode: Any = getattr(value, "mode", None)
        if mode not in MODES:
            raise invalid(f"{where}, mode", mode, f"{' or '.join(MODES)}: convert the picture")
        pixels = torch.from_numpy(np.array(value, dtype=np.uint8))
        return pixels.view(*pixels.shape[:2], MODES[mode]).permute(2, 0, 1) / 255
    allowed = "a tensor, an array of numbers or a picture of Pillow's"
    raise invalid(where, value, allowed)


def _is_number(label: Any) -> bool:
    if isinstance(label, Tensor | np.ndarray | np.generic):
        return label.ndim == 0
    return isinstance(label, int | float)
