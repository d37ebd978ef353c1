"""Which layer of a network is on which kind of chip, said by names, patterns or a function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import NamedTuple

from torch import nn

from mho.errors import invalid
from mho.hardware import Hardware

ByLayer = Hardware | Mapping[str, Hardware | None] | Callable[[str, nn.Module], Hardware | None]
"""One kind of chip for all layers; or by layer, None for one that stays digital: a mapping of names
or patterns such as `"features.*"`, of which the first that matches counts, or a function of
(name, layer)."""


class Candidate(NamedTuple):
    """A layer that hardware may be given for."""

    names: tuple[str, ...]
    """Its name, and others that it is found by."""
    module: nn.Module
    convertible: bool
    """Whether it can be on arrays; a layer that cannot may only be excluded."""
    matters: bool = True
    """Whether it makes a difference what is said of it; a function is not asked else."""


class Choice(NamedTuple):
    """What was said of a layer."""

    hardware: Hardware | None
    excluded: bool
    """Whether it was said to stay digital."""


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
        return [Choice(given, False) for _ in layers]
    if not isinstance(given, Mapping):
        made = [_returned(field, given, layer) for layer in layers]
        return [Choice(hardware, hardware is None) for hardware in made]
    _check_keys(field, given, layers)
    found = []
    for layer in layers:
        keys = [key for key in given if _matches(key, layer)]
        if not keys and layer.convertible:
            what = f"{field}, in which no key matches layer {layer.names[0]!r},"
            raise invalid(what, given, "one with '*' for all others: {..., '*': hardware or None}")
        hardware = given[keys[0]] if keys else None
        found.append(Choice(hardware, bool(keys) and hardware is None))
    return found


def _returned(
    field: str,
    given: Callable[[str, nn.Module], Hardware | None],
    layer: Candidate,
) -> Hardware | None:
    if not layer.matters:
        return None
    made = given(layer.names[0], layer.module)
    if made is not None and not isinstance(made, Hardware):
        allowed = "a mho.Hardware, or None for a layer that stays digital"
        raise invalid(f"{field}({layer.names[0]!r}, layer)", made, allowed)
    return made


def _matches(key: str, layer: Candidate) -> bool:
    return any(name == key or fnmatchcase(name, key) for name in layer.names)


def _check_keys(field: str, given: Mapping[str, Hardware | None], layers: list[Candidate]) -> None:
    """Refuse keys that match nothing: they are spelled wrong, or name what cannot be on arrays."""
    for key, hardware in given.items():
        may = [layer for layer in layers if layer.convertible or hardware is None]
        if key == "*" or any(_matches(key, layer) for layer in may):
            continue
        if any(_matches(key, layer) for layer in layers):
            allowed = "None: what it names cannot be on arrays"
            raise invalid(f"{field}[{key!r}]", hardware, allowed)
        names = [layer.names[0] for layer in may]
        near = get_close_matches(key, names, n=3, cutoff=0.4) or names[:3]
        allowed = f"names of its layers, such as {', '.join(map(repr, near))}, or patterns"
        raise invalid(f"{field}, key", key, f"{allowed} such as {_pattern(near[0])!r}")


def _pattern(name: str) -> str:
    head, _, last = name.rpartition(".")
    return f"{head}.*" if last and head else "*"
