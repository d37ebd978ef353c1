"""Functions that a network keeps and that hold layers of it: a copy of the network shares them."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import FunctionType, MethodType
from typing import Any

from torch import nn

from mho.errors import invalid

_OF_TORCH = {*vars(nn.Module())}
"""Attributes that every module has, hooks among them."""


def check_functions(model: nn.Module) -> None:
    """Refuse a network with a function, such as a lambda, as an attribute that holds a layer: it
    would compute with the layers of the model in every copy of it.

    Raises:
        ValueError: names the attribute and the layer.
    """
    names = {module: name for name, module in model.named_modules()}
    for name, module in model.named_modules():
        for attribute, value in vars(module).items():
            for function in _functions(value) if attribute not in _OF_TORCH else ():
                held = next((m for m in _held(function) if m in names), None)
                if held is None:
                    continue
                layer = f"layer {names[held]!r}" if names[held] else "the model"
                allowed = "a method, whose copy is that of the new network, or nn.Module"
                what = f"a function that holds {layer}"
                raise invalid(f"{name}.{attribute}".lstrip("."), what, allowed)


def _functions(value: Any) -> Iterator[FunctionType]:
    """A function, or those directly in a list, tuple or dictionary."""
    inside = value.values() if isinstance(value, dict) else value
    for each in inside if isinstance(value, list | tuple | dict) else (value,):
        if isinstance(each, FunctionType):
            yield each


def _held(function: FunctionType) -> Iterator[nn.Module]:
    """Modules that a function holds."""
    variables = inspect.getclosurevars(function)
    values = [*variables.nonlocals.values(), *variables.globals.values()]
    for value in (*values, *(function.__defaults__ or ())):
        owner = value.__self__ if isinstance(value, MethodType) else value
        if isinstance(owner, nn.Module):
            yield owner
