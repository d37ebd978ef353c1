"""Records and the JSON that they are kept as: refusals name the place in the document.

A record is a frozen dataclass whose fields are text, numbers, other records, and sequences of them;
a value that is missing is None in a record and null in JSON. `read` checks a document against the
types of the fields, and a record checks in `__post_init__` what lies between its fields:

    result.json: curves[0].series[1].y = '3 values': expected 4 values, as many as x

Fields that a record does not have are passed over.
"""

from __future__ import annotations

import math
import re
import typing
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import numpy as np

from mho.errors import InvalidInput, invalid
from mho.files import read_json, text_of_json

R = TypeVar("R", bound="Record")
T = TypeVar("T")

_UNIONS = (Union, UnionType)
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_WORDS = {str: "a string", bool: "true or false", int: "an integer", float: "a number",
          type(None): "null"}  # fmt: skip


@dataclass(frozen=True)
class Record:
    """Base of all records; lists that it is made of become tuples."""

    @classmethod
    def of_today(cls, value: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a JSON object of this version or an earlier one holds, as this version writes it."""
        return value

    def __post_init__(self) -> None:
        for each in fields(self):
            object.__setattr__(self, each.name, _fixed(getattr(self, each.name)))


def optional(default: T) -> T:
    """A field that JSON leaves out where it has its default."""
    return field(default=default, metadata={"optional": True})


def remaining() -> Any:
    """A field that is the rest of the JSON object: a mapping of names that no other field has."""
    return field(metadata={"remaining": True})


def read(kind: type[R], value: object, place: str) -> R:
    """The record that a JSON value says.

    Args:
        place: where the value stands, for refusals: a file, or a file and a path of fields.

    Raises:
        ValueError: a field is missing or not what it should be; the message names its place.
    """
    if not isinstance(value, dict):
        raise refused(place, value, "a table of named fields")
    value = kind.of_today(value)
    hints, found = _hints(kind), {}
    for each in fields(kind):
        hint, at = hints[each.name], _within(place, each.name)
        if "remaining" in each.metadata:
            rest = {k: v for k, v in value.items() if k not in hints}
            found[each.name] = _read(hint, rest, place)
        elif each.name in value:
            found[each.name] = _read(hint, value[each.name], at)
        elif each.default is MISSING:
            raise invalid(at, "missing", "a value; the field is required")
    try:
        return kind(**found)
    except InvalidInput as error:
        raise InvalidInput(_within(place, str(error))) from None


def load(kind: type[R], path: Path) -> R:
    """The record in a JSON file; raises `ValueError` as `read` and `mho.files.read_json` do."""
    return read(kind, read_json(path), str(path))


def plain(value: Any) -> Any:
    """Records, mappings, sequences and arrays as JSON values; a number not finite becomes None."""
    if isinstance(value, Record):
        out = {}
        for each in fields(value):
            held = getattr(value, each.name)
            if "remaining" in each.metadata:
                out |= plain(held)
            elif not ("optional" in each.metadata and held == each.default):
                out[each.name] = plain(held)
        return out
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def dumps(record: Record) -> str:
    """The text of a JSON file."""
    return text_of_json(plain(record))


def clean(text: str) -> str:
    """`text` with the characters that neither XML nor UTF-8 can carry replaced by U+FFFD."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def id_of(name: str) -> str:
    """A name as an id: small letters, digits and underscores."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def refused(place: str, value: object, allowed: str) -> InvalidInput:
    """The error for a value, cut where it is long."""
    value = list(value) if isinstance(value, tuple) else value
    shown = repr(value)
    return invalid(place, value if len(shown) < 60 else f"{shown[:56]} ...", allowed)


@cache
def _hints(kind: type[Record]) -> dict[str, Any]:
    return typing.get_type_hints(kind, include_extras=True)


@cache
def _parts(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    return get_origin(hint), get_args(hint)


def _within(place: str, name: str) -> str:
    # The file stands before the first ": ", fields of fields follow with dots.
    return f"{place}{'.' if ': ' in place else ': '}{name}"


def _read(hint: Any, value: Any, place: str) -> Any:
    """A JSON value as the type of a field."""
    origin, options = _parts(hint)
    if not _takes(hint, value):
        raise refused(place, value, _words(hint))
    if origin is Annotated:
        if value not in options[1]:
            raise refused(place, value, str(options[1]))
        return value
    if origin in _UNIONS:
        return _read(next(each for each in options if _takes(each, value)), value, place)
    if origin is Sequence:
        return tuple(_read(options[0], v, f"{place}[{i}]") for i, v in enumerate(value))
    if origin is Mapping:
        return {clean(k): _read(options[1], v, _within(place, k)) for k, v in value.items()}
    if hint is np.ndarray:
        return _array(value, place)
    if isinstance(hint, type) and issubclass(hint, Record):
        return read(hint, value, place)
    if hint is float and not abs(value) <= 1e300:  # NaN compares false
        raise refused(place, value, "a finite number, or null")
    return clean(value) if hint is str else value


def _takes(hint: Any, value: Any) -> bool:
    """Whether a JSON value is of the kind that a type asks for, whatever is in it."""
    origin, options = _parts(hint)
    if origin is Annotated:
        return _takes(options[0], value)
    if origin in _UNIONS:
        return any(_takes(each, value) for each in options)
    if origin is Literal:
        return value in options
    if origin is Sequence or hint is np.ndarray:
        return isinstance(value, list)
    if hint in (int, float):
        return isinstance(value, (int, hint)) and not isinstance(value, bool)
    return isinstance(value, hint if hint in _WORDS else dict)


def _words(hint: Any) -> str:
    """What a type takes, in words."""
    origin, options = _parts(hint)
    if origin is Annotated:
        return str(options[1])
    if origin in _UNIONS:
        return ", or ".join(map(_words, options))
    if origin is Literal:
        return " or ".join(map(repr, options))
    if origin is Sequence or hint is np.ndarray:
        return "a list"
    return _WORDS.get(hint, "a table of named fields")


def _array(values: list[Any], place: str) -> np.ndarray:
    """Finite numbers, or rows of equally many of them."""
    rows = values and isinstance(values[0], list)
    hint = Sequence[Sequence[float]] if rows else Sequence[float]
    found = _read(hint, values, place)
    for i, row in enumerate(found if rows else ()):
        if len(row) != len(found[0]):
            wanted = f"{len(found[0])} values, as many as the first row has"
            raise invalid(f"{place}[{i}]", f"{len(row)} values", wanted)
    return np.array(found, dtype=float)


def _fixed(value: Any) -> Any:
    return tuple(map(_fixed, value)) if isinstance(value, list | tuple) else value
