"""One look for each name throughout a page: its colour, its mark and its dashes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from mho.report.axes import DASHES, MARKERS, PALETTE
from mho.results import Curve, Figure

MOST = len(PALETTE)
"""Names that colours and marks tell apart in one set of axes [1]."""


class Look(NamedTuple):
    """How a series is drawn."""

    colour: str
    marker: str
    dash: str | tuple[float, tuple[float, ...]]


Looks = Mapping[str, Look]


def looks_of(figures: Iterable[Figure]) -> Looks:
    """The look of each series of some figures, by name, in the order in which they first come."""
    curves = (each for each in figures if isinstance(each, Curve))
    names = dict.fromkeys(series.name for curve in curves for series in curve.series)
    return {name: look(i) for i, name in enumerate(names)}


def look(i: int) -> Look:
    """The look of name i: each round through the colours has other marks and dashes."""
    round_, at = divmod(i, MOST)
    marker = MARKERS[(at + round_) % len(MARKERS)]
    return Look(PALETTE[at], marker, DASHES[round_ % len(DASHES)])
