"""One look for each name throughout a page: its colour, its mark and its dashes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from mho.report.axes import DASHES, MARKERS, PALETTE, Colour, colours
from mho.results import Bars, Curve, Figure, Histogram

MOST = len(PALETTE)
"""Names that colours and marks tell apart in one set of axes [1]."""


GREY = "#9a9a9a"
"""Of what has no colour of its own among others that have."""


class Look(NamedTuple):
    """How a series is drawn."""

    colour: str
    marker: str
    dash: str | tuple[float, tuple[float, ...]]


Looks = Mapping[str, Look]


def looks_of(figures: Iterable[Figure]) -> Looks:
    """The look of each series and group of some figures, by name, in the order in which they first
    come. Names that share a figure have other colours, as far as there are colours."""
    looks: dict[str, Look] = {}
    i = 0
    for figure in figures:
        names = series_of(figure)
        for name in names:
            if name in looks:
                continue
            taken = {looks[each].colour for each in names if each in looks}
            free = (j for j in range(i, i + MOST) if look(j).colour not in taken)
            at = next(free, i)
            looks[name], i = look(at), at + 1
    return looks


def series_of(figure: Figure) -> list[str]:
    """Names that a figure tells apart by colour; none where groups are many and follow an order."""
    if isinstance(figure, Curve):
        return [series.name for series in figure.series]
    if isinstance(figure, Bars | Histogram) and len(figure.groups) <= MOST:
        return [group.name for group in figure.groups if group.name]
    return []


def hues(names: Sequence[str], looks: Looks | None) -> list[Colour]:
    """Colours of groups: those of their names throughout the page; a ramp where they are many."""
    if looks is None or len(names) > MOST or not all(name in looks for name in names):
        return colours(len(names))
    return [looks[name].colour for name in names]


def highlighted(categories: Sequence[str], looks: Looks | None) -> list[str]:
    """Colours of rows without groups: that of a name which is a series elsewhere on the page, the
    others in grey; all in the first colour where none is."""
    known = [looks[name].colour if looks and name in looks else None for name in categories]
    other = GREY if any(known) else PALETTE[0]
    return [colour or other for colour in known]


def look(i: int) -> Look:
    """The look of name i: each round through the colours has other marks and dashes."""
    round_, at = divmod(i, MOST)
    marker = MARKERS[(at + round_) % len(MARKERS)]
    return Look(PALETTE[at], marker, DASHES[round_ % len(DASHES)])
