"""Tables: all write schemes side by side, and the ways of programming."""

from __future__ import annotations

from mho.experiments.siamese.config import SiameseConfig
from mho.experiments.siamese.measures import (
    Outcome,
    base,
    epochs_to_first_death,
    gone,
    per_weight,
    quantile,
    spent,
)
from mho.results import Cell, Column, Table

COLUMNS = [
    Column("held-out accuracy", "%"), Column("writes gone", "%"), Column("first epoch", "%"),
    Column("writes a weight"), Column("99.9 % of cells below", "writes"),
    Column("most on a cell", "writes"), Column("pulses"), Column("verify reads"),
    Column("energy", "J"), Column("cell by cell", "s"), Column("row by row", "s"),
    Column("epochs to first dead cell"),
]  # fmt: skip


def tables(
    config: SiameseConfig, compared: dict[str, Outcome], studies: dict[str, dict[str, Outcome]]
) -> list[Table]:
    """The tables of a result."""
    some = next((o for name, o in compared.items() if name != "float"), None)
    out = []
    if some is not None:
        note = (
            f"{config.scheme_epochs} epoch(s), one chip, MLP. Base of the shares of writes that "
            f"are gone: {base(some)} an epoch. Pulses, reads, energy and time after the first "
            "programming; writes on cells with it. `mho list schemes` says what each writes."
        )
        if "Tiki-Taka" in compared:
            note += (
                f" Of Tiki-Taka's pulses {spent(compared['Tiki-Taka'], 'fast_pulses'):,} fall on "
                "its fast arrays, of whose reads and time row by row nothing is counted."
            )
        rows = [[name, *_cells(config, outcome)] for name, outcome in compared.items()]
        columns = [Column("scheme"), *COLUMNS]
        out.append(Table("schemes", "Write schemes", columns, rows, note))
    if "programming" in studies:
        rows = [
            [name, *_cells(config, outcome)] for name, outcome in studies["programming"].items()
        ]
        note = f"Frugal writes, {config.study.epochs} epoch(s), one chip, MLP."
        columns = [Column("programming"), *COLUMNS]
        out.append(Table("programming", "Ways of programming", columns, rows, note))
    return out


def _cells(config: SiameseConfig, outcome: Outcome) -> list[Cell]:
    """A row of numbers; of a network in float the accuracy alone."""
    accuracy = outcome["history"]["validation"][-1]
    if "writes" not in outcome:
        return [accuracy, *[None] * (len(COLUMNS) - 1)]
    return [
        accuracy, gone(outcome), gone(outcome, 1), per_weight(outcome),
        quantile(outcome, 0.999), outcome["max_writes"],
        *(spent(outcome, name) for name in ("pulses", "reads", "energy", "serial", "rows")),
        epochs_to_first_death(outcome, config.hardware.device.endurance),
    ]  # fmt: skip
