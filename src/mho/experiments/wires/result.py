"""Claims and figures of the experiment on wires."""

from __future__ import annotations

from mho.experiments.wires.compensation import COMPENSATIONS, LOOP, PARTS, STRONG
from mho.experiments.wires.config import WiresConfig
from mho.experiments.wires.plan import Row
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
    mean_std,
    series,
)

ACCURACY = "held-out accuracy [%]"
OHMS = "resistance of a segment [ohm]"


def result(
    config: WiresConfig,
    rows: list[Row],
    stale: dict[int, dict[str, float]],
    circuit: Circuit,
) -> Result:
    """Everything that a run says but the time that it took."""
    lines = list(dict.fromkeys(_line(row) for row in rows))
    held_out = [row for row in rows if row["split"] == "validation"]
    return Result(
        experiment="wires",
        preset=config.preset,
        seed=config.seed,
        title="Wires: what the lines of an array cost, and what wins it back",
        summary="The three systems on arrays whose word lines and bit lines have resistance: "
        "every segment between two cells, and between the last cell and the end of its line, has "
        "the same. Rows are driven from the left but for 'both ends'. Cells are as in the systems' "
        f"own experiments, those of bmcnn spread by {config.cov:.0%}. Converters are calibrated "
        "behind the wires. Mapped networks were trained without wires on arrays of the same size. "
        "No paper's figures stand beside these: they are our own. Claims are on test images, all "
        "else on held-out training images, on which the compensation claimed was chosen.",
        claims=[c for line in lines for c in _claims(config, line, rows)],
        tables=[_parts(), *_stale_table(config, stale)],
        curves=[_by_resistance(config, line, held_out) for line in lines]
        + _stale_curves(config, stale),
        bars=[_compared(config, lines, held_out)],
        maps=[_map(config, line, held_out, name)
                 for line in lines for name in ("none", STRONG[line.split(", ")[0]])],
        circuits=[circuit],
    )  # fmt: skip


def _line(row: Row) -> str:
    """A system, with its task where it has several."""
    return row["system"] + (f", {row['task']}" if row["system"] == "metaplastic" else "")


def _size(tile: int) -> str:
    return f"arrays of {tile} x {tile} cells"


def _slug(line: str) -> str:
    return line.replace(", ", "_").replace("-", "_")


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
    unwired = [row for row in shown if row["r"] == 0]
    groups: dict[str, list[Row]] = {}
    for row in shown:
        if row["r"] > 0:
            groups.setdefault(row["compensation"], [*unwired]).append(row)
    drawn = [
        series(name, [row["r"] for row in some], [row["accuracy"] for row in some])
        for name, some in groups.items()
    ]
    title = f"{line}: {_size(config.claimed.tile)}"
    return Curve(f"{_slug(line)}_resistance", title, OHMS, ACCURACY, drawn)


def _compared(config: WiresConfig, lines: list[str], rows: list[Row]) -> Bars:
    """Every compensation of every system at the resistance that is claimed."""
    at = (config.claimed.tile, config.claimed.resistance)
    names = [*dict.fromkeys(n for each in COMPENSATIONS.values() for n in each), LOOP]
    groups = []
    for line in lines:
        found = {
            row["compensation"]: row["accuracy"]
            for row in rows
            if _line(row) == line and (row["tile"], row["r"]) == at
        }
        groups.append(bar_group(line, [found.get(name, []) for name in names]))
    title = f"Compensations at {at[1]:g} ohm, {_size(at[0])}"
    return Bars("compensations", title, ACCURACY, names, groups)


def _map(config: WiresConfig, line: str, rows: list[Row], name: str) -> Map:
    """Accuracy over resistance and size of the arrays."""
    at = {
        (row["r"], row["tile"]): mean_std(row["accuracy"]).mean
        for row in rows
        if _line(row) == line and (row["compensation"] == name or row["r"] == 0)
    }
    ohms, tiles = [0.0, *sorted(config.resistances)], sorted(config.tiles)
    return Map(
        f"{_slug(line)}_map_{'none' if name == 'none' else 'compensated'}",
        f"{line}: {'nothing done' if name == 'none' else name}",
        OHMS, "rows and columns of an array", ACCURACY, ohms, [float(t) for t in tiles],
        [[at.get((r, tile)) for r in ohms] for tile in tiles],
    )  # fmt: skip


def _stale_curves(config: WiresConfig, stale: dict[int, dict[str, float]]) -> list[Curve]:
    every = list(stale)
    if not every:
        return []
    name = f"siamese, {10 * config.refresh.per_class:,} images, 1 epoch"
    over = "Training through wires solved now and then"
    steps = "write steps between two solutions"
    accuracy, staleness = (
        [series(name, every, [[o[what]] for o in stale.values()])]
        for what in ("accuracy", "staleness")
    )
    return [
        Curve("refresh_accuracy", f"{over}: accuracy", steps, ACCURACY, accuracy, x_scale="log"),
        Curve("refresh_staleness", f"{over}: largest error", steps,
              "rms error of conductances as seen [%]", staleness, x_scale="log", y_scale="log"),
    ]  # fmt: skip


def _stale_table(config: WiresConfig, stale: dict[int, dict[str, float]]) -> list[Table]:
    rows = [[every, o["staleness"], o["accuracy"]] for every, o in stale.items()]
    title = f"Wires of {config.claimed.resistance:g} ohm solved at every so many write steps"
    heads = [
        Column("write steps"),
        Column("largest error of what is seen", "%"),
        Column("accuracy", "%"),
    ]
    note = (
        "Between two solutions a written cell counts as changed by the ratio of its conductances."
    )
    return [Table("refresh", title, heads, rows, note)] if rows else []


def _parts() -> Table:
    rows = [[name, what] for name, what in PARTS.items()]
    return Table("parts", "Compensations", [Column("part"), Column("what is done")], rows)
