"""Rows of the tables: accuracies, transfer and forgetting, wear and memory."""

from __future__ import annotations

from mho.experiments.metaplastic.config import MetaplasticConfig
from mho.experiments.metaplastic.measures import (
    HIDDEN_BITS,
    Outcome,
    memory,
    summary,
    tasks_to_first_death,
    told,
)
from mho.experiments.study import Rows
from mho.results import Cell, Column

SUMMARY = [
    Column("average, task told", "%"), Column("no task told", "%"), Column("last state", "%"),
    Column("backward transfer", "%"), Column("forward transfer", "%"), Column("forgetting", "%"),
]  # fmt: skip
WEAR = [
    Column("writes for each cell"), Column("99.9 % of cells below", "writes"),
    Column("most pulses on a cell"), Column("energy", "J"), Column("tasks to first dead cell"),
    Column("memory", "bit"),
]  # fmt: skip


def scheme_rows(config: MetaplasticConfig) -> Rows[Outcome]:
    """All that is said of a scheme."""

    def cells(_name: str, o: Outcome) -> list[Cell]:
        return [*told(o), *summary(o), *wear(o)]

    note = (
        f"{config.scheme_epochs} epoch(s) for each task, one chip, held-out images, after all "
        "tasks. Transfer and forgetting follow from the matrix of accuracies after each task; "
        "forward transfer is relative to the untrained network. Memory counts cells by their "
        "levels, and hidden weights and all that the rule keeps at 16 bits. `mho list rules` "
        "explains the schemes."
    )
    columns = [*told_columns(config), *SUMMARY, *WEAR]
    return Rows("schemes", "Schemes", "scheme", columns, cells, note)


def setting_rows(config: MetaplasticConfig, slug: str, title: str, head: str) -> Rows[Outcome]:
    """Accuracy on each task and wear; memory of as many bits as the study of these has."""

    def cells(name: str, o: Outcome) -> list[Cell]:
        bits = int(name) if slug == "precision" else HIDDEN_BITS
        return [*told(o), *wear(o, bits)]

    note = f"{config.study.epochs} epoch(s) for each task with fewer images; held-out images."
    columns = [*told_columns(config), *WEAR]
    return Rows(f"study_{slug}", title, head, columns, cells, note)


def scenario(config: MetaplasticConfig, slug: str, title: str, note: str = "") -> Rows[Outcome]:
    """Averages, transfer, forgetting and wear."""
    return Rows(slug, title, "training", [*SUMMARY, *WEAR],
                lambda _, o: [*summary(o), *wear(o)],
                f"{note} Held-out images, one chip.".strip())  # fmt: skip


def told_columns(config: MetaplasticConfig) -> list[Column]:
    """Of the accuracy on each task."""
    return [Column(task, "%") for task in config.tasks]


def wear(outcome: Outcome, bits: int = HIDDEN_BITS) -> list[Cell]:
    """Writes, energy, lifetime and memory, as `WEAR` names them."""
    return [
        outcome["mean_writes"], outcome["writes_999"], outcome["max_pulses"],
        outcome["programming_energy"],
        tasks_to_first_death(outcome),
        memory(outcome, bits).total,
    ]  # fmt: skip
