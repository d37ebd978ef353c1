"""The further studies: which trainings each consists of, and what is shown of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import mho
from mho.data.named import label
from mho.experiments.metaplastic.comparison import (
    HELD_OUT,
    Studied,
    first_and_last,
    in_order,
    of_task,
)
from mho.experiments.metaplastic.config import MetaplasticConfig, StudyName
from mho.experiments.metaplastic.measures import Outcome, average, present, told
from mho.experiments.metaplastic.tables import scenario, setting_rows
from mho.experiments.metaplastic.training import Job
from mho.experiments.metaplastic.varied import (
    IMPERFECTIONS,
    LEVELS,
    of_levels,
    with_imperfection,
)
from mho.experiments.study import Axis, Point, Reading, Study, Value, each, in_turn, over

Points = dict[str, Point[Job]]

SHARES = Axis("spread or noise of the window, or share of the cells [%]")
STRENGTHS: dict[str, tuple[str, tuple[float, ...]]] = {
    "path importance with gates": ("pull", (2e-4, 2e-3, 2e-2)),
    "path importance": ("pull", (2e-4, 2e-3, 2e-2)),
    "EWC": ("elastic", (1e3, 1e4, 1e5)),
    "SI": ("intelligence", (1.0, 5.0, 25.0)),
}
"""Schemes on the frontier, and the strength that moves each of them along it."""
M = (0.0, 1.0, 2.0, 3.0, 4.0)
DIRECTIONS = ("toward-threshold", "both")
MODES = ("interval", "global")
SHARED = (0.3, 0.5, 0.7)
PERIODS = (1, 3, 10, 30)
BITS = (16, 12, 10, 8)
SPLIT = (
    "path importance with gates",
    "path importance",
    "path importance with one batch norm",
    "EWC",
    "no protection",
    "joint training",
)
STREAM = ("path importance", "interval rule", "Bayesian steps", "no protection")


def strength(config: MetaplasticConfig) -> list[Studied]:
    """How firmly the past is held, scheme by scheme."""
    points = {
        f"{scheme}, {value:g}": Point(_ruled(config, scheme, **{setting: value}), line=scheme)
        for scheme, (setting, values) in STRENGTHS.items()
        for value in values
    }
    title = "First and last task by strength of protection, fewer images"
    ends = Value("strength", title, of_task(config.tasks[-1]), first_and_last, pooled="points")
    return [Study(points, of_task(config.tasks[0]), [ends] if len(config.tasks) > 1 else [])]


def m(config: MetaplasticConfig) -> list[Studied]:
    """Strength of the interval rule."""
    points = over(M, lambda value: _ruled(config, "interval rule", m=value))
    title = "Strength of the interval rule"
    return [_setting(config, "m", title, Axis("m"), points, writes=True)]


def forms(config: MetaplasticConfig) -> list[Studied]:
    """The rule between levels and the ancestor's, on the same levels, one-sided and two-sided."""
    points = {
        f"{mode}, {direction}": Point(
            _ruled(config, "interval rule", mode=mode, direction=direction)
        )
        for mode in MODES
        for direction in DIRECTIONS
    }
    rows = setting_rows(config, "forms", "Forms of the interval rule", "form")
    return [Study(points, rows=rows)]


def gates(config: MetaplasticConfig) -> list[Studied]:
    """Share of the hidden units that is open in a task."""
    points = over(SHARED, lambda value: _small(config, share=value))
    titles = ("Units open in a task", "Share of the units open in a task")
    return [_setting(config, "gates", titles[0], Axis("share"), points, rows=titles[1])]


def period(config: MetaplasticConfig) -> list[Studied]:
    """Images between two write phases."""
    images = [k * config.batch for k in PERIODS]
    points = over(images, lambda n: _small(config, transfer=n))
    title = "Images between two write phases"
    return [_setting(config, "period", title, Axis("images", "log"), points, writes=True)]


def precision(config: MetaplasticConfig) -> list[Studied]:
    """Bits of the hidden weight, and of each value that the rule stores for it."""
    points = over((32, *BITS), lambda n: _ruled(config, hidden_bits=n if n < 32 else None))
    return [_setting(config, "precision", "Bits of each hidden value", Axis("bits"), points)]


def levels(config: MetaplasticConfig) -> list[Studied]:
    """Levels of a cell."""

    def job(n: int) -> Job:
        return _small(config, hardware=of_levels(config.hardware, n))

    axis = Axis("levels", "log")
    return [_setting(config, "levels", "Levels of a cell", axis, over(LEVELS, job))]


def imperfections(config: MetaplasticConfig) -> list[Studied]:
    """None at all, all at their default, and one at a time grown."""

    def job(value: float, what: str) -> Job:
        return _small(config, hardware=with_imperfection(config.hardware, what, value))

    ideal = _small(config, "path importance with gates on ideal chip")
    points = {"none": Point(ideal), "default": Point(_small(config))}
    for what, values in IMPERFECTIONS.items():
        points |= over(values, partial(job, what=what), what, scale=100)
    title = "One imperfection at a time, mean of the tasks"
    value = Value("imperfections", title, HELD_OUT, each(average))
    rows = setting_rows(config, "imperfections", "Imperfections, one at a time", "what")
    return [Study(points, SHARES, [value], rows=rows)]


def split(config: MetaplasticConfig) -> list[Studied]:
    """Two classes at a time, labelled as they are (class-incremental) or 0 and 1
    (domain-incremental)."""
    data = config.study.split
    last = len(mho.data.dataset(data).classes) - 1
    points = {
        f"{name}, {scheme}": Point(_small(config, scheme)._replace(tasks=tasks))
        for name, tasks in (
            ("class-incremental", mho.data.split(data, relabel=False)),
            ("domain-incremental", mho.data.split(data, relabel=True)),
        )
        for scheme in SPLIT
    }
    note = (
        f"Labels 0 to {last} (class-incremental) or 0 and 1 (domain-incremental). Path "
        "importance with one batch norm and joint training are never told the task."
    )
    return [
        Study(
            points, rows=scenario(config, "split", f"Split {label(data)}, two classes a task", note)
        )
    ]


def stream(config: MetaplasticConfig) -> list[Studied]:
    """One data set cut in many parts, each seen alone and never again; one state for all."""
    whole, own = config.tasks[-1], config.study
    config = config.replace(epochs=own.epochs)
    at_once = Job("no protection", mho.data.sequential((whole,)), config, one_state=True)
    if config.per_class is not None:
        config = config.replace(per_class=max(1, config.per_class // own.parts))
    job = at_once._replace(tasks=mho.data.stream(whole, own.parts), config=config)
    points = {s: Point(job._replace(scheme=s), line=s) for s in STREAM}

    def by_part(point: Point[Job], outcome: Outcome) -> list[Reading]:
        return in_turn(point.line, present(outcome) if point.line else [])

    title = f"{whole} as a stream of {own.parts} parts"
    note = "One batch normalization for all parts; at once: the whole data set for as many epochs."
    rows = scenario(config, "stream", f"{whole} in {own.parts} parts, each seen alone", note)
    value = Value("stream", title, HELD_OUT, by_part)
    return [Study(points | {"at once": Point(at_once)}, Axis("parts learnt"), [value], rows=rows)]


def convolution(config: MetaplasticConfig) -> list[Studied]:
    """The small convolutional network."""
    config = config.replace(epochs=config.scheme_epochs)
    points = {
        scheme: Point(Job(scheme, in_order(config), config, network="cnn"))
        for scheme in ("path importance with gates", "no protection")
    }
    return [Study(points, rows=scenario(config, "convolution", "Convolutional network"))]


STUDY: dict[StudyName, Callable[[MetaplasticConfig], list[Studied]]] = {
    "strength": strength,
    "m": m,
    "forms": forms,
    "gates": gates,
    "period": period,
    "precision": precision,
    "levels": levels,
    "imperfections": imperfections,
    "split": split,
    "stream": stream,
    "convolution": convolution,
}
"""In the order of the page."""


def _small(
    config: MetaplasticConfig, scheme: str = "path importance with gates", **changes: Any
) -> Job:
    """A training of the further studies: fewer images, some settings changed."""
    fewer = min(config.study.per_class, config.per_class or config.study.per_class)
    small = config.replace(per_class=fewer, epochs=config.study.epochs, **changes)
    return Job(scheme, in_order(config), small)


def _ruled(
    config: MetaplasticConfig, scheme: str = "path importance with gates", **changes: Any
) -> Job:
    """The same, settings of the rules changed."""
    return _small(config, scheme, rules=config.rules.replace(**changes))


def _setting(
    config: MetaplasticConfig, slug: str, title: str, axis: Axis, points: Points, *,
    writes: bool = False, rows: str = "",
) -> Studied:  # fmt: skip
    """Accuracy on each task over one setting, if wanted what was written, and a table of all."""

    def by_task(point: Point[Job], outcome: Outcome) -> list[Reading]:
        return [(task, point.x, y) for task, y in zip(config.tasks, told(outcome), strict=True)]

    def written(point: Point[Job], outcome: Outcome) -> list[Reading]:
        most = float(outcome["max_writes"])
        return [("mean", point.x, outcome["mean_writes"]), ("busiest", point.x, most)]

    values = [Value(f"study_{slug}", title, HELD_OUT, by_task)]
    if writes:
        of_a_cell = Axis("writes of a cell", "log")
        values.append(Value(f"study_{slug}_writes", f"{title}: writes", of_a_cell, written))
    table = setting_rows(config, slug, rows or title, axis.label)
    return Study(points, axis, values, rows=table)
