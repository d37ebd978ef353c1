"""The same training on a chip on the bench: one network, one scheme, every forward pass measured.

The chip says what its cells, arrays and voltages are; the settings of the run say all else. If the
run is broken off and resumed, and the chip was changed after the last checkpoint, its cells are
read first and training goes on from what they hold.
"""

from __future__ import annotations

from itertools import pairwise

import torch

import mho
from mho.data.named import label
from mho.errors import invalid
from mho.experiments.account import Account, account
from mho.experiments.experiment import seeded
from mho.experiments.run import Run
from mho.experiments.siamese.config import ChipConfig, SiameseConfig
from mho.experiments.siamese.measures import Outcome, base, gone, often, per_weight, snapshot
from mho.experiments.siamese.schemes import scheme_of
from mho.experiments.siamese.training import (
    Descent,
    Job,
    network,
    perceptron,
    train,
    training_feed,
)
from mho.hardware import Tiling
from mho.hardware.streams import derived_seed
from mho.instruments import Chip, Instrument, InstrumentLost
from mho.physics.multi_level import MAX_LEVELS
from mho.results import Column, Curve, Result, Table, claim, series

SHOWN = 40
"""Cells given up that the table names."""


def run_on_chip(config: SiameseConfig, run: Run) -> Result:
    """Train on the chip and in float; returns the result."""
    assert config.chip is not None
    told = run.progress.note
    with config.chip.instrument(told=told) as instrument:
        try:
            chip = run.once("chip", lambda: train_on_chip(config, run, instrument))
        except InstrumentLost as error:
            raise InstrumentLost(f"{error}; go on with --resume when it is back") from error
    job = Job("float", config.epochs, config.hardware, tested=True)
    plain = run.once("float", lambda: train(config, run, job).outcome)
    return _result(config, config.chip, chip, plain)


def check_chip(config: SiameseConfig) -> None:
    """Refuse a chip that does not answer at once, or is too small.

    Raises:
        ValueError, InstrumentError: as said.
    """
    assert config.chip is not None
    limits = config.chip.limits.replace(attempts=1)
    with config.chip.instrument(limits) as instrument:
        chip = instrument.describe()
    hardware = on_chip(config.hardware, chip)
    widths = perceptron(config)
    needed = sum(Tiling(*size, hardware.tile, hardware.cells).tiles for size in pairwise(widths))
    if needed > chip.arrays:
        size = f"{chip.rows} x {chip.cols}"
        allowed = f"{needed}, for a {'-'.join(map(str, widths))} network on arrays of {size}"
        raise invalid("arrays of the chip", chip.arrays, f"at least {allowed}")


def on_chip(hardware: mho.Hardware, chip: Chip) -> mho.Hardware:
    """The hardware of a run with the cells and arrays of a chip.

    Cells count as ideal: what they are not is the chip's own. The number of weight levels stays if
    it falls on levels of the cells; else the weights take all that these offer.
    """
    most = min(chip.levels, MAX_LEVELS) - 1
    steps = next(n for n in range(most, 0, -1) if (chip.levels - 1) % n == 0)
    cell = mho.cells.MultiLevel(g_min=chip.low, g_max=chip.high, levels=steps + 1)
    levels = hardware.weight_levels
    if levels is not None and (hardware.cells.weight_levels(cell.states) - 1) % (levels - 1):
        levels = None
    return hardware.over_time(None).replace(
        device=cell, tile=(chip.rows, chip.cols), weight_levels=levels,
        programming=mho.cells.OpenLoop(), transposed=False, wire_resistance=0.0,
        predistortion=0, placement=None,
    )  # fmt: skip


def train_on_chip(config: SiameseConfig, run: Run, instrument: Instrument) -> Outcome:
    """Train the perceptron; every forward pass and write goes through the instrument."""
    assert config.chip is not None
    seed = derived_seed(config.seed, "siamese", 0)
    hardware = on_chip(config.hardware, instrument.describe())
    job = Job(config.chip.scheme, config.epochs, hardware)
    feed = training_feed(config, scheme_of(job.scheme), seed, torch.device("cpu"))
    model = seeded(seed, lambda: network(config, job.network))
    net = mho.convert(model, hardware, generator=torch.Generator().manual_seed(seed))
    chip = mho.attach(net, instrument, retries=config.chip.retries, program=False)
    descent = Descent(config, job, net, feed, seed)
    write, history = descent.write, descent.history
    assert write is not None
    for step in run.steps("train", descent.steps, descent.state | {"chip": chip}):
        if step == 0:
            chip.program()
            history.append("programmed", mho.ledger(net).totals()["writes"])
        loss = descent.step(step)
        if feed.ends_epoch(step):
            history.append("loss", loss.item())
            history.append("validation", descent.accuracy("validation"))
            history.append("written", history.take("written"))
            run.log(
                step=step + 1,
                validation=history.rows["validation"][-1],
                weights_written=history.rows["written"][-1],
            )
    return {
        **descent.base(),
        "history": history.rows,
        "test": descent.accuracy("test"),
        "writes": often(mho.ledger(net).writes_per_cell()),
        "report": chip.report()._asdict(),
        "refused": {name: [list(c) for c in cells] for name, cells in chip.refused().items()},
        "surveyed": chip.surveyed,
        "repeats": getattr(instrument, "repeats", 0),
        **snapshot(net, write, config.prices),
        **account(net, config.prices),
    }


def _result(config: SiameseConfig, asked: ChipConfig, chip: Outcome, plain: Outcome) -> Result:
    """Everything that a run says but the time that it took."""
    scheme = asked.scheme
    name = "-".join(map(str, perceptron(config)))
    claims = [
        claim("chip_accuracy", f"{name} on the chip, {scheme}", [chip["test"]], "%"),
        claim("chip_float_accuracy", f"{name} in float, no arrays", [plain["test"]], "%"),
        claim("chip_below_float", "points below float", [plain["test"] - chip["test"]], "%",
              better="lower", note="points"),
        claim("chip_gone", "writes saved, whole training", [gone(chip)], "%", paper=98.0,
              note=f"of {base(chip, whole=True)}; the paper says over 98 % within one epoch"),
        claim("chip_writes_per_weight", "writes of a weight", [per_weight(chip)], "",
              better="lower", note="whole training, after the first programming"),
        claim("chip_max_writes_per_cell", "most writes of any cell", [chip["max_writes"]], "",
              better="lower", note="first programming included"),
        claim("chip_refused", "cells given up", [sum(map(len, chip["refused"].values()))], "",
              better="lower", note=f"refused {1 + asked.retries} times in a row"),
    ]  # fmt: skip
    epochs = list(range(1, config.epochs + 1))
    rows = [
        series(label, epochs, [[value] for value in outcome["history"]["validation"]])
        for label, outcome in (("chip", chip), ("float", plain))
    ]
    given_up = [[layer, len(cells), _named(cells)] for layer, cells in chip["refused"].items()]
    found = Account.of(chip)
    surveyed = " After the run was resumed the cells were read once." if chip["surveyed"] else ""
    return Result(
        experiment="siamese",
        preset=config.preset,
        seed=config.seed,
        title="Write rarely: Siamese training on an instrument",
        summary=f"A {name} network trained on {label(config.data)} through the instrument at "
        f"{asked.address}: its currents are the forward pass, its cells are written under "
        f"{scheme!r}. Prices are those of the list, not measured; requests repeated: "
        f"{chip['repeats']}.{surveyed} Claims are on test images, curves on held-out training "
        "images.",
        claims=claims,
        tables=[
            Table("instrument", "What the instrument counted",
                  [Column("count"), Column("since made")],
                  [[name, count] for name, count in chip["report"].items()]),
            Table("refused", "Cells given up", [Column("layer"), Column("cells"), Column("which")],
                  given_up, "(array, row, column); they keep what they hold."),
            *found.events,
        ],
        curves=[Curve("learning", "Accuracy by epoch", "epoch", "held-out accuracy [%]", rows)],
        histograms=[
            found.by_level("Conductance by programmed level as the chip read it"), found.wear,
        ],
        ledger=found.ledger,
        cost=found.cost,
    )  # fmt: skip


def _named(cells: list[list[int]]) -> str:
    """The first of the cells."""
    more = f" and {len(cells) - SHOWN} more" if len(cells) > SHOWN else ""
    return " ".join(f"({a}, {r}, {c})" for a, r, c in cells[:SHOWN]) + more or "-"
