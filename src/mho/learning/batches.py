"""What a function of a network takes for its inputs: a tensor, a loader, or any iterable."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor

from mho.errors import invalid

Inputs = Tensor | Iterable[Any]
"""One batch (batch, ...); or batches, each a tensor or a pair whose first item is one: a data
loader, a list, `x.split(64)`, a generator."""

_ALLOWED = "a tensor (batch, ...), or batches of them: a loader, a list, a generator"


def batches_of(inputs: Inputs, what: str) -> Iterator[Tensor]:
    """The batches (batch, ...) one after another, without their labels; empty ones are left out.

    Args:
        what: name of the argument, for errors.

    Raises:
        ValueError: there is no batch, or only empty ones; one of something else than a tensor, of
            nan or inf, or of another kind than the first; or all inputs are 0. Each batch is looked
            at before it is handed over.
    """
    first: Tensor | None = None
    signal = False
    for item in [inputs] if isinstance(inputs, Tensor) else _iterated(inputs, what):
        x = item[0] if isinstance(item, tuple | list) and item else item
        if not isinstance(x, Tensor):
            raise invalid(what, f"batches of {type(x).__name__}", _ALLOWED)
        if x.dim() == 0:
            raise invalid(what, "a tensor without dimensions", _ALLOWED)
        first = x if first is None else first
        if (x.dim(), x.dtype) != (first.dim(), first.dtype):
            kinds = " and of ".join(f"{t.dtype} {tuple(t.shape)}" for t in (first, x))
            allowed = f"{_ALLOWED}, all of one kind; labels go in pairs: [(inputs, labels), ...]"
            raise invalid(what, f"batches of {kinds}", allowed)
        if not torch.isfinite(x).all():
            raise invalid(what, "nan or inf", "finite numbers only")
        if x.numel():
            # of whole numbers, which name things, 0 is as good as any
            signal = signal or not x.is_floating_point() or bool(x.any())
            yield x
    if first is None:
        raise invalid(what, "no batch", "at least one batch of inputs")
    if not signal:
        value = "zeros only" if first.numel() else "an empty batch"
        raise invalid(what, value, "inputs of which some are not 0")


def whole_of(inputs: Inputs, what: str) -> Tensor:
    """All batches as one (batch, ...); errors as in `batches_of`."""
    parts = [*batches_of(inputs, what)]
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def pairs_of(inputs: Inputs, what: str) -> tuple[Tensor, Tensor]:
    """Inputs and targets of batches (inputs, targets), each as one tensor.

    Raises:
        ValueError: there is no batch, or one that is no such pair.
    """
    parts: list[tuple[Tensor, Tensor]] = []
    for item in [inputs] if isinstance(inputs, Tensor) else _iterated(inputs, what):
        pair = tuple(item) if isinstance(item, tuple | list) else (item,)
        if len(pair) != 2 or not all(isinstance(part, Tensor) for part in pair):
            raise invalid(what, f"a batch of {len(pair)}", "batches (inputs, targets)")
        parts.append(pair)
    if not parts:
        raise invalid(what, "no batch", "at least one batch (inputs, targets)")
    x, y = zip(*parts, strict=True)
    return torch.cat(x), torch.cat(y)


def _iterated(inputs: Any, what: str) -> Iterator[Any]:
    try:
        return iter(inputs)
    except TypeError:
        raise invalid(what, type(inputs).__name__, _ALLOWED) from None
