"""Checks shape annotations while tests run; pyproject names `check` in --jaxtyping-packages."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, get_args

import jaxtyping
from beartype import BeartypeConf, beartype
from jaxtyping import AbstractArray

_CONF = BeartypeConf(is_pep484_tower=True)
_jaxtyped = jaxtyping.jaxtyped


def check(function: Callable[..., Any]) -> Callable[..., Any]:
    """Have beartype check the hints that name a shape; types are pyright's, messages our own."""
    hints = function.__annotations__
    function.__annotations__ = {name: hint for name, hint in hints.items() if _has_shape(hint)}
    return beartype(conf=_CONF)(function)


def only_shapes(decorated: Any = None, *, typechecker: Callable[..., Any]) -> Any:
    """jaxtyping's decorator where a hint names a shape; other functions stay as they are.

    It binds the arguments of every call: a third of the time of a small training.
    """
    if decorated is None:
        return partial(only_shapes, typechecker=typechecker)
    if inspect.isfunction(decorated) and not _names_shapes(decorated):
        return decorated
    return _jaxtyped(decorated, typechecker=typechecker)


def _names_shapes(function: Callable[..., Any]) -> bool:
    names = function.__globals__
    return any(_has_shape(_hint(text, names)) for text in function.__annotations__.values())


def _hint(text: object, names: dict[str, Any]) -> object:
    """What an annotation means, itself if that is not known yet, as it is to jaxtyping."""
    try:
        return eval(text, names) if isinstance(text, str) else text
    except Exception:
        return text


def _has_shape(hint: object) -> bool:
    if isinstance(hint, type) and issubclass(hint, AbstractArray):
        return True
    return any(map(_has_shape, get_args(hint)))


jaxtyping.jaxtyped = only_shapes  # what the import hook decorates with, from the next function on
