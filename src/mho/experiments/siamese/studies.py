"""The further studies: which trainings each consists of, and what is shown of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import mho
from mho.experiments.experiment import imperfect
from mho.experiments.siamese.comparison import ACCURACY, Studies, costs, rows
from mho.experiments.siamese.config import SiameseConfig, StudyName
from mho.experiments.siamese.measures import Outcome, accuracy, worn
from mho.experiments.siamese.training import Job
from mho.experiments.siamese.varied import (
    ASYMMETRY,
    ENDURANCE,
    IMPERFECTIONS,
    LEVELS,
    NONLINEARITY,
    dying,
    of_levels,
    relaxing,
    uneven,
    ways,
)
from mho.experiments.study import Axis, Chart, Point, Reading, Study, Value, each, over

Points = dict[str, Point[Job]]

SCHEME = "falling threshold"
"""Of all studies."""

SHARES = Axis("spread or noise of the window, or share of the cells [%]")
AGES = (1.0, 60.0, 3600.0, 86_400.0, 2.6e6, 3.2e7, 3.2e8)
"""A second, a minute, an hour, a day, a month, a year, ten years [s]."""


def imperfections(config: SiameseConfig) -> Studies:
    """One imperfection at a time."""

    def job(value: float, what: str) -> Job:
        return _trained(config, imperfect(config.hardware, what, value))

    points: Points = {}
    for what, values in IMPERFECTIONS.items():
        points |= over(values, partial(job, what=what), what, scale=100)
    title = "One imperfection at a time"
    return [Study(points, SHARES, [Value("imperfections", title, ACCURACY, each(accuracy))])]


def levels(config: SiameseConfig) -> Studies:
    """Cells and weights of fewer and more levels."""
    points = over(LEVELS, lambda n: _trained(config, of_levels(config.hardware, n)))
    title = "Levels of a weight, same thresholds"
    value = Value("weight_levels", title, ACCURACY, _as_line)
    return [Study(points, Axis("levels", "log"), [value])]


def programming(config: SiameseConfig) -> Studies:
    """One attempt at a level, program-and-verify, and pulses from where the cell stands."""
    kinds = ways(config.hardware)
    points = {name: Point(_trained(config, kind)) for name, kind in kinds.items()}
    epochs = f"{config.study.epochs} epoch(s)"
    charts = [
        Chart("programming_accuracy", "Ways of programming: accuracy", ACCURACY.label,
              {SCHEME: accuracy}),
        *costs("programming", f"{SCHEME}, {epochs}"),
    ]  # fmt: skip
    note = f"{SCHEME.capitalize()}, {epochs}, one chip, MLP."
    table = rows(config, "programming", "Ways of programming", "programming", note)
    return [Study(points, charts=charts, rows=table)]


def pulses(config: SiameseConfig) -> Studies:
    """Open-loop pulses on cells of growing non-linearity, and of growing asymmetry."""

    def job(value: float, varied: str) -> Job:
        return _trained(config, uneven(config.hardware, **{varied: value}))

    return [
        Study(over(values, partial(job, varied=varied), what), Axis(what), [
            Value(slug, f"Open-loop pulses: {what}", ACCURACY, _as_line)
        ])
        for slug, what, varied, values in (
            ("nonlinearity", "non-linearity", "nonlinearity", NONLINEARITY),
            ("asymmetry", "RESET step over SET step", "reset_ratio", ASYMMETRY),
        )
    ]  # fmt: skip


def retention(config: SiameseConfig) -> Studies:
    """Networks left to themselves after the training, on cells that relax.

    The chips' own laws of time if they have any; else those of published cells, rates in siemens
    scaled to the window.
    """
    points = {
        name: Point(_trained(config, kind)._replace(aged=AGES), line=name)
        for name, kind in relaxing(config.hardware).items()
    }

    def aged(point: Point[Job], outcome: Outcome) -> list[Reading]:
        return [
            (f"{point.line}, {how}", age, value)
            for how, values in outcome["aged"].items()
            for age, value in zip(AGES, values, strict=True)
        ]

    value = Value("retention", "Left alone after the training", ACCURACY, aged)
    return [Study(points, Axis("time since [s]", "log"), [value])]


def endurance(config: SiameseConfig) -> Studies:
    """Cells that die after a few pulses, under two schemes."""

    def job(most: float, scheme: str) -> Job:
        return Job(scheme, config.study.epochs, dying(config.hardware, most))

    points: Points = {}
    for scheme in ("on level change", SCHEME):
        points |= over(ENDURANCE, partial(job, scheme=scheme), scheme)
    epochs = f"{config.study.epochs} epoch(s)"
    values = [
        Value("endurance", f"Accuracy as cells die, {epochs}", ACCURACY, each(accuracy)),
        Value("worn", f"Cells dead at the end, {epochs}", Axis("cells [%]"), each(worn)),
    ]
    return [Study(points, Axis("pulses that a cell stands", "log"), values)]


STUDY: dict[StudyName, Callable[[SiameseConfig], Studies]] = {
    "imperfections": imperfections,
    "levels": levels,
    "programming": programming,
    "pulses": pulses,
    "retention": retention,
    "endurance": endurance,
}
"""In the order of the page."""


def _as_line(point: Point[Job], outcome: Outcome) -> list[Reading]:
    """Accuracy on a line of the scheme's name."""
    return [(SCHEME, point.x, accuracy(outcome))]


def _trained(config: SiameseConfig, hardware: mho.Hardware) -> Job:
    return Job(SCHEME, config.study.epochs, hardware)
