"""Which layers of a network are put on arrays, and on which kind of chip each."""

from __future__ import annotations

from typing import NamedTuple

from torch import nn

from mho.errors import invalid
from mho.learning.hardware_by_layer import ByLayer, Candidate, Choice, by_layer
from mho.learning.layer_table import Holder, Row, holders, named
from mho.learning.twins import kinds, parts_of, twin_of


class Selection(NamedTuple):
    """What of a network is put on arrays."""

    digital: list[Row]
    """What stays digital though nobody said so."""
    chosen: dict[nn.Module, Choice]
    """What was said of each layer that is put on arrays."""
    excluded: frozenset[str]
    """Names of rows that were said to stay digital."""


def selected(model: nn.Module, hardware: ByLayer, strict: bool) -> Selection:
    """Which layers are put on arrays, and on which kind of chip each.

    Args:
        strict: refuse what stays digital though nobody said so.

    Raises:
        ValueError: nothing to put on arrays; a key of `hardware` that no layer has, or a layer that
            no key matches; with `strict`, a layer with weights that would stay digital.
    """
    every = holders(model)
    layers = [_candidate(each, names) for names in [_names(model)] for each in every]
    if not any(layer.convertible for layer in layers):
        raise invalid("model", model, f"a network with at least one {kinds()}{_instead(every)}")
    choices = by_layer("hardware", hardware, layers)
    chosen = {
        layer.module: choice
        for layer, choice in zip(layers, choices, strict=True)
        if layer.convertible and choice.hardware is not None
    }
    if not chosen:
        first = next(layer for layer in layers if layer.convertible)
        allowed = f"one that puts at least one layer on arrays, such as {first.names[0]!r}"
        raise invalid("hardware", hardware, allowed)
    digital = [
        each.row
        for each, layer, choice in zip(every, layers, choices, strict=True)
        if each.row.counts and not layer.convertible and not choice.excluded
    ]
    if digital and strict:
        allowed = "a network all of whose weights can be on arrays, or hardware={name: None, ...}"
        raise invalid("model, strictly,", model, f"{allowed}: {named(digital)} would stay digital")
    said = zip(every, choices, strict=True)
    excluded = frozenset(each.row.name for each, choice in said if choice.excluded)
    return Selection(digital, chosen, excluded)


def _names(model: nn.Module) -> dict[nn.Module, list[str]]:
    """All names of each module, the one it has elsewhere first."""
    found: dict[nn.Module, list[str]] = {}
    for name, module in model.named_modules(remove_duplicate=False):
        found.setdefault(module, []).append(name)
    return found


def _candidate(holder: Holder, names: dict[nn.Module, list[str]]) -> Candidate:
    own, whole = names[holder.module], holder.row.name == holder.layer
    known = tuple(own) if whole else (holder.row.name, *filter(None, own))
    convertible = whole and twin_of(holder.module) is not None
    parts = parts_of(holder.module) if convertible else {}
    return Candidate(known, holder.module, convertible, convertible or holder.row.counts, parts)


def _instead(every: list[Holder]) -> str:
    """What a network has that cannot be on arrays."""
    rows = [each.row for each in every if each.row.counts]
    return f"; this one has {named(rows)}" if rows else ""
