"""Hooks that a user has put on a layer, which go with it where another layer takes its place."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Collection
from typing import Any, TypeVar

from torch import nn

Fn = TypeVar("Fn", bound=Callable[..., Any])

_HOOKS = (
    *("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks"),
    *("_state_dict_pre_hooks", "_state_dict_hooks"),
    *("_load_state_dict_pre_hooks", "_load_state_dict_post_hooks"),
)
"""Where torch keeps the hooks of a module, by number."""

_HOW_CALLED = (
    *("_forward_pre_hooks_with_kwargs", "_forward_hooks_with_kwargs"),
    "_forward_hooks_always_called",
)
"""Where it keeps how those of some numbers are called."""


def stays(hook: Fn) -> Fn:
    """Mark a hook that is part of a kind of layer, and of no other that takes its place."""
    hook.stays = True  # type: ignore[attr-defined]
    return hook


def carry(
    old: nn.Module, new: nn.Module, copies: dict[int, object], without: Collection[object] = ()
) -> None:
    """Have a layer call the hooks of the layer whose place it has taken, in the same order.

    Args:
        copies: what stands in the new network for objects of the old one, by their id.
        without: hooks that are left out.
    """
    carried = set()
    for name in _HOOKS:
        theirs = getattr(new, name)
        for number, hook in getattr(old, name).items():
            if not _stays(hook) and hook not in without:
                theirs[number] = copy.deepcopy(hook, copies)  # type: ignore[arg-type]
                carried.add(number)
    for name in _HOW_CALLED:
        how = {number: value for number, value in getattr(old, name).items() if number in carried}
        getattr(new, name).update(how)
    if old._backward_hooks:
        new._is_full_backward_hook = old._is_full_backward_hook


def is_strict() -> bool:
    """Whether the `load_state_dict` that runs refuses a state that lacks something: torch tells
    hooks that all do."""
    frame = sys._getframe(1)
    while frame is not None and frame.f_code is not nn.Module.load_state_dict.__code__:
        frame = frame.f_back
    return frame is None or bool(frame.f_locals["strict"])


def drop_marked(net: nn.Module) -> None:
    """Take hooks that stay off what is no longer of their kind."""
    for name in _HOOKS:
        hooks = getattr(net, name)
        for number in [number for number, hook in hooks.items() if _stays(hook)]:
            del hooks[number]


def _stays(hook: Any) -> bool:
    return getattr(getattr(hook, "hook", hook), "stays", False)
