"""Labelled batches of a classifier, and its scores for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from mho.errors import invalid
from mho.learning.batches import Batch, batch_of, tensors_of
from mho.learning.samples import Loader, batches, is_set

_PAIRS = "batches (inputs, labels): a data loader, or a list of such pairs"


def labelled(loader: Loader, what: str) -> Iterator[tuple[Batch, Int64[Tensor, " n"]]]:
    """The batches (inputs, labels) one after another, those without a sample left out; labels as
    int64 on the CPU.

    Args:
        loader: batches (inputs, labels), or one such pair; inputs of a network that takes several
            are a tuple or a dictionary of tensors. Or a data set of samples (input, label).
        what: name of the argument, for errors.

    Raises:
        ValueError: there is no sample, or something else than such pairs.
    """
    if isinstance(loader, Tensor | np.ndarray | str | dict):
        raise invalid(what, loader, _PAIRS)
    pair = isinstance(loader, tuple | list) and len(loader) == 2
    single = pair and _is_batch(loader[0]) and _is_array(loader[1])  # type: ignore[index]
    seen, none = False, True
    several = batches(loader, what) if not single and is_set(loader) else loader
    for batch in [loader] if single else several:
        if not isinstance(batch, tuple | list):
            raise invalid(what, f"batches of {type(batch).__name__}", _PAIRS)
        if len(batch) != 2 or not (_is_batch(batch[0]) and _is_array(batch[1])):
            each = ", ".join(type(part).__name__ for part in batch)
            raise invalid(what, f"batches of {len(batch)}: {each}", _PAIRS)
        seen = True
        x = batch_of(batch[0], what)
        y = _labels(x, torch.as_tensor(batch[1]))
        if len(y):
            none = False
            yield x, y
    if none:
        given = "empty batches" if seen else "no batch"
        raise invalid(what, given, "at least one labelled batch")


def _is_array(part: object) -> bool:
    return isinstance(part, Tensor | np.ndarray)


def _is_batch(part: object) -> bool:
    """Whether it is inputs: an array, or several."""
    if isinstance(part, dict):
        return bool(part) and all(map(_is_array, part.values()))
    several = isinstance(part, tuple | list) and len(part) > 0
    return _is_array(part) or (several and all(map(_is_array, part)))  # type: ignore[arg-type]


def _labels(x: Batch, y: Tensor) -> Tensor:
    """Labels as int64 (n,), one for each input."""
    first = tensors_of(x)[0]
    n = len(first) if first.dim() else 0
    if first.dim() == 0 or y.shape not in ((n,), (n, 1)):
        one_hot = y.dim() == 2 and len(y) == n
        hint = "; of one-hot labels give labels.argmax(1)" if one_hot else ""
        allowed = f"({n},) or ({n}, 1), one for each of the {n} inputs{hint}"
        raise invalid("labels, of shape", tuple(y.shape), allowed)
    if y.is_complex() or (y.is_floating_point() and not bool((y == y.round()).all())):
        raise invalid("labels", y.flatten()[:3].tolist(), "whole numbers from 0 to classes - 1")
    return y.detach().to("cpu", torch.int64).flatten()


def scores_of(output: Any, n: int) -> Float[Tensor, "chips n classes"]:
    """What a classifier says of n inputs, with a dimension for chips.

    Raises:
        ValueError: it is no score for each class, or nan.
    """
    allowed = f"({n}, classes) or (chips, {n}, classes), one score a class"
    if not isinstance(output, Tensor):
        raise invalid("output of the network", type(output).__name__, f"a tensor {allowed}")
    shape = tuple(output.shape)
    scores = output.unsqueeze(0) if output.dim() == 2 else output
    if scores.dim() != 3 or scores.shape[1] != n:
        raise invalid("output of the network, of shape", shape, allowed)
    if scores.shape[2] < 2:
        allowed += "; of one sigmoid output p make two scores, 1 - p and p"
        raise invalid("output of the network, of shape", shape, allowed)
    if scores.isnan().any():
        raise invalid("output of the network", "nan", "numbers; its weights or inputs are not")
    return scores


def check_classes(y: Int64[Tensor, " n"], classes: int) -> None:
    """Refuse labels that are none of the classes."""
    low, high = int(y.min()), int(y.max())
    if low < 0 or high >= classes:
        first = low > 0 and high - low < classes
        hint = f"; give labels - {low}" if first else ""
        allowed = f"0 to {classes - 1}, the outputs of the network{hint}"
        raise invalid("labels", f"{low} to {high}", allowed)
