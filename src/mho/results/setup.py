"""The chips of a run: the settings of their hardware, and what is known of their cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from mho.results.card import Card


class Setup(NamedTuple):
    """What a page says of the chips, beside what they found."""

    hardware: Sequence[tuple[str, str, str]]
    """Setting, its value, and what it is."""
    cell: Card


SetupOf = Callable[[str | None], Setup | None]
"""Reads it out of the text of a `config.toml`; None: it does not say."""
