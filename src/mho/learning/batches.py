"""What a function of a network takes for its inputs: a tensor, a loader, or any iterable."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mho.errors import invalid, shown
from mho.learning.samples import Loader, batches, is_set

Batch = Tensor | tuple[Tensor, ...] | dict[str, Tensor]
"""Inputs (batch, ...) of one forward pass: a tensor; or, of a network that takes several, a tuple
of them, or a dictionary by the names of its arguments. Where these differ in length, as the nodes
and the edges of a graph do, the first one counts as that of the batch, which stays whole."""

Inputs = Tensor | Loader
"""One batch (batch, ...); or batches, each a tensor, a dictionary of tensors by the names of the
network's arguments, or a pair whose first item is one of these or a tuple of tensors: a data
loader, a list, `x.split(64)`, a generator; or a data set of samples (input, label)."""

_ALLOWED = "a tensor (batch, ...), or batches of them: a loader, a list, a generator"


def run(net: nn.Module, batch: Batch) -> Any:
    """What a network gives for a batch."""
    if isinstance(batch, Tensor):
        return net(batch)
    return net(**batch) if isinstance(batch, dict) else net(*batch)


def tensors_of(batch: Batch) -> list[Tensor]:
    """The tensors of a batch, in order."""
    if isinstance(batch, Tensor):
        return [batch]
    return [*batch.values()] if isinstance(batch, dict) else [*batch]


def like(batch: Batch, tensors: Iterable[Tensor]) -> Batch:
    """A batch of other tensors in the places of those of a batch."""
    if isinstance(batch, Tensor):
        return next(iter(tensors))
    if isinstance(batch, dict):
        return dict(zip(batch, tensors, strict=True))
    return tuple(tensors)


def length(batch: Batch) -> int:
    """Inputs of a batch."""
    return len(tensors_of(batch)[0])


def split(batch: Batch, size: int) -> list[Batch]:
    """A batch in parts of so many inputs, the last one of less; whole where it cannot be cut."""
    if not _can_be_cut(batch):
        return [batch]
    parts = zip(*(x.split(size) for x in tensors_of(batch)), strict=True)
    return [like(batch, part) for part in parts]


def _can_be_cut(batch: Batch) -> bool:
    """Whether all its tensors are of one length, that of the batch."""
    return len({len(x) for x in tensors_of(batch)}) == 1


def batches_of(inputs: Inputs, what: str) -> Iterator[Batch]:
    """The batches (batch, ...) one after another, without their labels; empty ones are left out.

    Args:
        what: name of the argument, for errors.

    Raises:
        ValueError: there is no batch, or only empty ones; one of something else than tensors, of
            nan or inf, or of another kind than the first; or all inputs are 0. Each batch is looked
            at before it is handed over.
    """
    first: Batch | None = None
    signal = False
    for item in [inputs] if isinstance(inputs, Tensor) else _iterated(inputs, what):
        batch = batch_of(item[0] if isinstance(item, tuple | list) and item else item, what)
        for x in (given := tensors_of(batch)):
            _check(x, what)
        first = batch if first is None else first
        if _kind(batch) != _kind(first):
            kinds = " and of ".join(map(_described, (first, batch)))
            allowed = f"{_ALLOWED}, all of one kind; labels go in pairs: [(inputs, labels), ...]"
            raise invalid(what, f"batches of {kinds}", allowed)
        for x in given:
            if not torch.isfinite(x).all():
                raise invalid(what, "nan or inf", "finite numbers only")
        if all(x.numel() for x in given):
            # of whole numbers, which name things, 0 is as good as any
            signal = signal or any(not x.is_floating_point() or bool(x.any()) for x in given)
            yield batch
    if first is None:
        raise invalid(what, "no batch", "at least one batch of inputs")
    if not signal:
        some = all(x.numel() for x in tensors_of(first))
        value = "zeros only" if some else "an empty batch"
        raise invalid(what, value, "inputs of which some are not 0")


def batch_of(item: Any, what: str) -> Batch:
    """A batch as a loader gives it, with tensors for arrays.

    Raises:
        ValueError: it is something else, or one of its tensors has no dimension.
    """
    if isinstance(item, np.ndarray) and item.dtype.kind in "fiu":
        item = torch.as_tensor(item)
    if isinstance(item, Tensor):
        return item
    if isinstance(item, dict) and item and all(isinstance(name, str) for name in item):
        batch: Batch = {name: batch_of(x, what) for name, x in item.items()}  # type: ignore[misc]
    elif isinstance(item, tuple | list) and item:
        batch = tuple(batch_of(x, what) for x in item)  # type: ignore[misc]
    else:
        raise invalid(what, f"batches of {type(item).__name__}", _ALLOWED)
    for x in tensors_of(batch):
        if not isinstance(x, Tensor) or x.dim() == 0:
            raise invalid(what, f"batches of {shown(x)} among others", "tensors (batch, ...)")
    return batch


def _check(x: Tensor, what: str) -> None:
    """Refuse tensors that are no inputs."""
    if x.dim() == 0:
        raise invalid(what, "a tensor without dimensions", _ALLOWED)
    if x.is_complex() or x.dtype is torch.bool or x.layout is not torch.strided or x.is_meta:
        raise invalid(what, x, f"{_ALLOWED}, dense and of real numbers")


def _kind(batch: Batch) -> tuple[object, ...]:
    """What all batches of a loader have in common."""
    names = tuple(batch) if isinstance(batch, dict) else ()
    return type(batch), names, *((x.dim(), x.dtype) for x in tensors_of(batch))


def _described(batch: Batch) -> str:
    return ", ".join(f"{x.dtype} {tuple(x.shape)}" for x in tensors_of(batch))


@contextmanager
def taking(batch: Batch, what: str) -> Iterator[None]:
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
        more = _SEVERAL if isinstance(error, TypeError) and "required positional" in why else ""
        raise invalid(what, batch, f"inputs that the network takes ({why}){more}") from error


_TORCH = (RuntimeError, NotImplementedError, TypeError, ValueError, IndexError, AttributeError)
"""What torch raises; errors of mho's own, and a lack of memory, are of classes below these."""

_SEVERAL = "; several inputs go in pairs, [((x, edges), labels)], or by name, [{'x': x, ...}]"
"""How inputs are given to a network that takes more than one."""

_LONGEST = 200
"""Characters of torch's words that are passed on."""


def whole_of(inputs: Inputs, what: str) -> Batch:
    """All batches as one (batch, ...); errors as in `batches_of`."""
    parts = [*batches_of(inputs, what)]
    if len(parts) > 1 and not all(map(_can_be_cut, parts)):
        whole = next(part for part in parts if not _can_be_cut(part))
        lengths = [len(x) for x in tensors_of(whole)]
        allowed = "one batch alone, where inputs differ in length: batches cannot be joined"
        raise invalid(f"{what}, lengths of the inputs", lengths, allowed)
    for column in zip(*map(tensors_of, parts), strict=True):
        for x in column:
            if x.shape[1:] != column[0].shape[1:]:
                found = f"{shown(column[0])} and {shown(x)}"
                raise invalid(what, found, "batches of one shape, but for their length")
    return joined(parts)


def are_alike(parts: list[Batch]) -> bool:
    """Whether batches are of one shape but for their length, so that they can be joined and cut."""
    shapes = {tuple(x.shape[1:] for x in tensors_of(batch)) for batch in parts}
    return len(shapes) == 1 and all(map(_can_be_cut, parts))


def joined(parts: list[Batch]) -> Batch:
    """Batches of one shape as one."""
    columns = zip(*map(tensors_of, parts), strict=True)
    return parts[0] if len(parts) == 1 else like(parts[0], map(torch.cat, columns))


def pairs_of(inputs: Inputs, what: str) -> tuple[Batch, Tensor]:
    """Inputs and targets of batches (inputs, targets), each as one.

    Raises:
        ValueError: there is no batch, or one that is no such pair.
    """
    given: list[Batch] = []
    targets: list[Tensor] = []
    for item in [inputs] if isinstance(inputs, Tensor) else _iterated(inputs, what):
        pair = tuple(item) if isinstance(item, tuple | list) else (item,)
        if len(pair) != 2:
            raise invalid(what, f"a batch of {len(pair)}", "batches (inputs, targets)")
        target = torch.as_tensor(pair[1]) if isinstance(pair[1], np.ndarray) else pair[1]
        if not isinstance(target, Tensor):
            raise invalid(what, f"targets of {type(target).__name__}", "batches (inputs, targets)")
        given.append(batch_of(pair[0], what))
        targets.append(target)
    if not given:
        raise invalid(what, "no batch", "at least one batch (inputs, targets)")
    columns = [*zip(*map(tensors_of, given), strict=True)]
    for kind, tensors in (*(("inputs", column) for column in columns), ("targets", targets)):
        shapes = {(t.shape[1:], t.dtype, t.dim() > 0) for t in tensors}
        if len(shapes) > 1 or not tensors[0].dim():
            found = " and ".join(shown(t) for t in tensors[:2])
            raise invalid(f"{what}, {kind}", found, "tensors (batch, ...) of one kind")
    return like(given[0], map(torch.cat, columns)), torch.cat(targets)


def _iterated(inputs: Any, what: str) -> Iterator[Any]:
    if is_set(inputs):
        return batches(inputs, what)
    if isinstance(inputs, str | bytes | Mapping) or not isinstance(inputs, Iterable):
        raise invalid(what, inputs, _ALLOWED)
    return iter(inputs)
