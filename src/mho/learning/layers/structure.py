"""What a function of a network takes and gives: tensors, and what is around them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence
from torch.utils import _pytree as pytree

from mho.arguments import checked
from mho.errors import invalid

_PLAIN = str | bytes | int | float | complex | None | torch.dtype | torch.device


@dataclass(frozen=True)
class EachChip:
    """An argument of a network on chips that differs from chip to chip; see `each_chip`."""

    values: Any


@checked
def each_chip(values: Any) -> EachChip:
    """Mark an argument of a network on chips as one with values of each chip's own.

    A network that is stepped through time takes back what it gave: `y, h = net(x, each_chip(h))`.

    Args:
        values: a tensor (chips, ...), or a tuple, list or dictionary of such.

    Raises:
        ValueError: there is no tensor in them.
    """
    try:
        some = Structure(values).tensors
    except RecursionError:
        some = []
    if not some:
        raise invalid("values", values, "a tensor (chips, ...), or a tuple, list or dict of such")
    return EachChip(values)


class Structure:
    """A tensor, or tuples, lists, dictionaries and what else torch's pytrees know, of tensors and
    other values."""

    def __init__(self, given: Any) -> None:
        self.given = given
        leaves, self.spec = pytree.tree_flatten(given)
        self._are_tensors = [isinstance(leaf, Tensor) for leaf in leaves]
        self.tensors: list[Tensor] = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
        self.others: list[Any] = [leaf for leaf in leaves if not isinstance(leaf, Tensor)]

    @property
    def is_plain(self) -> bool:
        """Whether no value may have tensors inside."""
        return all(isinstance(value, _PLAIN) for value in self.others)

    def check_plain(self) -> None:
        """Refuse values that may have tensors inside.

        Raises:
            TypeError: names the first one's type.
        """
        for value in self.others:
            if not isinstance(value, _PLAIN):
                raise TypeError(f"there is a {type(value).__name__} in the answer")

    def filled(self, tensors: Iterable[Tensor], others: Iterable[Any] | None = None) -> Any:
        """The answer with other tensors, or values, in their places."""
        rest, given = iter(self.others if others is None else others), iter(tensors)
        leaves = [next(given if is_tensor else rest) for is_tensor in self._are_tensors]
        return pytree.tree_unflatten(leaves, self.spec)

    def of_chips(self, tensors: Sequence[Tensor], others: Iterable[Any] | None = None) -> Any:
        """The answer with tensors (chips, ...) in their places; packed sequences, which have no
        dimension for chips, become a list of each chip's."""
        answer = self.filled(tensors, others)
        return pytree.tree_map(_by_chip, answer, is_leaf=lambda x: isinstance(x, PackedSequence))


def _by_chip(leaf: Any) -> Any:
    """Packed sequences of tensors (chips, ...) as a list; anything else as it is."""
    if not isinstance(leaf, PackedSequence):
        return leaf
    every = zip(*(each for each in leaf if each is not None), strict=True)
    return [PackedSequence(*tensors) for tensors in every]


class Arguments:
    """Arguments of a call, some with values of each chip's own.

    Attributes:
        tensors: all of them.
        dims: of each, 0 if it is (chips, ...), None if it is the same for all chips.

    Raises:
        ValueError: values of each chip that are not as many as the chips; or a list in itself.
    """

    def __init__(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], chips: int) -> None:
        try:
            values, self.spec = pytree.tree_flatten((args, dict(kwargs)))
        except RecursionError:
            what = "a list in itself"
            raise invalid(
                "x", what, "tensors (batch, ...), in tuples, lists or dictionaries"
            ) from None
        own = [isinstance(value, EachChip) for value in values]
        self._parts = [
            Structure(value.values if isinstance(value, EachChip) else value) for value in values
        ]
        self.tensors = [tensor for part in self._parts for tensor in part.tensors]
        self.dims = [
            0 if each else None
            for part, each in zip(self._parts, own, strict=True)
            for _ in part.tensors
        ]
        for tensor, dim in zip(self.tensors, self.dims, strict=True):
            if dim == 0 and (tensor.dim() == 0 or len(tensor) != chips):
                raise invalid("each_chip, of shape", tuple(tensor.shape), f"({chips}, ...), chips")

    def filled(self, tensors: Iterable[Tensor]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Positional and keyword arguments with other tensors in their places."""
        rest = iter(tensors)
        values = [part.filled(islice(rest, len(part.tensors))) for part in self._parts]
        return pytree.tree_unflatten(values, self.spec)

    def of_chip(self, chip: int) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What one chip is given."""
        both = zip(self.tensors, self.dims, strict=True)
        return self.filled([x if dim is None else x[chip] for x, dim in both])


def joined(answers: Sequence[Structure]) -> Any:
    """Answers of several chips as one: tensors (chips, ...); another value where it is the same for
    all, else a list of them.

    Raises:
        ValueError: chips differ in what there is, or in its shape.
    """
    first = answers[0]
    for chip, answer in enumerate(answers):
        if answer.spec != first.spec or answer._are_tensors != first._are_tensors:
            what = f"{answer.spec} on chip {chip}, {first.spec} on chip 0"
            raise invalid("network on chips, answer", what, "one of the same structure on all")
        for one, other in zip(answer.tensors, first.tensors, strict=True):
            if one.shape != other.shape:
                what = f"{tuple(one.shape)} on chip {chip}, {tuple(other.shape)} on chip 0"
                raise invalid("network on chips, answer of shape", what, "the same on all")
    tensors = [torch.stack(each) for each in zip(*(a.tensors for a in answers), strict=True)]
    others = [_one_or_all(each) for each in zip(*(a.others for a in answers), strict=True)]
    return first.of_chips(tensors, others)


def _one_or_all(values: tuple[Any, ...]) -> Any:
    same = isinstance(values[0], _PLAIN) and all(value == values[0] for value in values)
    return values[0] if same else [*values]
