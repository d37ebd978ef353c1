"""Tables: mitigations with their cost, the family of networks, formats of fixed point."""

from __future__ import annotations

from typing import Any

from mho.experiments.bmcnn.config import BmcnnConfig
from mho.experiments.bmcnn.mitigation import mitigation
from mho.experiments.bmcnn.network import TRAININGS
from mho.experiments.bmcnn.points import Row, pooled
from mho.results import Cell, Column, Table, mean_std


def mitigations(config: BmcnnConfig, rows: list[Row], efforts: dict[str, dict[str, Any]]) -> Table:
    columns = [
        Column("mitigation"), Column("labels"), Column("calibration images"),
        Column("digital operations a chip, once"), Column("numbers stored a chip"),
        Column("writes a cell"), Column("cells", "x"),
    ]  # fmt: skip
    for cov in config.spread.claimed:
        columns += [
            Column(f"plain, {cov:.0%}", "%"),
            Column(f"aware, {cov:.0%}", "%"),
            Column("worst aware", "%"),
        ]
    body = []
    for name, cost in efforts.items():
        uses = "no" if mitigation(name).label_free else "yes"
        line: list[Cell] = [
            name, uses, cost["images"], cost["operations"], cost["stored"],
            round(cost["writes"], 2), cost["cells"],
        ]  # fmt: skip
        for cov in config.spread.claimed:
            plain, aware = (pooled(rows, kind, name, cov) for kind in TRAININGS)
            line += [mean_std(plain), mean_std(aware), min(aware)]
        body.append(line)
    note = (
        "Held-out images. Mitigations that are not on the curves are measured on the first "
        "training only. An inference needs no further digital operation: gain, offset and "
        "normalization fold into the scale and shift that follow each array anyway."
    )
    return Table("mitigations", "Mitigations, their cost and their accuracy", columns, body, note)


def networks(config: BmcnnConfig, networks: list[dict[str, Any]]) -> Table:
    bits = config.architecture.bits
    columns = [
        Column("network"), Column("cells"), Column("digital numbers"), Column("memory", "B"),
        Column(f"in {bits}-bit fixed point", "B"), Column("in float32", "B"),
        Column("no spread", "%"),
    ]  # fmt: skip
    for cov in config.spread.claimed:
        columns += [
            Column(f"plain, raw, {cov:.0%}", "%"),
            Column(f"aware, batch norm, {cov:.0%}", "%"),
        ]
    body = []
    for net in networks:
        weights, digital = net["on_arrays"], net["digital"]
        width = bits if net["fixed"] else 32
        line: list[Cell] = [
            net["name"], net["cells"], digital, (net["cells"] + width * digital) / 8,
            bits * (weights + digital) / 8, 4 * (weights + digital),
        ]  # fmt: skip
        line.append(mean_std(net["points"][0]["accuracy"]).mean)
        body.append(line + [mean_std(row["accuracy"]) for row in net["points"][1:]])
    note = (
        f"Held-out images, {config.study.epochs} epochs of training. Memory: one bit for each "
        "cell, two cells for each weight, and the digital numbers. For comparison: all weights in "
        "fixed point or float32."
    )
    return Table("networks", "Networks with arrays and digital parts", columns, body, note)


def formats(config: BmcnnConfig, formats: dict[str, str]) -> Table:
    names = [name.removeprefix("net.").rpartition(".") for name in formats]
    body = [
        [part, what, format]
        for (part, _, what), format in zip(names, formats.values(), strict=True)
    ]
    columns = [Column("part"), Column("tensor"), Column("format")]
    title = f"Formats of {config.architecture.bits}-bit fixed point"
    note = "Qm.n: a sign, m integer and n fraction bits; chosen for each tensor, one for all chips."
    return Table("formats", title, columns, body, note)
