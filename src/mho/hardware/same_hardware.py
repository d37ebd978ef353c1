"""Whether a saved state is one of the hardware that it is loaded into, and fits itself."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from mho.errors import invalid
from mho.hardware.hardware import Hardware

MAY_DIFFER = (
    *("programming", "placement", "wire_refresh", "transposed", "coverage", "range_growth"),
    "full_scale",
)
"""Fields of `Hardware` that say how things are done from now on, not what a state means."""

_WORDS = ("doi", "note")
"""Fields of cells that change no number."""


def description(hardware: Hardware) -> Tensor:
    """What a state says of its hardware: JSON as bytes, uint8 (n,)."""
    text = json.dumps(hardware.to_dict(), sort_keys=True)
    return torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8)


def sum_of(tensors: Iterable[Tensor]) -> int:
    """CRC-32 of the numbers of tensors, in order."""
    total = 0
    for each in tensors:
        numbers = each.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy()
        total = zlib.crc32(numbers.data, total)
    return total


def check_same(saved: Tensor, hardware: Hardware, name: str) -> None:
    """Refuse a description of other hardware, field by field but for `MAY_DIFFER`.

    Args:
        saved: from `description`; fields that it lacks have their defaults.
        hardware: of the network.
        name: of the entry, for the error.

    Raises:
        ValueError: names the first field that differs, with both values.
    """
    theirs = Hardware.from_dict(json.loads(bytes(saved.cpu().numpy())))
    for field, value, ours in _differences(theirs.to_dict(), hardware.to_dict(), ""):
        if field.partition(".")[0] not in MAY_DIFFER:
            allowed = (
                f"{ours!r}, as in the network that loads the state; "
                "convert the network with the hardware of the state, or load its weights alone"
            )
            raise invalid(f"{name}: {field}", value, allowed)


def _differences(theirs: Any, ours: Any, name: str) -> Iterator[tuple[str, Any, Any]]:
    """Name and both values of each field that differs, None where a side has none."""
    if not (isinstance(theirs, Mapping) and isinstance(ours, Mapping)):
        if theirs != ours:
            yield name, theirs, ours
        return
    if theirs.get("family") != ours.get("family"):
        yield f"{name}.family".lstrip("."), theirs.get("family"), ours.get("family")
        return
    for key in (*theirs, *(k for k in ours if k not in theirs)):
        if key not in _WORDS:
            inner = f"{name}.{key}" if name else key
            yield from _differences(theirs.get(key), ours.get(key), inner)
