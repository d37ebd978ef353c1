"""What a record could hold in place of what it holds: the other kinds of records that its fields
take, with their fields."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, fields
from typing import NamedTuple

from mho.config import Config, families, hints_of, in_toml
from mho.documented import field_docs, first_sentence
from mho.kinds import options

REQUIRED = "required"
"""Value of a field that has no default."""


class Choice(NamedTuple):
    """A kind of record that a field takes and does not hold, or a field of that kind."""

    key: str
    """`hardware.adc=sar` of a kind, `hardware.adc.mismatch` of its field."""
    at: str
    """Where the kind would stand: `hardware.adc`."""
    kind: str
    """Its family: `sar`."""
    value: str
    """Its default, as TOML writes it; of a kind, nothing."""
    what: str
    """What it is and its unit."""


def choices(record: Config, prefix: str = "") -> list[Choice]:
    """Other kinds that the fields of a record take, and those of the records in it; kind by kind,
    each before those of its fields that the kind in its place does not have."""
    return list(_of_record(record, prefix))


def _of_record(record: Config, prefix: str) -> Iterator[Choice]:
    for name, hint in hints_of(type(record)).items():
        value, key = getattr(record, name), f"{prefix}{name}"
        if isinstance(value, Config):
            yield from _of_record(value, f"{key}.")
        for kind in kinds(hint):
            if type(value) is not kind:
                yield from _of_kind(kind, key, value)


def kinds(hint: object) -> list[type[Config]]:
    """Kinds of records that a field takes, of those that are told apart by `family`."""
    records = [o for o in options(hint) if isinstance(o, type) and issubclass(o, Config)]
    return [kind for record in records for kind in families(record) if kind.family]


def _of_kind(kind: type[Config], key: str, present: object) -> Iterator[Choice]:
    """A kind in place of what stands at a key, then those of its fields that this does not have."""
    at = key, kind.family
    yield Choice("=".join(at), *at, "", first_sentence(kind.__doc__ or ""))
    docs = field_docs(kind)
    here = field_docs(type(present)) if isinstance(present, Config) else {}
    for each in fields(kind):
        what, own = docs.get(each.name, ""), f"{key}.{each.name}"
        if what and here.get(each.name) == what:
            continue
        if each.default is MISSING:
            yield Choice(own, *at, REQUIRED, what)
        elif isinstance(each.default, Config):
            yield Choice(own, *at, each.default.family or "-", what)
            for inner, value, of in each.default.settings(f"{own}."):
                yield Choice(inner, *at, value, of)
        else:
            yield Choice(own, *at, in_toml(each.default), what)
