"""One pass of a network on several chips: what each operation sees, and what arrays see.

A network is run as on one chip. `Together` runs it once, each operation on the tensors of all chips
(`torch.vmap`, chips as its batch dimension); what differs from chip to chip, such as a layer on
arrays, takes the tensors of all chips at once by `on_all_chips`. `Alone` is the pass of one chip
after another, for networks that are no function of tensors to torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor

from mho.errors import invalid


@dataclass(frozen=True)
class Together:
    """All chips at once: tensors have a hidden first dimension."""

    chips: int
    token: Tensor
    """Numbers of the chips, one tensor that surely has the hidden dimension."""


@dataclass(frozen=True)
class Alone:
    """One of several chips."""

    chip: int


_NOW: ContextVar[Together | Alone | None] = ContextVar("pass", default=None)


def current() -> Together | Alone | None:
    """The pass that runs; None: tensors are those of one chip, or of several folded into the first
    dimension, chip-major."""
    return _NOW.get()


@contextmanager
def running(now: Together | Alone) -> Iterator[None]:
    """Such a pass inside."""
    before = _NOW.set(now)
    try:
        yield
    finally:
        _NOW.reset(before)


_FOLDED: ContextVar[bool] = ContextVar("folded", default=False)


@contextmanager
def chips_folded() -> Iterator[None]:
    """Inside runs a network on several chips, these folded into the first dimension."""
    before = _FOLDED.set(True)
    try:
        yield
    finally:
        _FOLDED.reset(before)


def check_inside(owner: str, chips: int) -> None:
    """Refuse a part of a network on several chips that is called outside of a pass of the network,
    of which it cannot know how its inputs hold the chips.

    Args:
        owner: what the error calls the part.

    Raises:
        ValueError: no pass runs.
    """
    if _NOW.get() is None and not _FOLDED.get():
        allowed = (
            "a pass of the network, by calling it or one of its methods; a part of it answers for "
            f"all chips as mho.nn.Chips(part, {chips})"
        )
        what = f"called outside of its network on {chips} chips"
        raise invalid(f"layer {owner}", what, allowed)


AllChips = Callable[..., Tensor | tuple[Tensor, ...]]
"""Takes tensors (chips, ...) and gives one such, or several."""


def on_all_chips(fn: AllChips, *given: Tensor | None) -> Any:
    """In a pass of all chips together, what `fn` makes of the tensors of all of them.

    Args:
        fn: called with the tensors given, now (chips, ...), and None where None was given; may use
            gradients.
        given: tensors as the network sees them, those of one chip.
    """
    now = _NOW.get()
    assert isinstance(now, Together)
    return _OnAllChips.apply(fn, now.token, *given)


def folded(fn: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """What `fn`, which takes and gives tensors with chips folded into the first dimension, makes of
    a tensor of the pass that runs."""
    if not isinstance(_NOW.get(), Together):
        return fn(x)
    every = lambda x: fn(x.flatten(0, 1)).unflatten(0, (len(x), -1))  # noqa: E731
    return on_all_chips(every, x)


def of_pass(values: Shaped[Tensor, "chips ..."]) -> Shaped[Tensor, "some ..."]:
    """Values of the chips whose tensors are computed now: of all, or of the one that runs alone."""
    now = _NOW.get()
    if isinstance(now, Alone) and len(values) > 1:
        return values[now.chip : now.chip + 1]
    return values


def whole(x: Tensor) -> Shaped[Tensor, "rows ..."]:
    """A tensor (n, ...) of one chip in the pass that runs as (chips * n, ...), for those who note
    what passes; x itself where chips are folded already.

    Raises:
        ValueError: chips are run one after another.
    """
    noted: list[Tensor] = []

    def note(every: Tensor) -> Tensor:
        noted.append(every)
        return every

    refuse_alone("net")
    folded(note, x)
    return noted[0]


def refuse_alone(what: str) -> None:
    """Refuse to work on one chip after another.

    Raises:
        ValueError: chips are run so; the message names what was given.
    """
    if isinstance(_NOW.get(), Alone):
        allowed = "one that torch.vmap can run, or one on one chip: mho.convert(..., chips=None)"
        raise invalid(what, "a network that is run chip by chip", allowed)


class _OnAllChips(torch.autograd.Function):
    """What is differentiated is what `vmap` does; the rest is never run."""

    @staticmethod
    def forward(fn: AllChips, _token: Tensor, *_given: Tensor | None) -> Any:
        raise AssertionError(fn)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None: ...

    @staticmethod
    def vmap(  # pyright: ignore[reportIncompatibleMethodOverride]
        info: Any, in_dims: Sequence[int | None], fn: AllChips, _token: Tensor, *given: Tensor
    ) -> tuple[Any, Any]:
        every = [
            x if not isinstance(x, Tensor) else _leading(x, dim, info.batch_size)
            for x, dim in zip(given, in_dims[2:], strict=True)
        ]
        with torch._C.DisableTorchFunction():
            made = fn(*every)
        return made, tuple(0 for _ in made) if isinstance(made, tuple) else 0


def _leading(x: Tensor, dim: int | None, chips: int) -> Tensor:
    """With chips as the first dimension."""
    return x.expand(chips, *x.shape) if dim is None else x.movedim(dim, 0)
