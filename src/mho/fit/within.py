"""What of a fit a record can hold: numbers within the bounds of its fields, and remarks."""

from __future__ import annotations

import typing
from collections.abc import Mapping

from mho.config import Config, Range

Value = float | int | tuple[float, ...]


def within(record: type[Config], values: Mapping[str, Value]) -> tuple[dict[str, Value], list[str]]:
    """Values brought into the bounds of a record's fields, whole where they must be; and a remark
    on each that was found outside, or is more than 1 % off for being whole."""
    hints = typing.get_type_hints(record, include_extras=True)
    taken: dict[str, Value] = {}
    remarks = []
    for name, value in values.items():
        bounds, whole = _range(hints[name]), _whole(hints[name])
        parts = value if isinstance(value, tuple) else (value,)
        held = tuple(_held(part, bounds, whole) for part in parts)
        taken[name] = held if isinstance(value, tuple) else held[0]
        for i, (found, written) in enumerate(zip(parts, held, strict=True)):
            label = f"{name}[{i}]" if len(parts) > 1 else name
            if found not in (bounds or Range()):
                end = "least" if found < written else "most"
                why = f"the {end} that the family takes"
            elif abs(written - found) > 0.01 * abs(found):
                why = "a whole number"
            else:
                continue
            remarks.append(f"{label} {found:.4g}: written as {written:g}, {why}")
    return taken, remarks


def _held(value: float, bounds: Range | None, whole: bool) -> float:
    value = round(value) if whole else value
    least, most = (None, None) if bounds is None else (bounds.least, bounds.most)
    value = value if least is None or value >= least else least
    return value if most is None or value <= most else most


def _range(hint: object) -> Range | None:
    """The bounds in a type, at any depth."""
    found = [each for each in getattr(hint, "__metadata__", ()) if isinstance(each, Range)]
    found += [each for part in typing.get_args(hint) if (each := _range(part)) is not None]
    return found[0] if found else None


def _whole(hint: object) -> bool:
    """Whether a type is that of whole numbers."""
    return hint is int or (bool(typing.get_args(hint)) and typing.get_args(hint)[0] is int)
