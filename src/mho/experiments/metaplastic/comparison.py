"""All schemes beside each other, on the first chip."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import mho
from mho.data import Task
from mho.experiments.metaplastic.config import MetaplasticConfig
from mho.experiments.metaplastic.measures import Outcome, told
from mho.experiments.metaplastic.tables import scheme_rows
from mho.experiments.metaplastic.training import Job
from mho.experiments.study import Axis, Chart, Point, Reading, Study, Value, entry, in_turn
from mho.results import Mark

Studied = Study[Job, Outcome]

HELD_OUT = Axis("held-out accuracy [%]")
BY_EPOCH = ("path importance with gates", "path importance", "interval rule", "no protection")
"""Schemes on the figures of learning; more lines would hide each other."""


def in_order(config: MetaplasticConfig) -> tuple[Task, ...]:
    """The tasks of the run."""
    return mho.data.sequential(config.tasks)


def schemes(config: MetaplasticConfig) -> list[Studied]:
    """Every scheme for the same epochs: by epoch, and the first task against the last."""
    if not config.schemes:
        return []
    tasks, config = in_order(config), config.replace(epochs=config.scheme_epochs)
    points = {s: Point(Job(s, tasks, config), line=s) for s in config.schemes}

    def task(point: Point[Job], outcome: Outcome, number: int) -> list[Reading]:
        shown = point.line in BY_EPOCH
        return task_by_epoch(point.line, outcome, number) if shown else []

    def written(point: Point[Job], outcome: Outcome) -> list[Reading]:
        return in_turn(point.line, outcome["history"]["written"] if point.line in BY_EPOCH else [])

    starts = marks(config.tasks, config.epochs)
    by_epoch = [
        Value(f"schemes_{k + 1}", f"{name} by epoch, schemes", HELD_OUT, partial(task, number=k),
              starts)
        for k, name in enumerate(config.tasks)
    ]  # fmt: skip
    title = "Weights written in an epoch, schemes"
    by_epoch.append(Value("schemes_written", title, Axis("writes"), written, starts))
    title = "After all tasks: first against last, every scheme"
    ends = Value("frontier", title, of_task(config.tasks[-1]), first_and_last, pooled="points")
    epochs = f"{config.epochs} epoch(s) a task"
    charts = [
        Chart(f"schemes_{slug}", title, label, {epochs: entry(what)}, "log")
        for slug, title, label, what in (
            ("writes", "Busiest cell after all tasks", "pulses", "max_pulses"),
            ("energy", "Programming energy of all tasks", "energy [J]", "programming_energy"),
        )
    ]
    several = len(config.tasks) > 1
    return [
        Study(points, Axis("epoch"), by_epoch if {*points} & {*BY_EPOCH} else []),
        Study(
            points, of_task(config.tasks[0]), [ends] if several else [], charts, scheme_rows(config)
        ),
    ]


def task_by_epoch(line: str, outcome: Outcome, number: int) -> list[Reading]:
    """Accuracy on a task by epoch, from where it begins."""
    first = number * outcome["epochs"]
    return in_turn(line, outcome["history"][f"task {number}"][first:], first + 1)


def marks(tasks: Sequence[str], epochs: int) -> list[Mark]:
    """Where each task but the first begins."""
    return [Mark(n * epochs + 0.5, f"{task} begins") for n, task in enumerate(tasks) if n]


def of_task(task: str) -> Axis:
    """Accuracy on a task."""
    return Axis(f"{task} [%]")


def first_and_last(point: Point[Job], outcome: Outcome) -> list[Reading]:
    """Accuracy on the first task against that on the last, after all of them."""
    return [(point.line, told(outcome)[0], told(outcome)[-1])]
