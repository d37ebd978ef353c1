"""Figures of the claimed trainings: all tasks by epoch, many tasks, memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mho.data.named import label
from mho.experiments.metaplastic.comparison import HELD_OUT, marks, task_by_epoch
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
from mho.experiments.study import Reading, in_turn, lines
from mho.results import Bars, Curve, bar_group

OTHERS = ("interval rule", "EWC", "SI", "Bayesian steps", "separate networks")
"""Schemes whose memory stands beside ours."""


def curves(config: MetaplasticConfig, trained: Trained) -> list[Curve]:
    """All tasks by epoch in both orders, and permutations by task."""
    out = [
        _both(config, "claimed", "All tasks by epoch", config.tasks, trained.claimed),
        _both(config, "reverse", "All tasks by epoch, reverse order", config.tasks[::-1],
              trained.reverse),
    ]  # fmt: skip
    if trained.permuted:
        readings: list[Reading] = []
        for name, found in trained.permuted.items():
            for o in found:
                at_once = [("joint training, all at once", len(o["tasks"]), average(o))]
                readings += at_once if name == "joint training" else in_turn(name, averages(o))
        title = f"Permuted {label(config.permuted.data)}: mean accuracy over the tasks so far"
        out.append(Curve("permuted", title, "tasks learnt", HELD_OUT.label, lines(readings)))
    return out


def _both(
    config: MetaplasticConfig, slug: str, title: str, tasks: Sequence[str],
    outcomes: Mapping[str, Sequence[Outcome]],
) -> Curve:  # fmt: skip
    """All tasks in one figure, under each scheme; mean and deviation over chips."""
    readings = (
        reading
        for number, task in enumerate(tasks)
        for name, found in outcomes.items()
        for o in found
        for reading in task_by_epoch(f"{task}, {name}", o, number)
    )
    starts = marks(tasks, config.epochs)
    return Curve(slug, title, "epoch", HELD_OUT.label, lines(readings), marks=starts)


def memory_bars(config: MetaplasticConfig, ours: Outcome, compared: Mapping[str, Outcome]) -> Bars:
    """Memory of the reference, of our network, and of others' schemes on it."""
    named: dict[str, Memory] = {
        "binarized reference": reference(len(config.tasks)),
        "path importance with gates": memory(ours),
    }
    named |= {name: memory(o) for name, o in compared.items() if name in OTHERS}
    groups = [
        bar_group(part, [[getattr(each, attribute) / 8e6] for each in named.values()])
        for part, attribute in (
            ("cells, by their levels", "cells"), ("hidden weights", "hidden"),
            ("rule, for each synapse", "rule"), ("for each task", "tasks"),
        )
    ]  # fmt: skip
    title = "Memory, with 16 bits for each value beside the cells"
    return Bars("memory", title, "memory [MB]", list(named), groups, stacked=True)
