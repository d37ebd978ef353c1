"""Which layer of a network is on which kind of chip, said by names, patterns or a function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from torch import nn

from mho.errors import invalid
from mho.hardware import Hardware

ByName = Mapping[str, Hardware | None]
"""Kinds of chips by names or patterns, None for digital."""

ByLayer = Hardware | ByName | Callable[[str, nn.Module], Hardware | ByName | None]
"""One kind of chip for all layers; or by layer, None for one that stays digital: a mapping of names
or patterns such as `"features.*"`, of which the first that matches counts, or a function of
(name, layer).

Of a layer of several matrices, each may be named: `"lstm.weight_hh_l0"` as in torch, `"lstm.hh_l0"`
as on arrays. A key that matches a matrix, and not the layer, goes before those that match the layer
too. A function may answer with a mapping of names in the layer: `{"weight_hh*": one, "*": other}`.
"""


class Candidate(NamedTuple):
    """A layer that hardware may be given for."""

    names: tuple[str, ...]
    """Its name, and others that it is found by."""
    module: nn.Module
    convertible: bool
    """Whether it can be on arrays; a layer that cannot may only be excluded."""
    matters: bool = True
    """Whether it makes a difference what is said of it; a function is not asked else."""
    parts: Mapping[str, tuple[str, ...]] = {}
    """Of a layer of several matrices, what each is called within it, by part:
    `{"hh_l0": ("hh_l0", "weight_hh_l0")}`."""

    def names_of(self, part: str) -> tuple[str, ...]:
        """What one of its matrices is called in the network."""
        return tuple(within(name, inner) for name in self.names for inner in self.parts[part])


class Choice(NamedTuple):
    """What was said of a layer."""

    hardware: Hardware | None
    """Of a layer of several matrices, that of the first which is on arrays."""
    excluded: bool
    """Whether it was said to stay digital."""
    parts: Mapping[str, Hardware | None] = {}
    """Of a layer of several matrices, what was said of each."""


def within(name: str, inner: str) -> str:
    """Name of what is inside of a layer, or of the network itself, which has no name."""
    return f"{name}.{inner}" if name and inner else name or inner


def by_layer(field: str, given: ByLayer, layers: list[Candidate]) -> list[Choice]:
    """What is said of each of some layers.

    Args:
        field: what errors call the argument.
        given: as the user gave it.
        layers: of the network.

    Raises:
        ValueError: a key that no layer has, a layer that no key matches, or a function that returns
            something else.
    """
    if isinstance(given, Hardware):
        return [Choice(given, False, dict.fromkeys(layer.parts, given)) for layer in layers]
    if isinstance(given, Mapping):
        _check_keys(field, given, layers)
        return [_from_keys(field, given, layer) for layer in layers]
    return [_returned(field, given, layer) for layer in layers]


def _from_keys(field: str, given: ByName, layer: Candidate) -> Choice:
    keys = [key for key in given if _matches(key, layer.names)]
    if not layer.parts:
        if not keys and layer.convertible:
            raise _without_key(field, given, layer.names[0])
        hardware = given[keys[0]] if keys else None
        return Choice(hardware, bool(keys) and hardware is None)
    found = {}
    for part in layer.parts:
        own = [k for k in given if k not in keys and _matches(k, layer.names_of(part))]
        found[part] = (own + keys)[:1]
    lacking = [part for part, key in found.items() if not key]
    if lacking:
        every = len(lacking) == len(found)
        label = layer.names[0] if every else layer.names_of(lacking[0])[0]
        raise _without_key(field, given, label)
    return _of_parts({part: given[key] for part, (key,) in found.items()})


def _without_key(field: str, given: ByName, label: str) -> ValueError:
    what = f"{field}, in which no key matches layer {label!r},"
    return invalid(what, given, "one with '*' for all others: {..., '*': hardware or None}")


def _of_parts(parts: dict[str, Hardware | None]) -> Choice:
    first = next(filter(None, parts.values()), None)
    return Choice(first, first is None, parts)


def _returned(
    field: str,
    given: Callable[[str, nn.Module], Any],
    layer: Candidate,
) -> Choice:
    if not layer.matters:
        return Choice(None, True)
    made = given(layer.names[0], layer.module)
    label = f"{field}({layer.names[0]!r}, layer)"
    if layer.parts and isinstance(made, Mapping):
        for key, value in made.items():
            if not isinstance(key, str) or not (value is None or isinstance(value, Hardware)):
                allowed = "a mho.Hardware, or None, by names of the layer's matrices"
                raise invalid(f"{label}[{key!r}]", value, allowed)
        each = [Candidate(names, layer.module, True) for names in layer.parts.values()]
        said = by_layer(label, made, each)
        return _of_parts({part: c.hardware for part, c in zip(layer.parts, said, strict=True)})
    if made is not None and not isinstance(made, Hardware):
        allowed = "a mho.Hardware, or None for a layer that stays digital"
        if layer.parts:
            allowed += f", or a mapping of names of its matrices, such as {_torch_name(layer)!r}"
        raise invalid(label, made, allowed)
    return Choice(made, made is None, dict.fromkeys(layer.parts, made))


def _torch_name(layer: Candidate) -> str:
    """What torch calls the last matrix of a layer."""
    return [*layer.parts.values()][-1][-1]


def _matches(key: str, names: tuple[str, ...]) -> bool:
    return any(name == key or fnmatchcase(name, key) for name in names)


def _names_anything(key: str, layer: Candidate) -> bool:
    """Whether a key names a layer, or one of its matrices."""
    return _matches(key, layer.names) or any(
        _matches(key, layer.names_of(part)) for part in layer.parts
    )


def _check_keys(field: str, given: ByName, layers: list[Candidate]) -> None:
    """Refuse keys that match nothing: they are spelled wrong, or name what cannot be on arrays."""
    for key, hardware in given.items():
        may = [layer for layer in layers if layer.convertible or hardware is None]
        if key == "*" or any(_names_anything(key, layer) for layer in may):
            continue
        if any(_names_anything(key, layer) for layer in layers):
            allowed = "None: what it names cannot be on arrays"
            raise invalid(f"{field}[{key!r}]", hardware, allowed)
        names = [name for layer in may for name in layer.names]
        parts = [name for layer in may for part in layer.parts for name in layer.names_of(part)]
        first = [layer.names[0] for layer in may[:3]]
        near = get_close_matches(key, names + parts, n=3, cutoff=0.4) or first
        allowed = f"names of its layers, such as {', '.join(map(repr, near))}, or patterns"
        raise invalid(f"{field}, key", key, f"{allowed} such as {_pattern(near[0])!r}")


def _pattern(name: str) -> str:
    head, _, last = name.rpartition(".")
    return f"{head}.*" if last and head else "*"
