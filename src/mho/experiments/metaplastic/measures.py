"""Outcomes of trainings, and what is read off one of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import mho

Outcome = dict[str, Any]


class Trained(NamedTuple):
    """Outcomes of the claimed trainings of a run."""

    claimed: dict[str, list[Outcome]]
    """By scheme, one a chip, in the run's order of tasks."""
    reverse: dict[str, list[Outcome]]
    """The same in the reverse order."""
    hidden: dict[str, list[Outcome]]
    """The same of schemes whose synapses store their hidden weight alone, in the run's order; empty
    if they are left out."""
    permuted: dict[str, list[Outcome]]
    """By scheme, one a chip, on a data set under permutations; empty if that is left out."""


REFERENCE = (784, 4096, 4096, 10)
"""Widths of the binarized reference (Laborieux 2021), one cell a weight."""
HIDDEN_BITS = 16
"""Bits of each value beside the cells: chosen, and the same for the reference."""


def told(outcome: Outcome) -> list[float]:
    """Held-out accuracy on every task after all of them, each told [%]."""
    return outcome["held_out"]["told"]


def average(outcome: Outcome, block: str = "held_out", told: str = "told") -> float:
    """Mean accuracy over the tasks after all of them."""
    values = outcome[block][told]
    return sum(values) / len(values)


def matrix(outcome: Outcome) -> list[list[float]]:
    """Held-out accuracy after each task (rows) on each task (columns).

    On the next one in the state of the one before; on those after it nan.
    """
    history = outcome["history"]
    columns = [history[f"end, task {k}"] for k in range(len(outcome["tasks"]))]
    rows = [[math.nan if v is None else v for v in row] for row in zip(*columns, strict=True)]
    for k, value in enumerate(history.get("before", [])):
        rows[k][k + 1] = value
    return rows


def averages(outcome: Outcome) -> list[float]:
    """Mean accuracy over the tasks so far, after each of them."""
    return [sum(row[: n + 1]) / (n + 1) for n, row in enumerate(matrix(outcome))]


def present(outcome: Outcome) -> list[float]:
    """Accuracy on what was just learnt, after each task: of a stream, on the whole data set."""
    history = outcome["history"]
    return [history[f"end, task {k}"][k] for k in range(len(outcome["tasks"]))]


def summary(outcome: Outcome) -> list[float | None]:
    """Averages, transfer and forgetting; what a scheme does not have is None."""
    found = outcome["held_out"]
    rest: list[float | None] = [None] * 3
    if "before" in outcome["history"]:
        accuracy = mho.tasks.AccuracyMatrix(matrix(outcome), outcome["history"]["initial"])
        rest = [accuracy.backward_transfer, accuracy.forward_transfer, accuracy.forgetting]
    other = [average(outcome, told=w) if w in found else None for w in ("recognized", "last")]
    return [average(outcome), *other, *rest]


def tasks_to_first_death(outcome: Outcome) -> float | None:
    """Tasks until a cell has spent its own endurance, at the average pace.

    None if cells live for ever, tasks were not learnt one after another on the same cells, or it
    was not measured.
    """
    used = outcome.get("endurance_used", 0.0)
    return len(outcome["tasks"]) / used if used > 0 and outcome["in_turn"] else None


@dataclass(frozen=True)
class Memory:
    """Memory of a network that goes on learning [bit]."""

    cells: float
    """In the arrays."""
    hidden: float
    """Hidden weights, in the digital unit."""
    rule: float
    """What the rule keeps for each synapse beside them."""
    tasks: float
    """What is kept for each task."""

    @property
    def total(self) -> float:
        """All of it."""
        return self.cells + self.hidden + self.rule + self.tasks


def memory(outcome: Outcome, bits: int = HIDDEN_BITS) -> Memory:
    """Of a network that was trained, with hidden values of so many bits.

    The optimizer's own moments are not counted, anywhere.
    """
    weights = outcome["weights"]
    return Memory(
        cells=outcome["cells"] * math.log2(outcome["states"]),
        hidden=weights * bits,
        rule=weights * bits * len(outcome["stored"]),
        tasks=outcome["values_for_tasks"] * HIDDEN_BITS,
    )


def reference(tasks: int) -> Memory:
    """Of the binarized reference: one bit a cell, its rule keeps nothing beside hidden weights."""
    cells = sum(a * b for a, b in pairwise(REFERENCE))
    per_task = 4 * sum(REFERENCE[1:])  # gain, shift, mean, variance of each unit
    return Memory(cells, cells * HIDDEN_BITS, 0, tasks * per_task * HIDDEN_BITS)
