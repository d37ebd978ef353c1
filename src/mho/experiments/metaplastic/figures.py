"""Figures: both tasks by epoch, m, the frontier, many tasks, writes and memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mho.experiments.metaplastic.config import MetaplasticConfig
from mho.experiments.metaplastic.measures import (
    Memory,
    Outcome,
    Trained,
    average,
    averages,
    memory,
    reference,
)
from mho.results import Bars, Curve, Mark, Series, bar_group, grouped, series
from mho.results.figures import Scale

HELD_OUT = "held-out accuracy [%]"
BY_EPOCH = ("gated importance", "importance", "interval", "none")
"""Schemes on the figure of learning; more lines would hide each other."""
OVER_ONE: tuple[tuple[str, str, str, Scale], ...] = (
    ("m", "Strength of the interval rule", "m", "linear"),
    ("gates", "Units open in a task", "share", "linear"),
    ("period", "Images between two write phases", "images", "log"),
    ("precision", "Bits of each hidden value", "bits", "linear"),
    ("levels", "Levels of a cell", "levels", "log"),
)
"""Studies that vary one setting: name, title, label and scale of its axis."""


def curves(config: MetaplasticConfig, trained: Trained) -> list[Curve]:
    """The lines of a result."""
    out = [_both("claimed", "All tasks by epoch", config.tasks, trained.claimed)]
    title = "All tasks by epoch, reverse order"
    out.append(_both("reverse", title, config.tasks[::-1], trained.reverse))
    compared = {name: [o] for name, o in trained.schemes.items() if name in BY_EPOCH}
    if compared:
        out += _each(config.tasks, compared)
    if len(config.tasks) > 1:
        out += _frontier(config, trained)
    if trained.permuted:
        rows = [
            series(name, _count(found[0]["tasks"]),
                   list(zip(*(averages(o) for o in found), strict=True)))
            for name, found in trained.permuted.items()
            if name != "joint"
        ]  # fmt: skip
        joint = trained.permuted.get("joint")
        if joint:
            tasks = len(joint[0]["tasks"])
            rows.append(series("joint, all at once", [tasks], [[average(o) for o in joint]]))
        title = "Permuted MNIST: mean accuracy over the tasks so far"
        out.append(Curve("permuted", title, "tasks learnt", HELD_OUT, rows))
    return out + _studies(config, trained.studies)


def _both(slug: str, title: str, tasks: Sequence[str], outcomes: dict[str, list[Outcome]]) -> Curve:
    """All tasks in one figure, under each scheme."""
    rows = [
        _line(f"{task}, {name}", found, number)
        for number, task in enumerate(tasks)
        for name, found in outcomes.items()
    ]
    return Curve(slug, title, "epoch", HELD_OUT, rows, marks=_marks(tasks, outcomes))


def _each(tasks: Sequence[str], outcomes: dict[str, list[Outcome]]) -> list[Curve]:
    """A figure for each task, and one of the writes."""
    marks = _marks(tasks, outcomes)
    out = []
    for number, task in enumerate(tasks):
        rows = [_line(name, found, number) for name, found in outcomes.items()]
        title = f"{task} by epoch, schemes"
        out.append(Curve(f"schemes_{number + 1}", title, "epoch", HELD_OUT, rows, marks=marks))
    rows = [
        series(name, _count(found[0]["history"]["written"]),
               list(zip(*(o["history"]["written"] for o in found), strict=True)))
        for name, found in outcomes.items()
    ]  # fmt: skip
    title = "Weights written in an epoch, schemes"
    return [*out, Curve("schemes_written", title, "epoch", "writes", rows, marks=marks)]


def _line(name: str, outcomes: list[Outcome], number: int) -> Series:
    """Accuracy on a task by epoch, from where it begins."""
    first = number * outcomes[0]["epochs"]
    columns = [o["history"][f"task {number}"][first:] for o in outcomes]
    x = range(first + 1, first + 1 + len(columns[0]))
    return series(name, list(x), list(zip(*columns, strict=True)))


def _marks(tasks: Sequence[str], outcomes: dict[str, list[Outcome]]) -> list[Mark]:
    """Where each task but the first begins."""
    epochs = next(iter(outcomes.values()))[0]["epochs"]
    return [Mark(n * epochs + 0.5, f"{task} begins") for n, task in enumerate(tasks) if n]


def _frontier(config: MetaplasticConfig, trained: Trained) -> list[Curve]:
    """First task against last: every scheme, and some of them as they hold firmer."""
    first, last = config.tasks[0], config.tasks[-1]
    labels = (f"{first} [%]", f"{last} [%]")

    def points(name: str, outcomes: Sequence[Outcome]) -> Series:
        told = [o["held_out"]["told"] for o in outcomes]
        return Series(name, [t[0] for t in told], [t[-1] for t in told])

    out = []
    if trained.schemes:
        rows = [points(name, [o]) for name, o in trained.schemes.items()]
        title = "After all tasks: first against last, every scheme"
        out.append(Curve("frontier", title, *labels, rows, pooled="points"))
    if "strength" in trained.studies:
        by_scheme: dict[str, list[Outcome]] = {}
        for name, outcome in trained.studies["strength"].items():
            by_scheme.setdefault(name.rsplit(", ", 1)[0], []).append(outcome)
        rows = [points(name, found) for name, found in by_scheme.items()]
        title = "The same as the past is held firmer, fewer images"
        out.append(Curve("strength", title, *labels, rows, pooled="points"))
    return out


def _studies(config: MetaplasticConfig, studies: dict[str, dict[str, Outcome]]) -> list[Curve]:
    """Lines over one setting."""
    out = []
    for study, title, x_label, scale in OVER_ONE:
        if study not in studies:
            continue
        points = studies[study]
        x = [float(name) for name in points]
        rows = [
            series(task, x, [[o["held_out"]["told"][k]] for o in points.values()])
            for k, task in enumerate(config.tasks)
        ]
        out.append(Curve(f"study_{study}", title, x_label, HELD_OUT, rows, x_scale=scale))
        if study in ("m", "period"):
            rows = [
                series("mean", x, [[o["mean_writes"]] for o in points.values()]),
                series("busiest", x, [[float(o["max_writes"])] for o in points.values()]),
            ]
            out.append(
                Curve(f"study_{study}_writes", f"{title}: writes", x_label, "writes of a cell",
                      rows, x_scale=scale, y_scale="log")
            )  # fmt: skip
    if "imperfections" in studies:
        points = {name: o for name, o in studies["imperfections"].items() if ", " in name}
        rows = grouped(points, average, percent=True)
        out.append(
            Curve("imperfections", "One imperfection at a time, mean of the tasks",
                  "spread or noise of the window, or share of the cells [%]", HELD_OUT, rows)
        )  # fmt: skip
    if "stream" in studies:
        rows = [
            series(name, _count(o["tasks"]), [[v] for v in _present(o)])
            for name, o in studies["stream"].items()
            if name != "at once"
        ]
        title = f"{config.tasks[-1]} as a stream of {config.study.parts} parts"
        out.append(Curve("stream", title, "parts learnt", HELD_OUT, rows))
    return out


def _present(outcome: Outcome) -> list[float]:
    """Accuracy on what was just learnt, after each task: of a stream, on the whole data set."""
    history = outcome["history"]
    return [history[f"end, task {k}"][k] for k in range(len(outcome["tasks"]))]


def bars(config: MetaplasticConfig, trained: Trained) -> list[Bars]:
    """Memory, and what the schemes wrote."""
    ours = trained.claimed["gated importance"][0]
    named: dict[str, Memory] = {"binarized reference": reference(len(config.tasks))}
    named |= {"gated importance": memory(ours)}
    named |= {
        name: memory(o)
        for name, o in trained.schemes.items()
        if name in ("interval", "EWC", "SI", "Bayesian", "apart")
    }
    groups = [
        bar_group(part, [[getattr(each, attribute) / 8e6] for each in named.values()])
        for part, attribute in (
            ("cells, by their levels", "cells"), ("hidden weights", "hidden"),
            ("rule, for each synapse", "rule"), ("for each task", "tasks"),
        )
    ]  # fmt: skip
    out = [
        Bars("memory", "Memory, values beside the cells of 16 bits", "memory [MB]",
                    list(named), groups, stacked=True)
    ]  # fmt: skip
    if trained.schemes:
        names = list(trained.schemes)
        for slug, title, label, entry in (
            ("writes", "Busiest cell after all tasks", "pulses", "max_pulses"),
            ("energy", "Programming energy of all tasks", "energy [J]", "programming_energy"),
        ):
            group = bar_group(
                f"{config.scheme_epochs} epoch(s) a task",
                [[float(o[entry])] for o in trained.schemes.values()],
            )
            out.append(Bars(f"schemes_{slug}", title, label, names, [group], scale="log"))
    return out


def _count(items: Sequence[Any]) -> list[int]:
    return list(range(1, len(items) + 1))
