"""A device on one page as data: curves with bands in panels, and its numbers as text."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Curve:
    """A line, with the band around it where there is one."""

    x: np.ndarray
    y: np.ndarray
    label: str = ""
    low: np.ndarray | None = None
    """Lower end of the band at each x."""
    high: np.ndarray | None = None


@dataclass(frozen=True)
class Panel:
    """One set of axes; without curves it says why there are none."""

    title: str
    x_label: str = ""
    y_label: str = ""
    curves: list[Curve] = field(default_factory=list)
    x_scale: str = "linear"
    filled: bool = False
    """Whether curves are areas above 0, and the y axis has no numbers: distributions."""
    missing: str = "not given"
    """What stands in the place of curves."""
    remark: str = ""
    """What is shown, in a line under the title."""


@dataclass(frozen=True)
class Card:
    """A device."""

    name: str
    levels: Panel
    response: Panel
    current: Panel
    retention: Panel
    noise: Panel
    numbers: list[tuple[str, str]]
    """What and how much, as text with units."""
    note: str = ""
    """What the source gives and what is chosen here."""
