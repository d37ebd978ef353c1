"""Which arrays and wires are measured, and what of that a run remembers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from mho.experiments.study import Axis, Study, Value, each, entry
from mho.experiments.study import Point as At
from mho.experiments.wires.compensation import COMPENSATIONS, STRONG
from mho.experiments.wires.config import System, WiresConfig
from mho.results import mean_std

Row = dict[str, Any]
"""A `Point`'s fields, `system`, `task`, `split` and the `accuracy` [%] of its chips."""


Refreshed = dict[str, float]
"""Accuracy after training through wires solved now and then, and the error of the estimates [%]."""

ACCURACY = "held-out accuracy [%]"


class Point(NamedTuple):
    """Arrays of a size behind wires."""

    tile: int
    r: float
    """Of a segment [ohm]."""
    compensation: str


def points(config: WiresConfig, system: System, tile: int) -> list[Point]:
    """Without wires; then all resistances, with all compensations where these are compared."""
    names = ("none", STRONG[system])
    if tile == config.claimed.tile:
        names = COMPENSATIONS[system]
    wired = [Point(tile, r, name) for r in config.resistances for name in names]
    return [Point(tile, 0.0, "none"), *wired]


def claimed(config: WiresConfig, system: System, rows: Iterable[Row]) -> list[Point]:
    """Points for the test images: no wires, wires, and the best compensation by held-out ones,
    be it worse than none."""
    at = (config.claimed.tile, config.claimed.resistance)
    found: dict[str, list[float]] = {}
    for row in rows:
        if (row["tile"], row["r"], row["split"]) == (*at, "validation"):
            found.setdefault(row["compensation"], []).append(mean_std(row["accuracy"]).mean)
    found.pop("none", None)
    best = max(found, key=lambda name: sum(found[name]))
    return [Point(at[0], 0.0, "none"), Point(*at, "none"), Point(*at, best)]


def measured(
    system: System, which: Iterable[Point], split: str, accuracy: Callable[[Point], dict[str, Any]]
) -> list[Row]:
    """Rows of points; `accuracy` gives the chips' by task."""
    return [
        point._asdict() | {"system": system, "task": task, "split": split, "accuracy": found}
        for point in which
        for task, found in accuracy(point).items()
    ]


def refreshes(config: WiresConfig) -> list[Study[int, Refreshed]]:
    """Training through wires solved at every so many write steps."""
    if not config.refreshes:
        return []
    name = f"siamese, {10 * config.refresh.per_class:,} images, 1 epoch"
    points = {str(every): At(every, every, name) for every in config.refreshes}
    error = Axis("rms error of effective conductances [%]", "log")
    what = "Training through wires, solved again every few steps"
    accuracy, staleness = each(entry("accuracy")), each(entry("staleness"))
    values = [
        Value("refresh_accuracy", f"{what}: accuracy", Axis(ACCURACY), accuracy),
        Value("refresh_staleness", f"{what}: largest error", error, staleness),
    ]
    return [Study(points, Axis("write steps between two solutions", "log"), values)]
