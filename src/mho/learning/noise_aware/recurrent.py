"""Torch's recurrent layers, which keep a list of their weights, drawn once in each pass."""

from __future__ import annotations

import functools
from typing import Any

from torch import Tensor, nn
from torch.nn.utils import parametrize

from mho.learning.layers.graphs import uncompiled


def draw_once(layer: nn.Module) -> None:
    """Have a parametrized recurrent layer read each of its weights once in a forward pass, and keep
    none of what it has read; does nothing to other layers."""
    if not isinstance(layer, nn.RNNBase):
        return
    kind: Any = type(layer)  # the parametrized class, which is this layer's own
    forward = kind.forward

    @uncompiled
    @functools.wraps(forward)
    def cached(self: nn.RNNBase, *args: Any, **kwargs: Any) -> Any:
        with parametrize.cached():
            return forward(self, *args, **kwargs)

    kind.forward = cached
    kind._flat_weights = property(_weights, _ignored)
    for name in ("_init_flat_weights", "_update_flat_weights", "flatten_parameters"):
        setattr(kind, name, _nothing)
    layer.__dict__.pop("_flat_weights")


def keep_weights(layer: nn.Module) -> None:
    """Let a recurrent layer that is not parametrized any more list its weights as torch does."""
    if isinstance(layer, nn.RNNBase):
        layer._init_flat_weights()


def _weights(layer: nn.RNNBase) -> list[Tensor]:
    return [getattr(layer, name) for name in layer._flat_weights_names]


def _ignored(_layer: nn.RNNBase, _weights: object) -> None:
    """Nothing is kept."""


def _nothing(_layer: nn.RNNBase) -> None:
    """There is no list to keep up to date."""
