"""Ways of making good input wrong: bytes, texts, JSON values."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from random import Random
from typing import Any

import torch

VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1 << 70, 0.5, -1e308, 1e308, float("nan"), float("inf"), "", "x",
    "\0", "\ud800", "[red]", "<b>", [], [[]], {}, {"a": {}}, [None], "9" * 5000,
)  # fmt: skip
"""Values that stand where others should."""


def bytes_changed(random: Random, content: bytes) -> tuple[str, bytes]:
    """A file with something of it flipped, cut, doubled, filled or put in."""
    if not content:
        return "filled", random.randbytes(100)
    at = random.randrange(len(content))
    size = min(random.choice((1, 2, 16, 200, 5000)), len(content) - at)
    kind = random.choice(("bit", "cut", "gone", "twice", "zeros", "noise", "put in", "end"))
    changed = bytearray(content)
    if kind == "bit":
        changed[at] ^= 1 << random.randrange(8)
    elif kind == "cut":
        del changed[at:]
    elif kind == "gone":
        del changed[at : at + size]
    elif kind == "twice":
        changed[at:at] = changed[at : at + size]
    elif kind == "zeros":
        changed[at : at + size] = bytes(size)
    elif kind == "noise":
        changed[at : at + size] = random.randbytes(size)
    elif kind == "put in":
        changed[at:at] = random.randbytes(size)
    else:
        changed += random.randbytes(size)
    return f"{kind} at {at}, {size} bytes", bytes(changed)


def value_changed(random: Random, value: Any) -> tuple[str, Any]:
    """A nested value with one of its parts replaced, removed, renamed or doubled."""
    out = copy.deepcopy(value)
    places = list(_places(out))
    if not places:
        return "replaced", copy.deepcopy(random.choice(VALUES))
    holder, key = random.choice(places)
    kind = random.choice(("replaced", "replaced", "removed", "more", "scaled"))
    if kind == "removed":
        del holder[key]
    elif kind == "more":
        new = copy.deepcopy(holder[key])
        if isinstance(holder, list):
            holder.insert(key, new)
        else:
            holder[f"{key}x"] = new
    elif kind == "scaled" and type(holder[key]) in (int, float):
        holder[key] *= random.choice((-1, 0, 1000, 1e-9))
    elif isinstance(holder[key], torch.Tensor) and random.random() < 0.8:
        holder[key] = _tensor_changed(random, holder[key])
    else:
        holder[key] = copy.deepcopy(random.choice(VALUES))
    return f"{kind}: {key!r:.60}", out


def _tensor_changed(random: Random, tensor: torch.Tensor) -> Any:
    kinds = (
        lambda t: t.double(), lambda t: t.to(torch.int8), lambda t: t.flatten(), lambda t: t[None],
        lambda t: t.new_zeros(0), lambda t: torch.full_like(t.float(), float("nan")),
        lambda t: t.new_zeros(1).expand(100_000, 100_000), lambda t: -t.float(),
        lambda t: t.to("meta"), lambda t: t.float().to_sparse(), lambda t: t.to(torch.complex64),
        lambda t: t.half(), lambda t: t > 0, lambda t: t.tolist(),
    )  # fmt: skip
    return random.choice(kinds)(tensor)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Holder and key of every part."""
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _places(value[key])
