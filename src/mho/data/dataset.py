"""A data set: training and test samples of any shape, with their classes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mho.arguments import checked
from mho.data.sample_set import arrays_of
from mho.errors import invalid

ARRAYS = ("train_x", "train_y", "test_x", "test_y")
"""The four arrays of a data set: samples (n, ...) and their labels (n,), of either part."""
HELD_OUT = 500
"""Training samples of each class that are the validation split: a tenth, but no more than this."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Dataset:
    """Training and test samples; made by `Dataset.of`, or read by `mho.data.dataset`.

    Samples are of any shape: vectors (n, features), sequences (n, time, features), images
    (n, channels, height, width). A label k means `classes[k]`.
    """

    name: str
    shape: tuple[int, ...]
    """Of one sample."""
    classes: tuple[str, ...]
    array: Callable[[str], np.ndarray]
    """Gives one of `ARRAYS`, read when it is asked for; samples are uint8, meaning v / 255, or
    floating."""
    training: int
    """Samples of the split "train" [1]."""
    held_out: int | None = None
    """Training samples of each class that are the validation split [1]; None: a tenth, at most
    500."""

    @staticmethod
    @checked
    def of(
        train_x: Any,
        train_y: Any,
        test_x: Any,
        test_y: Any,
        *,
        name: str = "own data",
        classes: Sequence[str] | None = None,
        held_out: int | None = None,
    ) -> Dataset:
        """Return the data set of a user's own tensors or arrays.

        Args:
            train_x: Training samples ``(n, ...)``: uint8, taken as v / 255, or floating.
            train_y: Their labels ``(n,)``, whole numbers from 0.
            test_x: Test samples ``(m, ...)`` of the same shape and type.
            test_y: Their labels ``(m,)``.
            name: What results call it.
            classes: Name of each class; None: their numbers.
            held_out: Training samples of each class that are the validation split; None: a tenth,
                at most 500, at least one.

        Raises:
            ValueError: shapes, types or labels that do not fit each other, numbers that are not
                finite, fewer than two classes, or a class with fewer than two training samples or
                no more than are held out.
        """
        given = (train_x, train_y, test_x, test_y)
        arrays = {part: _numpy(part, value) for part, value in zip(ARRAYS, given, strict=True)}
        for part in ("train", "test"):
            _check_part(part, arrays[f"{part}_x"], arrays[f"{part}_y"])
        first, second = arrays["train_x"], arrays["test_x"]
        if first.shape[1:] != second.shape[1:]:
            allowed = f"{first.shape[1:]}, that of a sample of train_x"
            raise invalid("shape of a sample of test_x", second.shape[1:], allowed)
        if (first.dtype == np.uint8) != (second.dtype == np.uint8):
            allowed = f"as train_x is, {first.dtype}: uint8 is taken as v / 255"
            raise invalid("type of test_x", str(second.dtype), allowed)
        names = _names(classes, arrays["train_y"])
        counts = _check_labels(arrays["train_y"], arrays["test_y"], names)
        kept = counts - held(counts, held_out)
        if held_out is not None and (held_out < 1 or kept.min() < 1):
            allowed = f"from 1 to {counts.min() - 1}, fewer than there are of any class"
            raise invalid("held_out", held_out, allowed)
        return Dataset(
            name=name, shape=first.shape[1:], classes=names, array=arrays.__getitem__,
            training=int(kept.sum()), held_out=held_out,
        )  # fmt: skip

    @staticmethod
    @checked
    def of_samples(
        train: Any,
        test: Any,
        *,
        name: str = "own data",
        classes: Sequence[str] | None = None,
        held_out: int | None = None,
    ) -> Dataset:
        """Return the data set of two sample sets, as torchvision has them.

        Args:
            train: Anything with ``len(train)`` and ``train[k]``, a sample and its label: a tensor,
                an array, or an image of PIL, which becomes (channels, height, width). Each is asked
                for once, so that a transform that draws at random is drawn once.
            test: The same for testing.
            name: What results call it.
            classes: Name of each class; None: ``train.classes``, if there are any.
            held_out: As `of` has it.

        Raises:
            ValueError: they are no such sets, or as `of`.
        """
        first, second = arrays_of("train", train), arrays_of("test", test)
        found = getattr(train, "classes", None) if classes is None else classes
        named = None if found is None else tuple(map(str, found))
        return Dataset.of(
            first.x, first.y, second.x, second.y, name=name, classes=named, held_out=held_out
        )

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the four arrays: of name, type, shape and bytes of each, in turn."""
        digest = hashlib.sha256()
        for part in ARRAYS:
            array = self.array(part)
            array = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
            digest.update(f"{part} {array.dtype.str} {array.shape} ".encode())
            digest.update(array.reshape(-1).view(np.uint8).data)
        return digest.hexdigest()


def held(counts: np.ndarray, held_out: int | None) -> np.ndarray:
    """How many training samples of each class are the validation split, given all of each."""
    if held_out is not None:
        return np.full_like(counts, held_out)
    return np.minimum(np.maximum(counts // 10, counts > 1), HELD_OUT)


def _numpy(field: str, value: Any) -> np.ndarray:
    if isinstance(value, Tensor) and value.layout is torch.strided and not value.is_meta:
        value = value.detach().cpu()
        return (value.float() if value.dtype == torch.bfloat16 else value).numpy()
    array = value if isinstance(value, np.ndarray) else None
    if array is None:
        raise invalid(field, value, "a tensor with its numbers, dense, or a NumPy array")
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _check_part(part: str, x: np.ndarray, y: np.ndarray) -> None:
    """Samples and labels of one part, each by itself and against each other."""
    if x.dtype not in (np.uint8, np.float16, np.float32, np.float64):
        allowed = "uint8, taken as v / 255, or float16, float32 or float64"
        raise invalid(f"type of {part}_x", str(x.dtype), allowed)
    if x.ndim < 2 or x.size == 0:
        raise invalid(f"shape of {part}_x", x.shape, "(n, ...), n samples of the same shape, n > 0")
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        bad = int(np.argmin(np.isfinite(x).reshape(len(x), -1).all(1)))
        raise invalid(f"{part}_x[{bad}]", "nan or inf", "finite numbers")
    if y.dtype.kind not in "iu" or y.ndim != 1:
        found = f"{y.dtype} {y.shape}"
        raise invalid(f"{part}_y", found, "whole numbers (n,), one label a sample")
    if len(y) and y.min() < 0:
        at = int(y.argmin())
        raise invalid(f"{part}_y[{at}]", y[at].item(), "a class, numbered from 0")
    if len(x) != len(y):
        raise invalid(f"len({part}_x), len({part}_y)", (len(x), len(y)), "the same number")


def _names(classes: Sequence[str] | None, labels: np.ndarray) -> tuple[str, ...]:
    if classes is None:
        return tuple(map(str, range(min(int(labels.max()), len(labels)) + 1)))
    names = tuple(classes)
    if len(set(names)) < len(names):
        raise invalid("classes", names, "names, each once")
    return names


def _check_labels(train: np.ndarray, test: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """Training samples of each class, once all labels are known to be classes."""
    if len(names) < 2:
        raise invalid("classes", names, "at least two")
    for part, labels in (("train", train), ("test", test)):
        outside = labels >= len(names)
        if outside.any():
            at = int(outside.argmax())
            allowed = f"0 to {len(names) - 1}, the {len(names)} classes"
            raise invalid(f"{part}_y[{at}]", labels[at].item(), allowed)
    counts = np.bincount(train.astype(np.int64), minlength=len(names))
    if counts.min() < 2:
        rare = int(counts.argmin())
        allowed = "at least 2, one of them for validation; number the classes from 0 without gaps"
        raise invalid(
            f"training samples of class {rare} ({names[rare]})", int(counts[rare]), allowed
        )
    return counts
