"""What a network on several chips keeps from one pass to the next, in buffers and attributes."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.utils import _pytree as pytree

from mho.errors import invalid
from mho.learning.layers.layer import ArrayLayer
from mho.learning.layers.replace import deep_copy
from mho.learning.layers.structure import Structure, joined

_MOST = 1000
"""Entries of a list or dictionary up to which it is looked into."""

_OF_TORCH = {*vars(nn.Module())}
"""Attributes of modules that are torch's own."""

_ABSENT = object()
"""Value of an attribute that there is not."""

Mark = tuple[object, object]
"""A leaf of a value, and the version of a tensor: both are others where the value was changed."""


class Place(NamedTuple):
    """A buffer or an attribute of a module; of a list or dictionary the entries."""

    module: nn.Module
    name: str
    is_buffer: bool = False
    shared: bool = False
    """Whether it holds statistics, of which all chips have the mean."""

    def now(self) -> Any:
        """What is there; entries of a list or dictionary in a copy."""
        if self.is_buffer:
            return self.module._buffers[self.name]
        value = vars(self.module).get(self.name, _ABSENT)
        return value.copy() if isinstance(value, list | dict) else value

    def put(self, value: Any) -> None:
        """Set what is there; a list or dictionary stays the same one, with other entries."""
        there = vars(self.module).get(self.name)
        if self.is_buffer:
            self.module._buffers[self.name] = value
        elif value is _ABSENT:
            vars(self.module).pop(self.name, None)
        elif isinstance(there, list) and isinstance(value, list):
            there[:] = value
        elif isinstance(there, dict) and isinstance(value, dict):
            there.clear()
            there.update(value)
        else:
            vars(self.module)[self.name] = value


def places(net: nn.Module) -> list[Place]:
    """Where passes of a network may keep something: buffers, but for those of arrays and of torch's
    layers in eval mode, and attributes of modules of the user's own."""
    on_arrays: set[nn.Module] = set()
    found: list[Place] = []
    for module in net.modules():
        if isinstance(module, ArrayLayer):
            on_arrays.update(module.modules())
        of = type(module).__module__
        torchs, ours = of.startswith("torch.nn."), of.startswith("mho.")
        if module in on_arrays:
            continue
        if module.training or not torchs:
            statistics = torchs or ours or isinstance(module, _NormBase)
            found += [
                Place(module, name, is_buffer=True, shared=statistics)
                for name, buffer in module._buffers.items()
                if buffer is not None
            ]
        if not torchs and not ours:
            found += [
                Place(module, name)
                for name, value in vars(module).items()
                if name not in _OF_TORCH and _is_state(value)
            ]
    return found


class OfChips:
    """A value of each chip's own.

    Attributes:
        all: the values as one, tensors (chips, ...); a list of them where they differ in more.
    """

    def __init__(self, each: Sequence[Any], whole: Any = _ABSENT) -> None:
        self._each = [*each]
        self.all = whole
        if whole is _ABSENT:
            try:
                self.all = joined([Structure(value) for value in each])
            except ValueError:
                self.all = [*each]
        self._parts = Structure(self.all)
        first = Structure(each[0])
        self.is_stacked = first.spec == self._parts.spec and len(first.others) == len(
            self._parts.others
        )
        """Whether only tensors differ."""

    def __reduce__(self) -> Any:
        return OfChips, (self._each, self.all)

    def copied(self, memo: dict[int, Any]) -> OfChips:
        """A copy; `memo` as of `copy.deepcopy`."""
        each, whole = (
            pytree.tree_map(lambda leaf: deep_copy(leaf, memo), value)
            for value in (self._each, self.all)
        )
        return OfChips(each, whole)

    def of(self, chip: int) -> Any:
        """That of one chip."""
        if self.is_stacked:
            return self._parts.filled([tensor[chip] for tensor in self._parts.tensors])
        return self._each[chip]


class Kept:
    """What each chip of a network has of its own since its last pass, by place.

    Between passes there stands in its place what is of all chips: in attributes tensors
    (chips, ...), in buffers, which states have, the mean. Where a user sets something else there,
    all chips begin with that.
    """

    def __init__(self) -> None:
        self._of: dict[tuple[nn.Module, str], tuple[list[Mark], OfChips]] = {}

    def of(self, place: Place) -> OfChips | None:
        """What each chip has at a place; None: all have what is there."""
        marks, own = self._of.get((place.module, place.name), (None, None))
        if own is not None and not _are_alike(_marks(place.now()), marks):
            del self._of[place.module, place.name]
            return None
        return own

    def leave(self, place: Place, own: OfChips) -> None:
        """Have chips begin their next pass with values of their own at a place."""
        parts = Structure(own.all)
        place.put(_mean(place, own) if place.is_buffer else own.all)
        if parts.tensors and not place.shared:
            self._of[place.module, place.name] = _marks(place.now()), own
        else:
            self._of.pop((place.module, place.name), None)

    def __getstate__(self) -> dict[Any, Any]:
        """Leaves without versions, which copies of tensors have of their own."""
        return {at: ([leaf for leaf, _ in marks], own) for at, (marks, own) in self._of.items()}

    def __setstate__(
        self, state: dict[tuple[nn.Module, str], tuple[list[object], OfChips]]
    ) -> None:
        self._of = {at: (_marks(leaves), own) for at, (leaves, own) in state.items()}

    def __deepcopy__(self, memo: dict[int, Any]) -> Kept:
        other = Kept()
        for (module, name), (marks, own) in self._of.items():
            leaves = [deep_copy(leaf, memo) for leaf, _ in marks]
            other._of[copy.deepcopy(module, memo), name] = _marks(leaves), own.copied(memo)
        return other

    @contextmanager
    def showing(self, net: nn.Module, chip: int) -> Iterator[None]:
        """Inside there stands in each place what one chip has."""
        own = [(place, place.now(), self.of(place)) for place in places(net)]
        try:
            for place, _, each in own:
                if each is not None:
                    place.put(each.of(chip))
            yield
        finally:
            for place, before, each in own:
                if each is not None:
                    place.put(before)


class Passes:
    """A call of a network on several chips: one pass of all, or one of each.

    Each pass begins with what its chips have in each place. If the call fails, all is as before.
    """

    def __init__(self, kept: Kept, net: nn.Module, chips: int) -> None:
        self._kept, self._net, self._chips = kept, net, chips
        self._places = places(net)
        self._before = [place.now() for place in self._places]
        self._own = [kept.of(place) for place in self._places]
        self._begun: list[list[Mark]] = []
        self._changed: dict[int, list[Any]] = {}

    def __enter__(self) -> Passes:
        return self

    def __exit__(self, failed: object, *_: object) -> None:
        if failed is not None:
            self._look_again()
            self._put_back()

    @property
    def can_be_together(self) -> bool:
        """Whether what chips have of their own differs in tensors alone."""
        return all(own is None or own.is_stacked for own in self._own)

    @property
    def tensors(self) -> list[Tensor]:
        """Tensors (chips, ...) of what chips have of their own."""
        return [tensor for own in self._own if own for tensor in own._parts.tensors]

    def begin_together(self, tensors: Sequence[Tensor]) -> None:
        """The pass of all chips begins; tensors as one chip has them."""
        given = iter(tensors)
        self._begin(
            before if own is None else own._parts.filled([next(given) for _ in own._parts.tensors])
            for before, own in zip(self._before, self._own, strict=True)
        )

    def end_together(self) -> tuple[list[Tensor], list[tuple[int, Structure]]]:
        """It is over: tensors, as one chip has them, of all that it changed."""
        changed = [(k, Structure(value)) for k, value in self._end()]
        return [tensor for _, value in changed for tensor in value.tensors], changed

    def settle_together(
        self, made: Sequence[Tensor], changed: Sequence[tuple[int, Structure]]
    ) -> None:
        """Chips keep what it changed, of which the tensors are (chips, ...)."""
        self._put_back()
        rest = iter(made)
        for k, value in changed:
            tensors = [next(rest) for _ in value.tensors]
            each = [value.filled([t[chip] for t in tensors]) for chip in range(self._chips)]
            self._kept.leave(self._places[k], OfChips(each, value.filled(tensors)))

    def begin(self, chip: int) -> None:
        """The pass of one chip begins."""
        self._put_back()
        self._begin(
            before if own is None else own.of(chip)
            for before, own in zip(self._before, self._own, strict=True)
        )

    def end(self, chip: int) -> None:
        """It is over."""
        for k, value in self._end():
            own = self._own[k] if k < len(self._own) else None
            before = None if self._before[k] is _ABSENT else self._before[k]
            each = [before if own is None else own.of(other) for other in range(self._chips)]
            self._changed.setdefault(k, each)[chip] = value

    def settle(self, *, as_first: bool = False) -> None:
        """Chips keep what their passes changed; or all what that of the first chip did."""
        self._put_back()
        for k, each in self._changed.items():
            values = each[:1] * self._chips if as_first else each
            self._kept.leave(self._places[k], OfChips(values))

    def _begin(self, values: Iterator[Any]) -> None:
        for place, value in zip(self._places, values, strict=True):
            place.put(value.clone() if isinstance(value, Tensor) else value)
        self._begun = [_marks(place.now()) for place in self._places]

    def _end(self) -> list[tuple[int, Any]]:
        """What a pass changed, by number of the place."""
        begun = len(self._begun)
        self._look_again()
        marks = [*self._begun, *([] for _ in self._places[begun:])]
        now = [place.now() for place in self._places]
        pairs = zip(now, marks, strict=True)
        return [(k, v) for k, (v, mark) in enumerate(pairs) if _may_differ(_marks(v), mark)]

    def _look_again(self) -> None:
        """Find attributes that there were not before."""
        known = {(place.module, place.name) for place in self._places}
        more = [each for each in places(self._net) if (each.module, each.name) not in known]
        self._places += more
        self._before += [_ABSENT] * len(more)
        self._own += [None] * len(more)

    def _put_back(self) -> None:
        for place, before in zip(self._places, self._before, strict=True):
            place.put(before)


def _is_state(value: Any) -> bool:
    if isinstance(value, list | dict):
        return len(value) <= _MOST
    return value is None or isinstance(value, Tensor | bool | int | float | complex | str | tuple)


def _marks(value: Any) -> list[Mark]:
    return [(leaf, _version(leaf)) for leaf in pytree.tree_leaves(value)]


def _version(leaf: object) -> object:
    if not isinstance(leaf, Tensor):
        return None
    return None if leaf.is_inference() else leaf._version


def _are_alike(some: Sequence[Mark], others: Sequence[Mark] | None) -> bool:
    return (
        others is not None
        and len(some) == len(others)
        and all(a[0] is b[0] and a[1] == b[1] for a, b in zip(some, others, strict=True))
    )


def _may_differ(some: Sequence[Mark], others: Sequence[Mark]) -> bool:
    """As not alike; tensors of inference mode may have been changed in place unseen."""
    unseen = (leaf.is_inference() for leaf, _ in some if isinstance(leaf, Tensor))
    return any(unseen) or not _are_alike(some, others)


def _mean(place: Place, own: OfChips) -> Tensor:
    """Of a buffer: what stood there, if it is of the same kind, with the mean of all chips."""
    (every,) = own._parts.tensors if own.is_stacked else (None,)
    if every is None:
        allowed = "of one shape on all chips"
        raise invalid(f"network on chips, buffer {place.name!r}", "of several", allowed)
    wide = torch.complex128 if every.is_complex() else torch.float64
    mean = every.detach().to(wide).mean(0).to(every.dtype)
    there = place.module._buffers[place.name]
    alike = there is not None and there.shape == mean.shape and there.dtype == mean.dtype
    if not alike or (there is not None and there.requires_grad):
        return mean
    with torch.no_grad():
        return there.copy_(mean)  # type: ignore[union-attr]
