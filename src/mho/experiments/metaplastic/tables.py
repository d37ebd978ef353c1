"""Tables: all schemes side by side, and the scenarios of split and stream."""

from __future__ import annotations

import mho
from mho.experiments.metaplastic.config import MetaplasticConfig
from mho.experiments.metaplastic.measures import (
    HIDDEN_BITS,
    Outcome,
    average,
    matrix,
    memory,
    tasks_to_first_death,
)
from mho.results import Column, Table

SUMMARY = [
    Column("average, task told", "%"),
    Column("no task told", "%"),
    Column("last state", "%"),
    Column("backward transfer", "%"),
    Column("forward transfer", "%"),
    Column("forgetting", "%"),
]
WEAR = [
    Column("writes a cell"), Column("99.9 % of cells below", "writes"),
    Column("most pulses on a cell"), Column("energy", "J"), Column("tasks to first dead cell"),
    Column("memory", "bit"),
]  # fmt: skip


def tables(
    config: MetaplasticConfig, schemes: dict[str, Outcome], studies: dict[str, dict[str, Outcome]]
) -> list[Table]:
    """The tables of a result."""
    out = []
    if schemes:
        columns = [Column("scheme"), *(Column(task, "%") for task in config.tasks), *SUMMARY, *WEAR]
        rows = [
            [name, *o["held_out"]["told"], *summary(o), *_wear(config, o)]
            for name, o in schemes.items()
        ]
        note = (
            f"{config.scheme_epochs} epoch(s) a task, one chip, held-out images, after all tasks. "
            "Transfer and forgetting from the matrix of accuracies after each task; forward "
            "transfer against the untrained network. Memory with hidden weights and all that the "
            "rule keeps, at 16 bits, cells by their levels. `mho list rules` says what each is."
        )
        out.append(Table("schemes", "Schemes", columns, rows, note))
    for study, title, note in (
        ("split", "Split MNIST, two digits a task", "Labels 0 to 9 (class-incremental) or 0 and 1 "
         "(domain-incremental). Of one state and joint no task is ever told."),
        ("stream", f"{config.tasks[-1]} in {config.study.parts} parts, each seen alone",
         "One batch normalization for all parts; at once: the whole data set for as many epochs."),
        ("convolution", "Convolutional network", ""),
    ):  # fmt: skip
        if study in studies:
            rows = [[name, *summary(o), *_wear(config, o)] for name, o in studies[study].items()]
            out.append(Table(study, title, [Column("training"), *SUMMARY, *WEAR], rows,
                             f"{note} Held-out images, one chip.".strip()))  # fmt: skip
    for study, title, name in (
        ("m", "Strength of the interval rule", "m"),
        ("forms", "Forms of the interval rule", "form"),
        ("gates", "Share of the units open in a task", "share"),
        ("period", "Images between two write phases", "images"),
        ("precision", "Bits of each hidden value", "bits"),
        ("levels", "Levels of a cell", "levels"),
        ("imperfections", "Imperfections, one at a time", "what"),
    ):
        if study in studies:
            columns = [Column(name), *(Column(task, "%") for task in config.tasks), *WEAR]
            rows = [
                [
                    point,
                    *o["held_out"]["told"],
                    *_wear(config, o, int(point) if study == "precision" else HIDDEN_BITS),
                ]
                for point, o in studies[study].items()
            ]
            note = f"{config.study.epochs} epoch(s) a task of fewer images, held-out images."
            out.append(Table(f"study_{study}", title, columns, rows, note))
    return out


def summary(outcome: Outcome) -> list[float | None]:
    """Averages, transfer and forgetting; what a scheme does not have is None."""
    found = outcome["held_out"]
    rest: list[float | None] = [None] * 3
    if "before" in outcome["history"]:
        accuracy = mho.AccuracyMatrix(matrix(outcome), outcome["history"]["initial"])
        rest = [accuracy.backward_transfer, accuracy.forward_transfer, accuracy.forgetting]
    other = [average(outcome, told=w) if w in found else None for w in ("recognized", "last")]
    return [average(outcome), *other, *rest]


def _wear(
    config: MetaplasticConfig, outcome: Outcome, bits: int = HIDDEN_BITS
) -> list[float | None]:
    return [
        outcome["mean_writes"], outcome["writes_999"], outcome["max_pulses"],
        outcome["programming_energy"],
        tasks_to_first_death(outcome, config.hardware.device.endurance),
        memory(outcome, bits).total,
    ]  # fmt: skip
