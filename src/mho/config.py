"""Frozen configuration records: validated when made, exact through TOML and back.

A record states the allowed range of a number in its type, and the unit in the field's docstring:

    class Read(Config):
        voltage: Annotated[float, Range(above=0.0, most=5.0)] = 0.2
        \"\"\"Read voltage [V].\"\"\"

A field that takes more than it holds, such as a name for a cell, says both:
`device: Taken[str | Cell, Cell]`.

A field of one of several records has their union for a type, or their abstract base: then it takes
whatever is derived from that, in mho or elsewhere. TOML tells them apart by `family`.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, field, fields, replace
from difflib import get_close_matches
from functools import cache
from typing import Any, ClassVar, Generic, Self, TypeVar

import tomli_w

from mho.documented import field_docs
from mho.errors import UnknownField, invalid, unknown, with_article
from mho.files import parse_toml
from mho.kinds import Range as Range
from mho.kinds import options, ranges, taken

C = TypeVar("C", bound="Config")
Given = TypeVar("Given", contravariant=True)
Held = TypeVar("Held", covariant=True)


if typing.TYPE_CHECKING:

    class Taken(Generic[Given, Held]):
        """Type of a field that is given as one type and held as another, `Taken[str | Cell, Cell]`:
        the record's own `__post_init__` makes it what is held."""

        def __get__(self, record: object, owner: type | None = None) -> Held: ...
        def __set__(self, record: object, value: Given) -> None: ...

else:

    class Taken:
        """What `Taken[given, held]` is where code runs: the type that is held."""

        def __class_getitem__(cls, given_and_held: tuple[Any, Any]) -> Any:
            return given_and_held[1]


def otherwise(*, default: Any) -> Any:
    """A field of a type `Taken` with a default."""
    return field(default=default)


@typing.dataclass_transform(
    frozen_default=True, kw_only_default=True, field_specifiers=(otherwise,)
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
        for name, hint in hints_of(type(self)).items():
            field = f"{type(self).__name__}.{name}"
            value = taken(field, getattr(self, name), hint, finite=True)
            object.__setattr__(self, name, value)

    def replace(self, **changes: Any) -> Self:
        """Copy with some fields changed; the copy is validated like the original."""
        for name in changes:
            if name not in hints_of(type(self)):
                raise UnknownField(type(self).__name__, name, hints_of(type(self)))
        return replace(self, **changes)

    def settings(self, prefix: str = "") -> list[tuple[str, str, str]]:
        """Every setting as (dotted key, value as TOML would write it, what it is and its unit)."""
        out, prefix = [], taken("prefix", prefix, str)
        docs = field_docs(type(self))
        for name in hints_of(type(self)):
            value, key = getattr(self, name), f"{prefix}{name}"
            if isinstance(value, Config):
                out += [(key, value.family or "-", docs.get(name, ""))]
                out += value.settings(f"{key}.")
            else:
                out.append((key, in_toml(value), docs.get(name, "")))
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
    def from_table(cls, field: str, table: Mapping[str, Any], options: Sequence[type]) -> Config:
        """The record of a table: of several kinds, that of its family."""
        records = [record for option in options for record in families(option)]
        if len(options) == 1 and not inspect.isabstract(cls):
            return cls.from_dict(table)
        by_family = {record.family: record for record in records}
        tag = table.get("family", "")
        if not isinstance(tag, str) or tag not in by_family:
            raise unknown(f"family for {field}", tag, by_family)
        return by_family[tag].from_dict(table)

    @classmethod
    def in_words(cls) -> str:
        """What a field of this kind takes, by name."""
        return " or ".join(with_article(record.__name__) for record in families(cls))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Build the record from a nested dictionary; missing fields keep their defaults. A field of
        one of several records may have the family of one alone, which then has its defaults."""
        data = taken("data", data, Mapping)
        given = {k: v for k, v in data.items() if k != "family"}
        if data.get("family", cls.family) != cls.family:
            allowed = repr(cls.family) if cls.family else f"none; {cls.__name__} has no families"
            raise invalid(f"{cls.__name__}.family", data["family"], allowed)
        hints = hints_of(cls)
        for name in given:
            if name not in hints:
                raise UnknownField(cls.__name__, name, hints)
        for each in fields(cls):
            required = each.default is MISSING and each.default_factory is MISSING
            if required and each.name not in given:
                raise invalid(f"{cls.__name__}.{each.name}", None, "a value; the field is missing")
        return cls(**{name: _by_family(value, hints[name]) for name, value in given.items()})

    def to_toml(self) -> str:
        """The record as TOML text; `from_toml` gives back an equal record."""
        return tomli_w.dumps(self.to_dict())

    @classmethod
    def from_toml(cls, text: str) -> Self:
        """Read the record from TOML text."""
        return cls.from_dict(parse_toml(taken("text", text, str), cls.__name__))

    def merged(self, changes: Mapping[str, Any]) -> Self:
        """Copy with nested changes laid over it, as a TOML file that names only some fields.

        Raises:
            ValueError: also where a field is in another table; the message has its whole path.
        """
        changes = taken("changes", changes, Mapping)
        with naming_paths(type(self)):
            return type(self).from_dict(over(self.to_dict(), changes))


@contextmanager
def naming_paths(root: type[Config]) -> Iterator[None]:
    """Have errors on unknown fields name the whole paths of what may have been meant, from a
    record that holds the one with the field."""
    try:
        yield
    except UnknownField as error:
        meant = _meant(root, error)
        raise UnknownField(error.record, error.name, error.known, meant) from None


def in_toml(value: object) -> str:
    """A value of a field as TOML writes it, in one line; None, which it lacks, as none."""
    shown = "none" if value is None else tomli_w.dumps({"v": _plain(value)})[4:]
    return " ".join(shown.split())


def families(record: type[C]) -> list[type[C]]:
    """The record itself; of an abstract one, the records that are derived from it."""
    if not inspect.isabstract(record):
        return [record]
    return [leaf for below in record.__subclasses__() for leaf in families(below)]


def ranges_of(record: type[Config], field: str) -> list[Range]:
    """Ranges of the numbers that a field of a record takes."""
    return ranges(hints_of(record)[field])


@cache
def hints_of(cls: type) -> dict[str, Any]:
    """What each field of a record is annotated with, by name."""
    names = {f.name for f in fields(cls)}
    return {k: v for k, v in typing.get_type_hints(cls, include_extras=True).items() if k in names}


def paths(record: type[Config], prefix: str = "") -> dict[str, str]:
    """Every field of a record and of the records in it, whichever these are, with dots between
    tables; and the name of the record that it is of."""
    out: dict[str, str] = {}
    for name, hint in hints_of(record).items():
        out.setdefault(f"{prefix}{name}", record.__name__)
        for option in options(hint):
            if isinstance(option, type) and issubclass(option, Config):
                for each in families(option):
                    out = paths(each, f"{prefix}{name}.") | out
    return out


def _meant(root: type[Config], error: UnknownField) -> str:
    """Paths of what may have been meant by an unknown field: one of its name elsewhere, else one of
    a name like it, best in the same record. Empty: nothing is near."""
    if not isinstance(error.name, str):
        return ""
    known = paths(root)
    last = {path: path.rpartition(".")[2] for path in known}
    same = [path for path in known if last[path] == error.name]
    if not same:
        within = [path for path, record in known.items() if record == error.record]
        for places, cutoff in ((within, 0.6), (list(known), 0.8)):
            names = {last[path] for path in places}
            if near := get_close_matches(error.name, names, n=1, cutoff=cutoff):
                same = [path for path in places if last[path] == near[0]]
                break
    *most, end = map(repr, sorted(same, key=lambda path: (path.count("."), path))[:4] or [""])
    return "" if end == "''" else f"{', '.join(most)} or {end}" if most else end


def _by_family(value: Any, hint: Any) -> Any:
    """The table of a record of which there is the family alone; others as they are."""
    if not isinstance(value, str) or str in (taken := options(hint)):
        return value
    records = (each for each in taken if isinstance(each, type) and issubclass(each, Config))
    known = {kind.family for record in records for kind in families(record)}
    return {"family": value} if value and value in known else value


def _plain(value: Any) -> Any:
    if isinstance(value, Config):
        return value.to_dict()
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    return value


def over(base: Any, changes: Any) -> Any:
    """Nested tables with others laid over them; a table of another family replaces the one that is
    there."""
    if not (isinstance(base, dict) and isinstance(changes, Mapping)):
        return changes
    if "family" in base and changes.get("family", base["family"]) != base["family"]:
        return dict(changes)
    out = dict(base)
    for key, value in changes.items():
        out[key] = over(base.get(key), value)
    return out
