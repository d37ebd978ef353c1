"""A line of a data sheet: what a cell or a law says of itself, for people to read."""

from __future__ import annotations

from typing import NamedTuple


class Quantity(NamedTuple):
    """A number with its unit."""

    value: float
    unit: str
    """SI; "1": a pure number; "%": the value is a share, to be read as per cent of it."""


class Entry(NamedTuple):
    """A name, and numbers within words; how numbers are printed is left to whoever prints them."""

    name: str
    text: str = ""
    """Words with a {} for each value; empty: not given."""
    values: tuple[Quantity, ...] = ()
