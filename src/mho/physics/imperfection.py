"""How much a cell has of one way to differ from an ideal cell."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Imperfection(NamedTuple):
    """One of them; its name is the key that a cell knows it by."""

    value: float
    """0 or more; 0: none."""
    what: str
    """Of what, in words."""
    unit: Literal["%", "1", "ln"] = "%"
    """What the value is: "%" a share, "1" a pure number, "ln" the logarithm of a ratio."""
