"""Weights that torch computes anew in a hook before each forward pass: weight norm, spectral norm,
pruning."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import (
    SpectralNorm,
    SpectralNormLoadStateDictPreHook,
    SpectralNormStateDictHook,
)
from torch.nn.utils.weight_norm import WeightNorm

from mho.errors import invalid

_OF_TORCH = WeightNorm | SpectralNorm | BasePruningMethod
_STATES = SpectralNormStateDictHook | SpectralNormLoadStateDictPreHook


@contextmanager
def recomputed(label: str, module: nn.Module) -> Iterator[list[object]]:
    """Inside, tensors that hooks of a layer compute are those of its next forward pass in eval
    mode, in which it is; after, all is as before.

    Args:
        label: what errors call the layer.

    Yields:
        The hooks that compute them, or work for those that do.

    Raises:
        ValueError: a hook computes one from what it is given in a forward pass.
    """
    hooks: list[object] = []
    before: list[tuple[nn.Module, dict[str, Tensor]]] = []
    try:
        for part in module.modules():
            held = {name: x for name, x in vars(part).items() if isinstance(x, Tensor)}
            before.append((part, held))
            hooks += _compute(label, part, held) if held else []
        yield hooks
    finally:
        for part, held in before:
            vars(part).update(held)


def mask_of(module: nn.Module, name: str) -> Tensor | None:
    """Which numbers of a parameter are not pruned, 1 or 0; None: all."""
    pruned = any(
        isinstance(hook, BasePruningMethod) and hook._tensor_name == name
        for hook in module._forward_pre_hooks.values()
    )
    return getattr(module, f"{name}_mask") if pruned else None


def _compute(label: str, part: nn.Module, held: dict[str, Tensor]) -> list[object]:
    """Have the hooks of a module compute its tensors; which hooks do."""
    every = [*part._forward_pre_hooks.values()]
    known = [hook for hook in every if isinstance(hook, _OF_TORCH)]
    left = {*held} - {_name(hook) for hook in known}
    states = (part._state_dict_hooks, part._load_state_dict_pre_hooks)
    helping = [h for hooks in states for h in hooks.values() if isinstance(_inner(h), _STATES)]
    with torch.enable_grad():  # by which it is seen what trains
        for hook in known:
            hook(part, ())
        others = [hook for hook in every if hook not in known] if left else []
        own = [hook for hook in others if _computes(label, part, hook, left)]
    return [*known, *helping, *own]


def _computes(label: str, part: nn.Module, hook: Callable[..., Any], names: set[str]) -> bool:
    """Call a hook of the user's own; whether it sets one of some tensors."""
    before = {name: vars(part)[name] for name in names}
    number = next(n for n, each in part._forward_pre_hooks.items() if each is hook)
    try:
        hook(part, (), *([{}] if number in part._forward_pre_hooks_with_kwargs else []))
    except Exception as error:
        name = sorted(names)[0]
        allowed = "a parameter; it is computed in a forward pre-hook, from what that is given"
        raise invalid(f"{label}.{name}", "a tensor", allowed) from error
    return any(vars(part)[name] is not value for name, value in before.items())


def _name(hook: object) -> str:
    """Name of the tensor that a hook of torch's computes."""
    return hook._tensor_name if isinstance(hook, BasePruningMethod) else hook.name  # type: ignore[attr-defined, return-value]


def _inner(hook: Any) -> object:
    return getattr(hook, "hook", hook)
