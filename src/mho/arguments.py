"""Arguments of public functions, taken by their annotations or refused in one sentence.

@checked
def write(net: nn.Module, threshold: float = 0.5) -> Written: ...

write(threshold=net)    # InvalidInput: net = ...: allowed is a torch network (nn.Module)

What plainly means what is asked for is taken: 2.0 and NumPy's numbers where a whole number is asked
for, a NumPy array for a tensor, a text for a path. Ranges are for the function to see to.
"""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypeVar, get_args, get_origin

import numpy as np
import torch
from torch import Tensor

from mho.config import Config, Range
from mho.errors import invalid

P = ParamSpec("P")
R = TypeVar("R")

WORDS: dict[str, str] = {
    "Module": "a torch network (nn.Module)",
    "Hardware": "a mho.Hardware, such as mho.Hardware(device=mho.devices.get('hfo2-1t1r'))",
    "Ledger": "a ledger, mho.ledger(net)",
    "ArrayLayer": "a memristive layer; see mho.nn.memristive_layers",
    "WriteStep": "a mho.WriteStep of the network",
    "Conduction": "a law of conduction",
    "Generator": "a torch.Generator, such as torch.Generator().manual_seed(1)",
    "Tensor": "a tensor",
    "Path": "the path of a file",
    "Callable": "a function",
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "True or False",
    "NoneType": "None",
}
"""What is asked for, by the name of its type; other types are called by their names."""


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Have a function, or the `__init__` of a class, take its arguments as above.

    Raises:
        InvalidInput: an argument is of another kind than its annotation says.
    """
    signature = inspect.signature(function)
    owner, _, name = function.__qualname__.rpartition(".")
    prefix = f"{owner}." if name == "__init__" else ""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        bound = signature.bind(*args, **kwargs)
        for argument, hint in _hints(function).items():
            if argument in bound.arguments:
                value = bound.arguments[argument]
                if signature.parameters[argument].kind is inspect.Parameter.VAR_POSITIONAL:
                    taken_each = tuple(taken(f"{prefix}{argument}", v, hint) for v in value)
                    bound.arguments[argument] = taken_each
                else:
                    bound.arguments[argument] = taken(f"{prefix}{argument}", value, hint)
        return function(*bound.args, **bound.kwargs)

    return call


def taken(field: str, value: Any, hint: Any) -> Any:
    """A value as its annotation asks for it.

    Raises:
        InvalidInput: it is of another kind; the message names the field and what is asked for.
    """
    options = _options(hint)
    for option, ranges in options:
        found = _as(field, value, option)
        if found is not _NO:
            for limits in ranges:
                if found not in limits:
                    raise invalid(field, shown(value), str(limits))
            return found
    wanted = dict.fromkeys(word for option, _ in options if (word := words(option)))
    raise invalid(field, shown(value), " or ".join(wanted))


def words(hint: Any) -> str:
    """What an annotation asks for."""
    if get_origin(hint) is Literal:
        return " or ".join(map(repr, get_args(hint)))
    if getattr(hint, "array_type", None) is Tensor and hint.index_variadic is None:
        return f"a tensor ({', '.join(hint.dim_str.split())})"
    kind = _kind(hint)
    if kind in (Sequence, list, tuple):
        inner = [a for a in get_args(hint) if a is not Ellipsis]
        return f"a list, each {words(inner[0])}" if inner else "a list"
    name = getattr(kind, "__name__", str(kind))
    article = "an" if name[:1] in "AEIO" else "a"
    return WORDS.get(name, f"{article} {name}")


def shown(value: Any) -> object:
    """A value as messages show it: itself if that is short, else its type."""
    if isinstance(value, str | int | float | None) or (
        isinstance(value, tuple | list | dict) and len(repr(value)) <= 60
    ):
        return value
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if isinstance(value, Tensor | np.ndarray):
        return f"{type(value).__name__} {tuple(value.shape)}"
    return type(value).__name__


_NO = object()
"""No such value."""


@functools.cache
def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    hints = typing.get_type_hints(function, include_extras=True)
    return {name: hint for name, hint in hints.items() if name != "return"}


def _options(hint: Any) -> list[tuple[Any, list[Range]]]:
    """What may be given, each with the ranges that it is to lie in."""
    if get_origin(hint) in (typing.Union, types.UnionType):
        return [option for part in get_args(hint) for option in _options(part)]
    if get_origin(hint) is typing.Annotated:
        base, *marks = get_args(hint)
        ranges = [mark for mark in marks if isinstance(mark, Range)]
        return [(option, [*inner, *ranges]) for option, inner in _options(base)]
    return [(hint, [])]


def _kind(hint: Any) -> Any:
    """The class behind an annotation; object where there is none."""
    if isinstance(hint, TypeVar):
        return _kind(hint.__bound__)
    if hint is None or hint is Any:
        return object
    hint = getattr(hint, "array_type", None) or get_origin(hint) or hint  # array_type: jaxtyping's
    return hint if isinstance(hint, type) else object


def _as(field: str, value: Any, hint: Any) -> Any:
    """The value as one option of an annotation; `_NO` if it is nothing of the kind."""
    if get_origin(hint) is Literal:
        return value if isinstance(value, str) and value in get_args(hint) else _NO
    kind = _kind(hint)
    if kind is object:
        return value
    if kind is Tensor:
        return _tensor(value, hint)
    if kind in _PLAIN:
        return _PLAIN[kind](value)
    if kind is Callable:
        return value if callable(value) else _NO
    if isinstance(value, type):
        return _NO  # a class where one of its objects is asked for
    if kind in (Sequence, list, tuple):
        return _each(field, value, hint)
    if issubclass(kind, Config) and isinstance(value, Mapping) and not inspect.isabstract(kind):
        return kind.from_dict(value)
    if getattr(kind, "_is_protocol", False):
        return value if all(hasattr(value, m) for m in _members(kind)) else _NO
    return value if isinstance(value, kind) else _NO


def _each(field: str, value: Any, hint: Any) -> Any:
    """A list, tuple or other iterable of what is asked for; a text is none."""
    if isinstance(value, str | Mapping) or not isinstance(value, Iterable):
        return _NO
    items = get_args(hint)
    if get_origin(hint) is not tuple or Ellipsis in items:
        return tuple(taken(f"{field}[{k}]", v, items[0]) for k, v in enumerate(value))
    value = tuple(value)
    if len(value) != len(items):
        return _NO
    each = enumerate(zip(value, items, strict=True))
    return tuple(taken(f"{field}[{k}]", v, item) for k, (v, item) in each)


def _members(protocol: type) -> list[str]:
    """Methods that a protocol asks for."""
    return [n for n, v in vars(protocol).items() if not n.startswith("_") and callable(v)]


def _whole(value: Any) -> Any:
    if isinstance(value, bool | np.bool_):
        return _NO
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return int(value)
    return _NO


def _number(value: Any) -> Any:
    if isinstance(value, bool | np.bool_):
        return _NO
    if isinstance(value, np.generic):
        return _number(value.item())
    return value if isinstance(value, Real) else _NO


def _flag(value: Any) -> Any:
    return bool(value) if isinstance(value, bool | np.bool_) else _NO


def _text(value: Any) -> Any:
    return value if isinstance(value, str) else _NO


def _path(value: Any) -> Any:
    return Path(value) if isinstance(value, str | Path) else _NO


def _tensor(value: Any, hint: Any) -> Any:
    """A tensor, of as many dimensions as jaxtyping's hint names."""
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        value = torch.from_numpy(np.ascontiguousarray(value))
    if not isinstance(value, Tensor):
        return _NO
    fixed = getattr(hint, "index_variadic", 0) is None  # of jaxtyping
    return _NO if fixed and value.dim() != len(getattr(hint, "dims", ())) else value


def _none(value: Any) -> Any:
    return None if value is None else _NO


_PLAIN: dict[Any, Callable[[Any], Any]] = {
    int: _whole,
    float: _number,
    bool: _flag,
    str: _text,
    Path: _path,
    type(None): _none,
}
