"""What an annotation asks for: values taken as that, or refused in one sentence.

taken("chips", "3", int)            # InvalidInput: chips = '3': expected a whole number
taken("net", nn.Linear, nn.Module)  # InvalidInput: net = the class Linear: expected a torch ...

What plainly means what is asked for is taken: 2.0 and NumPy's numbers for a whole number, a NumPy
array for a tensor, a text for a path, a list for a tuple, one number for a pair of numbers, a table
for a record.
"""

from __future__ import annotations

import inspect
import math
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, MappingView, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar, get_args, get_origin

import numpy as np
import torch
from torch import Tensor

from mho.errors import invalid, with_article


@dataclass(frozen=True, kw_only=True)
class Range:
    """Allowed interval of a number, or of each number of a list; each bound is optional."""

    least: float | None = None
    above: float | None = None
    most: float | None = None
    below: float | None = None

    def __contains__(self, value: float) -> bool:
        return (
            -math.inf < value < math.inf
            and (self.least is None or value >= self.least)
            and (self.above is None or value > self.above)
            and (self.most is None or value <= self.most)
            and (self.below is None or value < self.below)
        )

    @property
    def interval(self) -> str:
        """The interval, as `[0, inf)`."""
        low = "(-inf" if self.least is None else f"[{self.least:g}"
        low = low if self.above is None else f"({self.above:g}"
        high = "inf)" if self.most is None else f"{self.most:g}]"
        high = high if self.below is None else f"{self.below:g})"
        return f"{low}, {high}"

    def __str__(self) -> str:
        return f"a finite number in {self.interval}"


class NotMeasured:
    """Mark of numbers that may be nan or inf too, nan for what was not measured."""

    def __contains__(self, value: float) -> bool:
        return True

    def __str__(self) -> str:
        return "a number, or nan"


NAN = NotMeasured()


class Record(Protocol):
    """What can be made of a table: see `mho.config.Config`."""

    @classmethod
    def from_table(cls, field: str, table: Mapping[str, Any], options: Sequence[type]) -> Any:
        """The record of a table, one of several kinds; `field` is for errors."""
        ...

    @classmethod
    def in_words(cls) -> str:
        """What may be given, by the names of the kinds."""
        ...


WORDS: dict[str, str] = {
    "Module": "a torch network (nn.Module)",
    "Linear": "an nn.Linear",
    "Optimizer": "a torch optimizer",
    "Hardware": "a mho.Hardware, such as mho.Hardware(device=mho.devices.get('hfo2-1t1r'))",
    "Ledger": "a ledger, mho.ledger(net)",
    "ArrayLayer": "a memristive layer; see mho.nn.memristive_layers",
    "WriteStep": "a mho.WriteStep of the network",
    "Generator": "a torch.Generator, such as torch.Generator().manual_seed(1)",
    "Tensor": "a tensor",
    "dtype": "a type of numbers, such as torch.float32",
    "device": "a device, such as torch.device('cpu')",
    "ndarray": "a NumPy array",
    "Iterable": "batches: a data loader, a list, a generator",
    "Mapping": "a dict",
    "dict": "a dict",
    "Path": "the path of a file",
    "Callable": "a function",
    "bytes": "bytes",
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "True or False",
    "NoneType": "None",
}
"""What is asked for, by the name of its type; other types are called by their names."""

_WIDEST = 2**63
"""Whole numbers below this are 64 bits wide, as torch's and NumPy's are."""

_NUMBERS = {"float": "floating-point numbers", "int": "whole numbers", "bool": "True and False"}


def taken(field: str, value: Any, hint: Any, *, finite: bool = False) -> Any:
    """A value as its annotation asks for it.

    Args:
        field: what errors call it.
        value: what was given.
        hint: the annotation; a `Range` in it, as in `Annotated[int, Range(least=1)]`, is kept.
        finite: a number without a range must be finite too.

    Raises:
        InvalidInput: it is of another kind; the message names the field and what is asked for.
    """
    options = _options(hint)
    records = [option for option, _ in options if _is_record(option)]
    tables = any(_kind(option) in (dict, Mapping) for option, _ in options)
    if records and isinstance(value, Mapping) and not tables:
        return records[0].from_table(field, value, records)
    inner = None
    for option, ranges in options:
        try:
            found = _as(field, value, option, finite and NAN not in ranges)
        except ValueError as error:  # a list whose items are wrong: said by the item's own name
            inner = inner or error
            continue
        if found is not _NO and all(_within(found, limits) for limits in ranges):
            return found
    if inner is not None:
        raise inner
    raise invalid(field, value, asked(hint, finite=finite))


def asked(hint: Any, *, finite: bool = False) -> str:
    """What an annotation asks for, in words."""
    wanted = (words(option, ranges, finite=finite) for option, ranges in _options(hint))
    return " or ".join(dict.fromkeys(word for word in wanted if word))


def options(hint: Any) -> list[Any]:
    """What may be given for an annotation, type by type."""
    return [option for option, _ in _options(hint)]


def ranges(hint: Any) -> list[Range]:
    """Where numbers that an annotation takes are to lie."""
    limits = (limits for option, limits in _options(hint) if option in (int, float))
    return [each for found in limits for each in found if isinstance(each, Range)]


def words(hint: Any, ranges: Sequence[Range | NotMeasured] = (), *, finite: bool = False) -> str:
    """What one option of an annotation asks for, in words."""
    if get_origin(hint) is Literal:
        return " or ".join(map(repr, get_args(hint)))
    kind = _kind(hint)
    if _is_record(kind) and kind.__name__ not in WORDS:
        return kind.in_words()
    if kind is Tensor:
        return _tensor_in_words(hint)
    if kind in (Sequence, list, tuple):
        return _list_in_words(hint, ranges, finite)
    if kind is int and ranges and isinstance(ranges[0], Range):
        return f"a whole number in {ranges[0].interval}"
    if kind is float and ranges:
        return str(ranges[0])
    if kind is float and finite:
        return "a finite number"
    name = getattr(kind, "__name__", str(kind))
    return WORDS.get(name, with_article(name))


_NO = object()
"""No such value."""


def _tensor_in_words(hint: Any) -> str:
    dims = getattr(hint, "dim_str", "").split()
    shape = [dim if dim[0] not in "*." or dim == "..." else "..." for dim in dims]
    numbers = _NUMBERS.get(_sort(hint), "")
    given = f" ({', '.join(shape)}{',' if len(shape) == 1 else ''})" if shape else ""
    return f"a tensor{given}{' of ' if numbers else ''}{numbers}"


def _list_in_words(hint: Any, ranges: Sequence[Range | NotMeasured], finite: bool) -> str:
    items = get_args(hint)
    if get_origin(hint) is tuple and Ellipsis not in items:
        count = {1: "one", 2: "two", 3: "three"}.get(len(items), str(len(items)))
        if len(set(items)) > 1:
            return f"({', '.join(map(asked, items))})"
        each = f", each {words(items[0], ranges, finite=finite)}"
        both = "one number for both, or " if _is_pair(items) else ""
        return f"{both}a list of {count}{each}"
    if not items:
        return "a list"
    each = words(items[0], ranges, finite=finite) if ranges else asked(items[0], finite=finite)
    return f"a list, each {each}"


def _options(hint: Any) -> list[tuple[Any, list[Range | NotMeasured]]]:
    """What may be given, each with the ranges that it is to lie in."""
    if get_origin(hint) in (typing.Union, types.UnionType):
        return [option for part in get_args(hint) for option in _options(part)]
    if get_origin(hint) is typing.Annotated:
        base, *marks = get_args(hint)
        ranges = [mark for mark in marks if isinstance(mark, Range | NotMeasured)]
        return [(option, [*inner, *ranges]) for option, inner in _options(base)]
    return [(hint, [])]


def _within(found: Any, limits: Range | NotMeasured) -> bool:
    if found is None:
        return True
    return all(each in limits for each in (found if isinstance(found, tuple) else (found,)))


def _kind(hint: Any) -> Any:
    """The class behind an annotation; object where there is none."""
    if isinstance(hint, TypeVar):
        return _kind(hint.__bound__)
    if hint is None or hint is Any:
        return object
    hint = getattr(hint, "array_type", None) or get_origin(hint) or hint  # array_type: jaxtyping's
    return hint if isinstance(hint, type) else object


def _is_record(hint: Any) -> bool:
    return isinstance(hint, type) and hasattr(hint, "from_table")


def _is_pair(items: Sequence[Any]) -> bool:
    return len(items) == 2 and items[0] == items[1] and items[0] in (int, float)


def _as(field: str, value: Any, hint: Any, finite: bool) -> Any:
    """The value as one option of an annotation; `_NO` if it is nothing of the kind."""
    if get_origin(hint) is Literal:
        return value if isinstance(value, str) and value in get_args(hint) else _NO
    kind = _kind(hint)
    if kind is object:
        return value
    if kind is Tensor:
        return _tensor(value, hint)
    if kind is float:
        return _number(value, finite)
    if kind in _PLAIN:
        return _PLAIN[kind](value)
    if isinstance(value, type):
        return _NO  # a class where one of its objects is asked for
    if kind is Callable:
        return value if _can_be_called(value, get_args(hint)) else _NO
    if kind in (Sequence, list, tuple):
        return _each(field, value, hint, finite)
    if kind in (dict, Mapping):
        return _table(field, value, hint, finite) if isinstance(value, Mapping) else _NO
    if kind is Iterable:
        return value if _iterates(value) else _NO
    if getattr(kind, "_is_protocol", False):
        return value if all(callable(getattr(value, m, None)) for m in _members(kind)) else _NO
    return value if isinstance(value, kind) else _NO


def _iterates(value: Any) -> bool:
    none = str | bytes | Mapping | torch.nn.Module | Tensor | np.ndarray
    by_number = hasattr(value, "__len__") and hasattr(value, "__getitem__")  # torch's data sets
    return (isinstance(value, Iterable) or by_number) and not isinstance(value, none)


def _can_be_called(value: Any, hint: tuple[Any, ...]) -> bool:
    """Whether it is a function of as many arguments as the hint says."""
    if not callable(value) or isinstance(value, torch.nn.Module):
        return False
    arguments = hint[0] if hint else ...
    if arguments is ...:
        return True
    try:
        inspect.signature(value).bind(*arguments)
    except TypeError:
        return False
    except ValueError:  # built in, without a signature
        return True
    return True


def _each(field: str, value: Any, hint: Any, finite: bool) -> Any:
    """A list, tuple or iterator of what is asked for; a text is none."""
    items = get_args(hint)
    fixed = get_origin(hint) is tuple and Ellipsis not in items
    if fixed and _is_pair(items) and isinstance(value, Real) and not isinstance(value, bool):
        value = (value, value)  # one number for both
    if isinstance(value, str | bytes) or not isinstance(value, _LISTS):
        return _NO
    if isinstance(value, np.ndarray | Tensor) and (
        value.ndim == 0 or _tensor(value, Tensor) is _NO
    ):
        return _NO
    value = tuple(value)  # pyright: ignore[reportArgumentType]
    if fixed and len(value) != len(items):
        return _NO
    hints = items if fixed else (items[0],) * len(value)
    pairs = enumerate(zip(value, hints, strict=True))
    return tuple(taken(f"{field}[{k}]", v, item, finite=finite) for k, (v, item) in pairs)


def _table(field: str, value: Mapping[Any, Any], hint: Any, finite: bool) -> Any:
    """A dict of what is asked for; itself, if nothing in it is changed."""
    if not get_args(hint):
        return value
    key, each = get_args(hint)
    found = {
        taken(f"key of {field}", k, key): taken(f"{field}[{k!r}]", v, each, finite=finite)
        for k, v in value.items()
    }
    same = all(found.get(k, _NO) is v for k, v in value.items())
    return value if same else found


_LISTS = (Sequence, Iterator, MappingView, np.ndarray, Tensor)


def _members(protocol: type) -> list[str]:
    """Methods that a protocol asks for."""
    return [n for n, v in vars(protocol).items() if not n.startswith("_") and callable(v)]


def _whole(value: Any) -> Any:
    if isinstance(value, bool | np.bool_):
        return _NO
    if isinstance(value, Integral) or (
        isinstance(value, float | np.floating) and float(value).is_integer()
    ):
        whole = int(value)
        return whole if -_WIDEST <= whole < _WIDEST else _NO
    return _NO


def _number(value: Any, finite: bool) -> Any:
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
        return _NO
    try:
        number = float(value)
    except OverflowError:
        return _NO
    return number if math.isfinite(number) or not finite else _NO


def _flag(value: Any) -> Any:
    return bool(value) if isinstance(value, bool | np.bool_) else _NO


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, str) else _NO


def _path(value: Any) -> Any:
    return Path(value) if isinstance(value, str | Path) else _NO


def _none(value: Any) -> Any:
    return None if value is None else _NO


def _sort(hint: Any) -> str:
    """Kind of the numbers that jaxtyping's hint asks for; "" if any."""
    names = getattr(hint, "dtypes", ())
    if not isinstance(names, tuple):
        return ""
    return next((sort for sort, begin in _SORTS.items() if all(map(begin, names)) and names), "")


_SORTS: dict[str, Callable[[str], bool]] = {
    "float": lambda name: name.startswith(("float", "bfloat")),
    "int": lambda name: name.startswith(("int", "uint")),
    "bool": lambda name: name.startswith("bool"),
}


def _tensor(value: Any, hint: Any) -> Any:
    """A tensor of numbers, of the shape and of the kind of numbers that jaxtyping's hint names."""
    if isinstance(value, np.ndarray):
        value = _of_array(value)
    if not isinstance(value, Tensor) or value.layout is not torch.strided:
        return _NO
    if value.is_complex() or value.is_meta:
        return _NO
    if not _has_shape(value, hint):
        return _NO
    sort, names = _sort(hint), getattr(hint, "dtypes", ())
    whole = not value.is_floating_point() and value.dtype is not torch.bool
    if (sort == "float" and not value.is_floating_point()) or (sort == "int" and not whole):
        return _NO
    return (
        value.to(getattr(torch, names[0]))
        if sort in ("float", "int") and len(names) == 1
        else value
    )


def _has_shape(value: Tensor, hint: Any) -> bool:
    """Whether a tensor has the dimensions that jaxtyping's hint names, in number and, where the
    hint gives it, in size."""
    dims = getattr(hint, "dims", None)
    if dims is None:
        return True
    if hint.index_variadic is not None:
        return value.dim() >= len(dims) - 1
    sizes = [getattr(dim, "size", None) for dim in dims]
    return len(sizes) == value.dim() and all(
        asked is None or asked == size for asked, size in zip(sizes, value.shape, strict=True)
    )


def _of_array(array: np.ndarray) -> Any:
    if array.dtype.kind not in "biuf":
        return _NO
    array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    try:
        return torch.from_numpy(array if array.flags.writeable else array.copy())
    except TypeError:  # of more bits than torch has
        return _NO


_PLAIN: dict[Any, Callable[[Any], Any]] = {
    int: _whole,
    bool: _flag,
    str: _text,
    Path: _path,
    type(None): _none,
}
