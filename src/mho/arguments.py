"""Arguments of public functions, taken by their annotations or refused in one sentence.

@checked
def write(net: nn.Module, threshold: float = 0.5) -> Written: ...

write(0.5)    # InvalidInput: net = 0.5: expected a torch network (nn.Module)

What is taken for what stands in `mho.kinds`; numbers are finite ones. An argument that is missing,
or of another name, is Python's own TypeError. What is refused has drawn no random number.
"""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Generator

from mho.errors import InvalidInput
from mho.kinds import taken

P = ParamSpec("P")
R = TypeVar("R")


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Have a function, a method, or a class's `__init__`, take its arguments as above.

    Raises:
        InvalidInput: an argument is of another kind than its annotation says, or out of the range
            that it names.
    """
    signature = inspect.signature(function)
    parameters = signature.parameters
    owner, _, name = function.__qualname__.rpartition(".")
    prefix = f"{owner}." if name == "__init__" else ""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            given = signature.bind(*args, **kwargs).arguments
        except TypeError:
            return function(*args, **kwargs)  # Python says what is missing, or too much
        bound = inspect.BoundArguments(signature, given)  # type: ignore[arg-type]
        for argument, hint in _hints(function).items():
            if argument in given:
                value, field = given[argument], f"{prefix}{argument}"
                several = parameters[argument].kind is inspect.Parameter.VAR_POSITIONAL
                given[argument] = (
                    tuple(taken(field, each, hint, finite=True) for each in value)
                    if several
                    else taken(field, value, hint, finite=True)
                )
        sources = [
            torch.default_generator,
            *(v for v in given.values() if isinstance(v, Generator)),
        ]
        states = [source.get_state() for source in sources]
        try:
            return function(*bound.args, **bound.kwargs)
        except InvalidInput:
            for source, state in zip(sources, states, strict=True):
                source.set_state(state)
            raise

    return call


@functools.cache
def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    hints = typing.get_type_hints(function, include_extras=True)
    return {name: hint for name, hint in hints.items() if name != "return"}
