"""Exchanging modules of a network, in a copy or in place."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.utils import _pytree as pytree

Net = TypeVar("Net", bound=nn.Module)


def rebuild(
    model: nn.Module,
    replace: Callable[[str, nn.Module], nn.Module | None],
    copies: dict[int, object] | None = None,
) -> nn.Module:
    """Deep copy of a network with some modules replaced; shared modules stay shared.

    Args:
        model: any network.
        replace: called with (name, module); gives the new module, or None to copy the old one; not
            called for what is inside of a module that was replaced.
        copies: what stands for objects of the model in the copy already, by their id; more are
            added.
    """
    memo = {} if copies is None else copies
    for module in model.modules():
        for leaf in pytree.tree_leaves([*vars(module).values()]):
            if isinstance(leaf, Tensor):
                _copy_by_value(leaf, memo)
    done: set[nn.Module] = set()
    for name, module in model.named_modules():
        new = None if module in done else replace(name, module)
        if new is not None:
            memo[id(module)] = new
            done.update(module.modules())
    return copy.deepcopy(model, memo)  # type: ignore[arg-type]


def deep_copy(leaf: Any, memo: dict[int, Any]) -> Any:
    """As `copy.deepcopy`, also of tensors that it does not take."""
    if isinstance(leaf, Tensor):
        _copy_by_value(leaf, memo)
    return copy.deepcopy(leaf, memo)


def _copy_by_value(tensor: Tensor, memo: dict[int, Any]) -> None:
    """Have `copy.deepcopy` take a tensor that it does not take: one that was computed, as in a hook
    or kept from a pass, and one that has no storage of its own, as sparse ones."""
    without = tensor.is_nested or tensor.layout not in (torch.strided, torch.sparse_coo)
    if id(tensor) not in memo and (not tensor.is_leaf or without):
        value = tensor.detach().clone()
        memo[id(tensor)] = value.requires_grad_(tensor.is_leaf and tensor.requires_grad)


def copied(net: Net) -> Net:
    """Deep copy of a network, also of one whose hooks have computed weights in a pass."""
    return cast(Net, rebuild(net, lambda _name, _module: None))


def swap(net: nn.Module, old: nn.Module, new: nn.Module) -> None:
    """Put one module in the place of another, wherever in the network that is used."""
    for parent in list(net.modules()):
        for name, child in parent._modules.items():
            if child is old:
                parent._modules[name] = new


def holder_of(module: nn.Module, name: str) -> tuple[nn.Module, str]:
    """The module inside of another that has a parameter of a dotted name, and its name there."""
    path, _, last = name.rpartition(".")
    return module.get_submodule(path), last


def plain_type(module: nn.Module) -> type[nn.Module]:
    """Type of a layer, seen through parametrization."""
    if parametrize.is_parametrized(module):
        return type(module).__mro__[1]
    return type(module)
