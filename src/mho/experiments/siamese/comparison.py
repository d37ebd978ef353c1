"""All write schemes beside each other, on the first chip."""

from __future__ import annotations

from functools import partial

from mho.experiments.account import stands
from mho.experiments.siamese.config import SiameseConfig
from mho.experiments.siamese.measures import (
    Outcome,
    accuracy,
    array_energy,
    epochs_to_first_death,
    gone,
    per_weight,
    quantile,
    spent,
)
from mho.experiments.siamese.schemes import scheme_of
from mho.experiments.siamese.training import Job
from mho.experiments.study import Axis, Chart, Point, Reading, Rows, Study, Value, in_turn
from mho.results import Cell, Column

Studies = list[Study[Job, Outcome]]

ACCURACY = Axis("held-out accuracy [%]")
WRITES = Axis("writes of a weight", "log")
BOTH = ("float", "falling threshold")
"""Schemes that stand on both figures of learning."""
COLUMNS = [
    Column("held-out accuracy", "%"), Column("writes saved", "%"),
    Column("in the first epoch", "%"),
    Column("writes of a weight"), Column("99.9 % of cells below", "writes"),
    Column("most of a cell", "writes"), Column("pulses"), Column("verify reads"),
    Column("cells given up"),
    Column("programming energy", "J"), Column("energy of the arrays", "J"),
    Column("cell by cell", "s"), Column("row by row", "s"),
    Column("epochs to first dead cell"),
]  # fmt: skip
"""What is said of a training in a table."""


def schemes(config: SiameseConfig) -> Studies:
    """Every scheme, on the first chip, for the same epochs: by epoch, and by writes."""
    if not config.schemes:
        return []
    epochs = config.scheme_epochs
    points = {n: Point(Job(n, epochs, config.hardware), line=n) for n in config.schemes}

    def learning(rivals: bool, point: Point[Job], outcome: Outcome) -> list[Reading]:
        shown = point.line in BOTH or scheme_of(point.line).rival is rivals
        return in_turn(point.line, outcome["history"]["validation"] if shown else [])

    def by_writes(point: Point[Job], outcome: Outcome) -> list[Reading]:
        return [(point.line, max(per_weight(outcome), 1e-3), accuracy(outcome))]

    by_epoch = [
        Value(f"{slug}_learning", f"{what}: accuracy by epoch", ACCURACY, partial(learning, rivals))
        for slug, what, rivals in (
            ("schemes", "Schemes of the float twin", False), ("rivals", "Rival schemes", True),
        )
    ]  # fmt: skip
    title = "All schemes: accuracy against writes"
    frontier = Value("frontier", title, ACCURACY, by_writes, pooled="points")
    charts = costs("schemes", f"{epochs} epoch(s)")
    if config.hardware.device.endurance is not None:
        life = {"first cell": epochs_to_first_death}
        title = f"Epochs until a cell dies, of {stands(config.hardware.device)}"
        charts.append(Chart("lifetime", title, "epochs", life, "log"))
    on_arrays = {name: point for name, point in points.items() if name != "float"}
    table = rows(config, "schemes", "Write schemes", "scheme")
    return [
        Study(points, Axis("epoch"), by_epoch, rows=table),
        Study(on_arrays, WRITES, [frontier], charts if on_arrays else []),
    ]


def costs(slug: str, what: str) -> list[Chart[Outcome]]:
    """Energy and time after the first programming: of programming, and of all that arrays do."""

    energy = {"pulses and verify reads": partial(spent, name="energy"),
              "with all reads and conversions": array_energy}  # fmt: skip
    time = {"row by row": partial(spent, name="rows"),
            "cell by cell": partial(spent, name="serial")}  # fmt: skip
    return [
        Chart(f"{slug}_energy", f"Energy of the arrays, {what}", "energy [J]", energy, "log"),
        Chart(f"{slug}_time", f"Programming time, {what}", "time [s]", time, "log"),
    ]


def rows(config: SiameseConfig, slug: str, title: str, head: str, note: str = "") -> Rows[Outcome]:
    """A table of trainings; of a network in float the accuracy alone."""

    def cells(_name: str, o: Outcome) -> list[Cell]:
        if "writes" not in o:
            return [accuracy(o), *[None] * (len(COLUMNS) - 1)]
        return [
            accuracy(o), gone(o), gone(o, 1), per_weight(o), quantile(o, 0.999), o["max_writes"],
            *(spent(o, name) for name in ("pulses", "reads", "given_up", "energy")),
            array_energy(o), spent(o, "serial"), spent(o, "rows"),
            epochs_to_first_death(o),
        ]  # fmt: skip

    return Rows(slug, title, head, COLUMNS, cells, note)
