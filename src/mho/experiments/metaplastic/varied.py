"""The chips that the further studies train on: those of a run, one thing about them changed."""

from __future__ import annotations

from collections.abc import Iterable

import mho
from mho.experiments.cells import Varied, with_levels
from mho.experiments.experiment import imperfect

LEVELS = (3, 5, 9, 17)
IMPERFECTIONS: dict[str, tuple[float, ...]] = {
    "write spread": (0.05, 0.2),
    "read noise": (0.05, 0.2),
    "stuck cells": (0.02, 0.1),
}
"""Values that each imperfection takes, the others at their default; shares."""


def of_levels(hardware: mho.Hardware, levels: int) -> mho.Hardware:
    """Cells of so many levels."""
    return hardware.replace(device=with_levels(hardware.device, levels))


def with_imperfection(hardware: mho.Hardware, what: str, value: float) -> mho.Hardware:
    """The same chips with one imperfection; written unverified where verifying would cut it off."""
    if what == "write spread":
        hardware = hardware.replace(programming=mho.cells.OpenLoop())
    return imperfect(hardware, what, value)


def _imperfections(hardware: mho.Hardware) -> Iterable[mho.Hardware]:
    every = [(name, value) for name, values in IMPERFECTIONS.items() for value in values]
    return [with_imperfection(hardware, name, value) for name, value in every]


VARIED: dict[str, Varied] = {
    "levels": lambda hardware: [of_levels(hardware, n) for n in LEVELS],
    "imperfections": _imperfections,
}
"""All chips of each study that varies them."""
