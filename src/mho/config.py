"""Frozen configuration records: validated when made, exact through TOML and back.

A record states the allowed range of a number in its type, and the unit in the field's docstring:

    class Read(Config):
        voltage: Annotated[float, Range(above=0.0, most=5.0)] = 0.2
        \"\"\"Read voltage [V].\"\"\"

A field of one of several records has their union for a type, or their abstract base: then it takes
whatever is derived from that, in mho or elsewhere. TOML tells them apart by `family`.
"""

from __future__ import annotations

import ast
import inspect
import math
import textwrap
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from functools import cache
from itertools import pairwise
from numbers import Integral, Real
from typing import Any, ClassVar, Literal, Self, TypeVar, get_args, get_origin

import tomli_w

from mho.errors import invalid, unknown
from mho.files import parse_toml

C = TypeVar("C", bound="Config")


@dataclass(frozen=True, kw_only=True)
class Range:
    """Allowed interval of a number; each bound is optional."""

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

    def __str__(self) -> str:
        low = "(-inf" if self.least is None else f"[{self.least:g}"
        low = low if self.above is None else f"({self.above:g}"
        high = "inf)" if self.most is None else f"{self.most:g}]"
        high = high if self.below is None else f"{self.below:g})"
        return f"a finite number in {low}, {high}"


def converted(converter: Callable[[Any], Any]) -> Any:
    """A required field that also takes what `converter` takes; for type checkers: the record's own
    `__post_init__` converts."""
    return field()


@typing.dataclass_transform(
    frozen_default=True, kw_only_default=True, field_specifiers=(converted,)
)
class Config:
    """Base of every configuration record; each subclass is a frozen, keyword-only dataclass.

    Raises:
        ValueError: a field has the wrong type, is not finite or lies outside its range; the message
            names the field, its value and what is allowed.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]

    family: ClassVar[str] = ""
    """Tag written to TOML where a field may hold one of several records."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        dataclass(frozen=True, kw_only=True)(cls)

    def __post_init__(self) -> None:
        for name, hint in _hints(type(self)).items():
            value = _checked(f"{type(self).__name__}.{name}", getattr(self, name), hint)
            object.__setattr__(self, name, value)

    def replace(self, **changes: Any) -> Self:
        """Copy with some fields changed; the copy is validated like the original."""
        for name in changes:
            if name not in _hints(type(self)):
                raise unknown(f"field of {type(self).__name__}", name, _hints(type(self)))
        return replace(self, **changes)

    def settings(self, prefix: str = "") -> list[tuple[str, str, str]]:
        """Every setting as (dotted key, value as TOML would write it, what it is and its unit)."""
        out = []
        docs = _field_docs(type(self))
        for name in _hints(type(self)):
            value, key = getattr(self, name), f"{prefix}{name}"
            if isinstance(value, Config):
                out += [(key, value.family or "-", docs.get(name, ""))]
                out += value.settings(f"{key}.")
            else:
                shown = "none" if value is None else tomli_w.dumps({"v": _plain(value)})[4:].strip()
                out.append((key, " ".join(shown.split()), docs.get(name, "")))
        return out

    def to_dict(self) -> dict[str, Any]:
        """Nested plain dictionary of the set fields; a field that is None is left out."""
        out: dict[str, Any] = {"family": self.family} if self.family else {}
        for each in fields(self):
            value = getattr(self, each.name)
            if value is not None:
                out[each.name] = _plain(value)
        return out

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Build the record from a nested dictionary; missing fields keep their defaults."""
        given = {k: v for k, v in data.items() if k != "family"}
        if data.get("family", cls.family) != cls.family:
            allowed = repr(cls.family) if cls.family else f"none; {cls.__name__} has no families"
            raise invalid(f"{cls.__name__}.family", data["family"], allowed)
        hints = _hints(cls)
        for name in given:
            if name not in hints:
                raise unknown(f"field of {cls.__name__}", name, hints)
        for each in fields(cls):
            required = each.default is MISSING and each.default_factory is MISSING
            if required and each.name not in given:
                raise invalid(f"{cls.__name__}.{each.name}", None, "a value; the field is missing")
        return cls(**given)

    def to_toml(self) -> str:
        """The record as TOML text; `from_toml` gives back an equal record."""
        return tomli_w.dumps(self.to_dict())

    @classmethod
    def from_toml(cls, text: str) -> Self:
        """Read the record from TOML text."""
        return cls.from_dict(parse_toml(text, cls.__name__))

    def merged(self, changes: Mapping[str, Any]) -> Self:
        """Copy with nested changes laid over it, as a TOML file that names only some fields."""
        return type(self).from_dict(_merge(self.to_dict(), changes, type(self).__name__))


def families(record: type[C]) -> list[type[C]]:
    """The record itself; of an abstract one, the records that are derived from it."""
    if not inspect.isabstract(record):
        return [record]
    return [leaf for below in record.__subclasses__() for leaf in families(below)]


@cache
def _hints(cls: type) -> dict[str, Any]:
    names = {f.name for f in fields(cls)}
    return {k: v for k, v in typing.get_type_hints(cls, include_extras=True).items() if k in names}


@cache
def _field_docs(cls: type) -> dict[str, str]:
    """The docstrings under the fields of a class and its bases."""
    docs: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if base in (object, Config) or not issubclass(base, Config):
            continue
        body = ast.parse(textwrap.dedent(inspect.getsource(base))).body[0]
        assert isinstance(body, ast.ClassDef)
        for each, after in pairwise(body.body):
            if not (isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)):
                continue
            if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                docs[each.target.id] = " ".join(str(after.value.value).split())
    return docs


def _plain(value: Any) -> Any:
    if isinstance(value, Config):
        return value.to_dict()
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    return value


def _merge(base: Any, changes: Any, where: str) -> Any:
    if not (isinstance(base, dict) and isinstance(changes, Mapping)):
        return changes
    if changes.get("family", base.get("family")) != base.get("family"):
        return dict(changes)
    out = dict(base)
    for key, value in changes.items():
        out[key] = _merge(base.get(key), value, f"{where}.{key}")
    return out


def _checked(name: str, value: Any, hint: Any) -> Any:
    """Return the value in its declared type, or refuse it naming the field."""
    if get_origin(hint) is typing.Annotated:
        base, *marks = get_args(hint)
        value = _checked(name, value, base)
        for mark in marks:
            if isinstance(mark, Range) and value is not None:
                numbers = value if isinstance(value, tuple) else (value,)
                if not all(number in mark for number in numbers):
                    raise invalid(name, value, str(mark))
        return value
    if get_origin(hint) in (typing.Union, types.UnionType):
        return _checked_union(name, value, get_args(hint))
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            raise invalid(name, value, "one of " + ", ".join(map(repr, get_args(hint))))
        return value
    if get_origin(hint) is tuple:
        return _checked_tuple(name, value, get_args(hint))
    if isinstance(hint, type) and issubclass(hint, Config):
        if inspect.isabstract(hint):
            return _checked_union(name, value, (hint,))
        if isinstance(value, Mapping):
            return hint.from_dict(value)
        if not isinstance(value, hint):
            raise invalid(name, value, f"a {hint.__name__}")
        return value
    return _checked_plain(name, value, hint)


def _checked_plain(name: str, value: Any, hint: type) -> Any:
    if isinstance(value, Integral) and not isinstance(value, bool):
        value = int(value)  # NumPy's integers too
    if hint is float and isinstance(value, Real) and not isinstance(value, bool):
        try:
            value = float(value)
        except OverflowError:
            raise invalid(name, value, "a finite number") from None
    if type(value) is not hint:
        raise invalid(name, value, f"a value of type {hint.__name__}")
    if hint is float and not math.isfinite(value):
        raise invalid(name, value, "a finite number")
    return value


def _checked_union(name: str, value: Any, options: tuple[Any, ...]) -> Any:
    if value is None and type(None) in options:
        return None
    configs = [o for o in options if isinstance(o, type) and issubclass(o, Config)]
    records = [record for config in configs for record in families(config)]
    others = [o for o in options if o is not type(None) and o not in configs]
    if isinstance(value, Mapping) and records:
        by_family = {record.family: record for record in records}
        tag = value.get("family", "")
        if not isinstance(tag, str):
            raise invalid(f"{name}.family", tag, "one of " + ", ".join(map(repr, by_family)))
        if tag not in by_family:
            raise unknown(f"family for {name}", tag, by_family)
        return by_family[tag].from_dict(value)
    if records and isinstance(value, tuple(records)):
        return value
    refusals = []
    for option in others:
        try:
            return _checked(name, value, option)
        except ValueError as error:
            refusals.append(error)
    if len(refusals) == 1:
        raise refusals[0]
    raise invalid(name, value, " or ".join(map(_described, options)))


def _described(hint: Any) -> str:
    """One option of a union in words."""
    if get_origin(hint) is typing.Annotated:
        return str(get_args(hint)[1])
    if get_origin(hint) is Literal:
        return " or ".join(map(repr, get_args(hint)))
    if isinstance(hint, type) and issubclass(hint, Config):
        return " or ".join(record.__name__ for record in families(hint))
    return getattr(hint, "__name__", str(hint))


def _checked_tuple(name: str, value: Any, items: tuple[Any, ...]) -> tuple[Any, ...]:
    if isinstance(value, Real) and not isinstance(value, bool) and items == (items[0],) * 2:
        value = (value,) * 2  # one number for both
    if not isinstance(value, list | tuple):
        raise invalid(name, value, "a list")
    if len(items) == 2 and items[1] is Ellipsis:
        return tuple(_checked(f"{name}[{i}]", v, items[0]) for i, v in enumerate(value))
    if len(value) != len(items):
        raise invalid(name, value, f"a list of {len(items)} values")
    return tuple(
        _checked(f"{name}[{i}]", v, hint)
        for i, (v, hint) in enumerate(zip(value, items, strict=True))
    )
