"""What a function of a network takes for its inputs: a tensor, a loader, or any iterable."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mho.errors import invalid, shown

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
        x = torch.as_tensor(x) if isinstance(x, np.ndarray) and x.dtype.kind in "fiu" else x
        if not isinstance(x, Tensor):
            raise invalid(what, f"batches of {type(x).__name__}", _ALLOWED)
        if x.dim() == 0:
            raise invalid(what, "a tensor without dimensions", _ALLOWED)
        if x.is_complex() or x.dtype is torch.bool or x.layout is not torch.strided or x.is_meta:
            raise invalid(what, x, f"{_ALLOWED}, dense and of real numbers")
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


@contextmanager
def taking(x: Tensor, what: str) -> Iterator[None]:
    """Passes of a network inside: what torch says of inputs that it cannot take is said of these.

    Raises:
        ValueError: torch, or the network, has refused them; names the argument, and says why.
    """
    try:
        yield
    except Exception as error:
        if type(error) not in _TORCH:
            raise
        why = " ".join(str(error).split()) or type(error).__name__
        why = why if len(why) <= _LONGEST else f"{why[:_LONGEST]}..."
        raise invalid(what, x, f"inputs that the network takes ({why})") from error


_TORCH = (RuntimeError, NotImplementedError, TypeError, ValueError, IndexError, AttributeError)
"""What torch raises; errors of mho's own, and a lack of memory, are of classes below these."""

_LONGEST = 200
"""Characters of torch's words that are passed on."""


def whole_of(inputs: Inputs, what: str) -> Tensor:
    """All batches as one (batch, ...); errors as in `batches_of`."""
    parts = [*batches_of(inputs, what)]
    for x in parts:
        if x.shape[1:] != parts[0].shape[1:]:
            found = f"{shown(parts[0])} and {shown(x)}"
            raise invalid(what, found, "batches of one shape, but for their length")
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def pairs_of(inputs: Inputs, what: str) -> tuple[Tensor, Tensor]:
    """Inputs and targets of batches (inputs, targets), each as one tensor.

    Raises:
        ValueError: there is no batch, or one that is no such pair.
    """
    parts: list[tuple[Tensor, Tensor]] = []
    for item in [inputs] if isinstance(inputs, Tensor) else _iterated(inputs, what):
        pair = tuple(item) if isinstance(item, tuple | list) else (item,)
        arrays = (isinstance(part, np.ndarray) and part.dtype.kind in "fiu" for part in pair)
        pair = tuple(torch.as_tensor(p) if a else p for p, a in zip(pair, arrays, strict=True))
        if len(pair) != 2 or not all(isinstance(part, Tensor) for part in pair):
            raise invalid(what, f"a batch of {len(pair)}", "batches (inputs, targets)")
        parts.append(pair)
    if not parts:
        raise invalid(what, "no batch", "at least one batch (inputs, targets)")
    for kind, tensors in zip(("inputs", "targets"), zip(*parts, strict=True), strict=True):
        shapes = {(t.shape[1:], t.dtype, t.dim() > 0) for t in tensors}
        if len(shapes) > 1 or not tensors[0].dim():
            found = " and ".join(shown(t) for t in tensors[:2])
            raise invalid(f"{what}, {kind}", found, "tensors (batch, ...) of one kind")
    x, y = zip(*parts, strict=True)
    return torch.cat(x), torch.cat(y)


def _iterated(inputs: Any, what: str) -> Iterator[Any]:
    if isinstance(inputs, str | bytes | Mapping) or not isinstance(inputs, Iterable):
        raise invalid(what, inputs, _ALLOWED)
    return iter(inputs)
