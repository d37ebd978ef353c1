"""Claims and figures of the experiment on wires."""

from __future__ import annotations

from collections.abc import Sequence

from mho.experiments.own_data import slug
from mho.experiments.study import Done, Grid, lines
from mho.experiments.wires.compensation import COMPENSATIONS, LOOP, PARTS, STRONG
from mho.experiments.wires.config import WiresConfig
from mho.experiments.wires.plan import ACCURACY, Refreshed, Row
from mho.results import (
    Bars,
    Circuit,
    Claim,
    Column,
    Curve,
    Map,
    Result,
    Table,
    bar_group,
    claim,
)

OHMS = "resistance of a segment [ohm]"


def result(
    config: WiresConfig,
    rows: list[Row],
    refreshed: Sequence[Done[int, Refreshed]],
    circuit: Circuit,
) -> Result:
    """Everything that a run says but the time that it took."""
    found = list(dict.fromkeys(_line(row) for row in rows))
    held_out = [row for row in rows if row["split"] == "validation"]
    return Result(
        experiment="wires",
        preset=config.preset,
        seed=config.seed,
        title="Wires: what they cost, and what compensates for it",
        summary="The three systems on arrays whose word lines and bit lines have resistance: "
        "the same for every segment between two cells, and between the last cell and the end of "
        "its line. Rows are driven from the left, except with 'both ends'. Cells are those of the "
        f"systems' own experiments; those of bmcnn spread by {config.cov:.0%}. Converters are "
        "calibrated behind the wires. Mapped networks were trained without wires on arrays of the "
        "same size. The question is our own; no paper has figures to compare with. Claims are on "
        "test images, everything else on held-out training images, on which the claimed "
        "compensation was chosen.",
        claims=[c for line in found for c in _claims(config, line, rows)],
        tables=[_parts(), *(_refresh_table(config, done) for done in refreshed)],
        curves=[_by_resistance(config, line, held_out) for line in found]
        + [curve for done in refreshed for curve in done.curves],
        bars=[_compared(config, found, held_out)],
        maps=[_map(line, held_out, name)
                 for line in found for name in ("none", STRONG[line.split(", ")[0]])],
        circuits=[circuit],
    )  # fmt: skip


def _line(row: Row) -> str:
    """A system, with its task where it has several."""
    return row["system"] + (f", {row['task']}" if row["system"] == "metaplastic" else "")


def _size(tile: int) -> str:
    return f"arrays of {tile} x {tile} cells"


def _slug(line: str) -> str:
    system, *task = line.split(", ", 1)
    return "_".join((system, *(slug(name).replace("-", "_") for name in task)))


def _claims(config: WiresConfig, line: str, rows: list[Row]) -> list[Claim]:
    where = f"{config.claimed.resistance:g} ohm a segment, {_size(config.claimed.tile)}"
    tested = [row for row in rows if _line(row) == line and row["split"] == "test"]
    found = {}
    for row in tested:
        wired, name = row["r"] > 0, row["compensation"]
        slug = {"none": "wired", LOOP: "loop"}.get(name, "compensated") if wired else "unwired"
        what = {
            "unwired": "without wires",
            "wired": f"mapped, {where}",
            "compensated": "the same, best compensation on held-out images",
            "loop": "trained through the same wires",
        }[slug]
        note = name if slug == "compensated" else ""
        found[slug] = claim(
            f"{_slug(line)}_{slug}", f"{line}: {what}", row["accuracy"], "%", note=note
        )
    return [found[slug] for slug in ("unwired", "wired", "compensated", "loop") if slug in found]


def _by_resistance(config: WiresConfig, line: str, rows: list[Row]) -> Curve:
    """Accuracy against resistance, all compensations."""
    shown = [r for r in rows if _line(r) == line and r["tile"] == config.claimed.tile]
    names = dict.fromkeys(row["compensation"] for row in shown if row["r"] > 0)
    drawn = lines(
        (name, row["r"], row["accuracy"])
        for name in names
        for row in shown
        if row["r"] == 0 or row["compensation"] == name
    )
    title = f"{line}: {_size(config.claimed.tile)}"
    return Curve(f"{_slug(line)}_resistance", title, OHMS, ACCURACY, drawn)


def _compared(config: WiresConfig, names: list[str], rows: list[Row]) -> Bars:
    """Every compensation of every system at the resistance that is claimed."""
    at = (config.claimed.tile, config.claimed.resistance)
    parts = [*dict.fromkeys(n for each in COMPENSATIONS.values() for n in each), LOOP]
    groups = []
    for line in names:
        found = {
            row["compensation"]: row["accuracy"]
            for row in rows
            if _line(row) == line and (row["tile"], row["r"]) == at
        }
        groups.append(bar_group(line, [found.get(name, []) for name in parts]))
    title = f"Compensations at {at[1]:g} ohm, {_size(at[0])}"
    return Bars("compensations", title, ACCURACY, parts, groups)


def _map(line: str, rows: list[Row], name: str) -> Map:
    """Accuracy over resistance and size of the arrays."""
    grid = Grid[Row, list[float]](
        f"{_slug(line)}_map_{'none' if name == 'none' else 'compensated'}",
        f"{line}: {'no compensation' if name == 'none' else name}",
        (OHMS, lambda row: row["r"]),
        ("rows and columns of an array", lambda row: float(row["tile"])),
        ACCURACY,
        list,
    )
    shown = [row for row in rows if _line(row) == line]
    return grid.of(
        (row, row["accuracy"]) for row in shown if row["compensation"] == name or row["r"] == 0
    )


def _refresh_table(config: WiresConfig, done: Done[int, Refreshed]) -> Table:
    points = done.study.points
    rows = [[points[k].job, o["staleness"], o["accuracy"]] for k, o in done.outcomes.items()]
    title = f"Wires of {config.claimed.resistance:g} ohm, solved again after some write steps"
    heads = [
        Column("write steps"),
        Column("largest error of effective conductances", "%"),
        Column("accuracy", "%"),
    ]
    note = "Between two solutions mho scales a written cell by the ratio of its conductances."
    return Table("refresh", title, heads, rows, note)


def _parts() -> Table:
    rows = [[name, what] for name, what in PARTS.items()]
    return Table("parts", "Compensations", [Column("part"), Column("what is done")], rows)
