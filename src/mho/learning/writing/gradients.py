"""The gradients that optimizers took, for the rules of a write step."""

from __future__ import annotations

import math
import weakref
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.hooks import RemovableHandle

from mho.errors import invalid
from mho.hardware.store import is_finite
from mho.learning.layers.layer import ArrayLayer


class _Made(NamedTuple):
    """The gradient of one layer, when a backward pass had made it or an optimizer took it."""

    gradient: Tensor
    nonzero: bool | Tensor
    """Whether it was anything but 0 then."""
    taken: bool
    """Whether an optimizer is known to have taken it."""


class TakenGradients:
    """The gradients that optimizers took since the last write step, layer by layer.

    That of an attached optimizer is kept when the optimizer takes it. Of any other, the gradient is
    the one that the weight has when the write step is made: one that was dropped by then, or set to
    0, is refused rather than guessed, for between the backward pass and the optimizer's step it may
    have been replaced. So that a gradient that is 0 by itself is told from one that was set to 0,
    a hook on the weight looks at it when the backward pass has made it.
    """

    def __init__(self, layers: Mapping[str, ArrayLayer]) -> None:
        self._layers = layers
        self._made: dict[str, _Made] = {}
        self._watched: dict[str, Tensor] = {}
        handles: list[RemovableHandle] = []
        self._handles = handles
        weakref.finalize(self, _remove, handles).atexit = False
        self._watch()

    def __getstate__(self) -> dict[str, object]:
        """Copies and pickles have hooks of their own, and have seen no gradient."""
        return {"layers": self._layers}

    def __setstate__(self, state: dict[str, Mapping[str, ArrayLayer]]) -> None:
        self.__init__(state["layers"])

    def _watch(self) -> None:
        """Look at what backward passes make of weights that may have been frozen or replaced."""
        for name, layer in self._layers.items():
            weight = layer.weight
            if self._watched.get(name) is not weight and weight.requires_grad and weight.is_leaf:
                made = partial(_note, self._made, name)
                self._handles.append(weight.register_post_accumulate_grad_hook(made))
                self._watched[name] = weight

    def take(self, name: str, gradient: Tensor) -> None:
        """Keep the gradient that an optimizer takes."""
        self._made[name] = _Made(gradient, _nonzero(gradient), taken=True)

    def known(self, name: str) -> Tensor | None:
        """The gradient of a layer as it stands; None if there is none."""
        made = self._made.get(name)
        if made is not None and made.taken:
            return made.gradient
        return self._layers[name].weight.grad

    def of(self, name: str, moved: bool, needed_by: Sequence[str]) -> Tensor | None:
        """The gradient of a layer; None if there is none.

        Args:
            moved: whether the weight has moved.
            needed_by: names of rules that refuse movement without a gradient.

        Raises:
            ValueError: the gradient is not finite.
            RuntimeError: the gradient is gone, and is needed.
        """
        made, gradient = self._made.get(name), self.known(name)
        if gradient is None:
            if moved and needed_by:
                raise _gone(name, needed_by, "has no gradient")
            return None
        total = gradient.sum().item()
        if not math.isfinite(total):
            check_finite(name, gradient)
        was = made is not None and made.gradient is gradient and bool(made.nonzero)
        if total == 0 and was and needed_by and not gradient.any():
            raise _gone(name, needed_by, "has a gradient that was set to 0")
        return gradient

    def drop(self, names: Iterable[str]) -> None:
        """Some layers' gradients have been used, or have become those of something else."""
        for name in names:
            self._made.pop(name, None)
        self._watch()


def check_finite(name: str, gradient: Tensor) -> None:
    """Refuse a gradient with nan or inf in it."""
    if not is_finite(gradient):
        allowed = "finite numbers only; have the optimizer skip such a step, as GradScaler does"
        raise invalid(f"gradient of {name!r}", "nan or inf", allowed)


def _note(made: dict[str, _Made], name: str, weight: Tensor) -> None:
    """A backward pass has added to the gradient of a weight."""
    assert weight.grad is not None
    made[name] = _Made(weight.grad, _nonzero(weight.grad), taken=False)


def _nonzero(gradient: Tensor) -> bool | Tensor:
    """Whether any number is not 0; not waited for on a GPU."""
    if gradient.is_cpu:  # the first number that differs ends this
        return not torch.equal(gradient, gradient.new_zeros(()).expand_as(gradient))
    return gradient.any()


def _gone(name: str, needed_by: Sequence[str], what: str) -> RuntimeError:
    return RuntimeError(
        f"WriteStep: {name!r} moved and {what}, which {', '.join(needed_by)} needs; call the "
        "WriteStep after optimizer.step() and before optimizer.zero_grad(), or attach(optimizer) "
        "to it, which keeps the gradient"
    )


def _remove(handles: list[RemovableHandle]) -> None:
    for handle in handles:
        handle.remove()
