"""Write for life: one multi-level network learns MNIST, then Fashion-MNIST, and keeps both.

A reconstruction of D'Agostino et al., "Synaptic metaplasticity with multi-level memristive devices"
(AICAS 2023, arXiv 2306.12142): weights in multi-level cells, a hidden high-precision state in a
digital unit beside the array, which decides how easily a synapse may still change. Widths, levels,
activation, optimizer and the exact rule are not public: they are fields below. Beside the interval
rule (our reading of the paper's) stands a second synapse-local rule, path importance.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import mho
from mho.config import Range
from mho.data import Samples
from mho.errors import invalid, unknown
from mho.experiments.experiment import ExperimentConfig, Feed, Lap, plain_accuracy, seeded
from mho.experiments.result import account, account_blocks, claim, curve, series
from mho.experiments.run import Run
from mho.hardware.streams import key
from mho.learning.rules import UpdateRule

BINARIZED_CELLS = 784 * 4096 + 4096 * 4096 + 4096 * 10
"""Cells of the binarized reference, 784-4096-4096-10 with one cell a weight (Laborieux 2021)."""

PAPER = {"mnist": 97.0, "fashion-mnist": 86.0}
"""Accuracy after both tasks in the paper [%]."""


class MetaplasticConfig(ExperimentConfig):
    """Settings of `mho run metaplastic`."""

    family: ClassVar[str] = "metaplastic"

    tasks: tuple[str, ...] = ("mnist", "fashion-mnist")
    """Data sets, in the order in which they are learnt."""
    hidden: tuple[int, ...] = (512, 512)
    """Units of the hidden layers [1]."""
    per_class: Annotated[int, Range(least=1, most=4921)] | None = None
    """Training images of each class [1]; None: all 55,000 of the training split."""
    epochs: Annotated[int, Range(least=1)] = 15
    """Passes over each task's training images [1]."""
    batch: Annotated[int, Range(least=1)] = 100
    """Images in a training step [1]."""
    rate: Annotated[float, Range(above=0.0)] = 0.005
    """Learning rate of Adam at the start of a task, in units of the full scale; falls to 0 [1]."""
    m: Annotated[float, Range(least=0.0)] = 3.0
    """Strength of the interval rule; the paper finds 2 to 4 useful [1]."""
    damping: Annotated[float, Range(least=0.0)] = 30.0
    """Damping by path importance [1]."""
    pull: Annotated[float, Range(least=0.0)] = 2e-3
    """Pull to the anchor, for a synapse of mean importance, in each step [1]."""
    threshold: Annotated[float, Range(least=0.5)] = 0.5
    """Distance at which a weight is written, in steps between levels [1]."""
    calibrate_every: Annotated[int, Range(least=1)] = 100
    """Training steps between two calibrations of the converters [1]."""
    hardware: mho.Hardware = mho.Hardware(
        device=mho.devices.get("hfo2-1t1r").replace(
            read_noise=0.01, stuck_off=0.0025, stuck_on=0.0025
        ),
        full_scale=3.0,
        dac_bits=8,
        adc_bits=8,
        adc_per_tile=False,
    )
    """The chips."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.tasks:
            raise invalid("MetaplasticConfig.tasks", self.tasks, "at least one data set")
        for task in self.tasks:
            if task not in mho.data.SOURCES:
                raise unknown("task", task, mho.data.SOURCES)

    @property
    def datasets(self) -> tuple[str, ...]:
        """The tasks."""
        return self.tasks


PRESETS = {
    "quick": MetaplasticConfig(preset="quick", epochs=4),
    "standard": MetaplasticConfig(preset="standard", chips=5, epochs=15),
    "paper": MetaplasticConfig(preset="paper", chips=5, epochs=50),
}

Rule = Literal["none", "interval", "importance"]

SYSTEMS: tuple[tuple[str, Rule, bool], ...] = (
    ("path importance", "importance", True),
    ("software baseline", "importance", False),
    ("interval rule", "interval", True),
    ("no metaplasticity", "none", True),
)
"""What is trained: name, update rule, whether the cells and converters are imperfect."""


def run(config: MetaplasticConfig, run: Run) -> dict[str, Any]:
    """Train every system on every chip; returns the result."""
    outcomes = {
        name: [
            run.once(f"{name}, chip {chip}", lambda r=rule, i=imperfect, c=chip: learn(
                config, run, r, i, c))
            for chip in range(config.chips)
        ]
        for name, rule, imperfect in SYSTEMS
    }  # fmt: skip
    return _result(config, outcomes)


def learn(
    config: MetaplasticConfig, run: Run, rule: Rule, imperfect: bool, chip: int
) -> dict[str, Any]:
    """Learn the tasks one after another on one chip, and test all of them at the end."""
    device = config.torch_device()
    seed = key(config.seed, "metaplastic", chip)
    hardware = config.hardware if imperfect else _perfect(config.hardware)
    model = seeded(seed, lambda: _network(config.hidden)).to(device)
    net = mho.convert(
        model, hardware, generator=torch.Generator().manual_seed(seed), first_chip=chip
    )
    write = mho.WriteStep(net, rules=_rules(config, rule), threshold=config.threshold)
    validation = [mho.data.load(task, "validation") for task in config.tasks]
    norms: list[dict[str, Tensor]] = []
    history = Lap()

    for number, task in enumerate(config.tasks):
        samples = mho.data.load(task, "train", per_class=config.per_class)
        feed = Feed(samples.flat, samples.labels, config.batch, key(seed, number), device)
        optimizer = torch.optim.Adam(net.parameters(), config.rate)
        total = feed.epoch_steps * config.epochs
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, total)
        state = {"net": net, "optimizer": optimizer, "schedule": schedule, "write": write,
                 "history": history}  # fmt: skip
        net.train()
        for step in run.steps(f"task {number + 1}, {task}", total, state):
            if step % config.calibrate_every == 0:
                mho.calibrate(net, feed.sample(1000))
            x, y = feed.at(step)
            optimizer.zero_grad()
            F.cross_entropy(net(x), y).backward()
            optimizer.step()
            schedule.step()
            history.add("written", write().weights)
            if feed.ends_epoch(step):
                now = [*norms, _norm_state(net)]
                for other, held_out in enumerate(validation):
                    state_of = now[min(other, number)]
                    history.append(f"task {other}", 100 * _accuracy(net, held_out, state_of))
                written = history.take("written")
                history.append("written", written)
                run.log(step=step + 1, task=task, weights_written=written,
                        validation=[rows[-1] for rows in _validation(history)])  # fmt: skip
        mho.calibrate(net, feed.sample(1000))
        mho.refresh_batchnorm(net, feed.sample(20_000).split(1000))
        norms.append(_norm_state(net))
        write.consolidate()

    test = [mho.data.load(task, "test") for task in config.tasks]
    outcome = {
        "test": [100 * _accuracy(net, t, n) for t, n in zip(test, norms, strict=True)],
        "no_oracle": [100 * _accuracy(net, t, norms[-1]) for t in test],
        "validation": _validation(history),
        "written": history.rows["written"],
    }
    return outcome | account(net, config.prices)


def _network(hidden: tuple[int, ...]) -> nn.Sequential:
    """Perceptron with batch normalization after every layer and saturating activations."""
    layers: list[nn.Module] = []
    widths = (784, *hidden, 10)
    for before, after in pairwise(widths):
        linear = nn.Linear(before, after, bias=False)
        nn.init.normal_(linear.weight, std=1 / 3)
        layers += [linear, nn.BatchNorm1d(after, eps=0.01), nn.Hardtanh()]
    return nn.Sequential(*layers[:-1])


def _perfect(hardware: mho.Hardware) -> mho.Hardware:
    """The same levels without any imperfection: the software baseline."""
    device = hardware.device
    changes: dict[str, Any] = {"read_noise": 0.0, "stuck_on": 0.0, "stuck_off": 0.0}
    if isinstance(device, mho.MultiLevel):
        changes |= {"sigma": (0.0,), "device_spread": 0.0}
    return hardware.replace(device=device.replace(**changes), dac_bits=None, adc_bits=None)


def _rules(config: MetaplasticConfig, rule: Rule) -> list[UpdateRule]:
    if rule == "interval":
        return [mho.IntervalRule(config.m)]
    if rule == "importance":
        return [mho.PathImportance(config.damping, config.pull)]
    return []


def _norm_state(net: nn.Module) -> dict[str, Tensor]:
    """State of the batch normalizations: what a task keeps for itself."""
    return {
        f"{name}.{entry}": value.clone()
        for name, module in net.named_modules()
        if isinstance(module, nn.BatchNorm1d)
        for entry, value in module.state_dict().items()
    }


def _accuracy(net: nn.Module, samples: Samples, norm: dict[str, Tensor]) -> float:
    """Accuracy with the batch normalization of a task, which is then put back."""
    present = _norm_state(net)
    net.load_state_dict(norm, strict=False)
    try:
        return plain_accuracy(net, samples, next(net.parameters()).device)
    finally:
        net.load_state_dict(present, strict=False)


def _validation(history: Lap) -> list[list[float]]:
    """Validation accuracy by task and epoch."""
    return [rows for name, rows in history.rows.items() if name.startswith("task ")]


def _result(config: MetaplasticConfig, outcomes: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    ours, software = outcomes["path importance"], outcomes["software baseline"]
    first, last = config.tasks[0], config.tasks[-1]
    short = {"mnist": "mnist", "fashion-mnist": "fashion"}
    cells, weights = ours[0]["cells"], ours[0]["weights"]
    claims = []
    for name, rows in outcomes.items():
        slug = {"path importance": "after_both", "software baseline": "software",
                "interval rule": "interval", "no metaplasticity": "none"}[name]  # fmt: skip
        for number, task in enumerate(config.tasks):
            claims.append(
                claim(f"{short[task]}_{slug}", f"{task} after all tasks, {name}",
                      [o["test"][number] for o in rows], "%",
                      paper=None if name == "no metaplasticity" else PAPER[task],
                      note="batch normalization by task, as the ancestor does")
            )  # fmt: skip
    claims += [
        claim(f"{short[first]}_no_oracle", f"{first} after all tasks, one batch normalization",
              [o["no_oracle"][0] for o in ours], "%",
              note="no task identity at test time; the paper does not say which it used"),
        claim("cell_ratio", "cells of the binarized reference over ours",
              [BINARIZED_CELLS / cells], "", paper=15.0, better="higher",
              note=f"{BINARIZED_CELLS:,} over {cells:,}; hidden state not counted"),
        claim("memory_ratio_with_hidden", "memory of the reference over ours, hidden state counted",
              [_bits(BINARIZED_CELLS, BINARIZED_CELLS, 1) / _bits(weights, cells, 1)], "",
              better="higher", note="16 bit hidden weight each, one bit a cell"),
        claim("max_pulses", "most pulses on any cell over all tasks",
              [float(o["max_pulses"]) for o in ours], "", better="lower"),
    ]  # fmt: skip
    if (endurance := config.hardware.device.endurance) is not None:
        claims.append(
            claim("endurance_share_max", "endurance used by the busiest cell",
                  [100 * o["max_pulses"] / endurance for o in ours], "%", better="lower",
                  note=f"of {endurance:g} pulses")
        )  # fmt: skip
    epochs = list(range(1, len(ours[0]["written"]) + 1))
    marks = [
        {"x": n * config.epochs + 0.5, "label": f"{task} begins"}
        for n, task in enumerate(config.tasks) if n
    ]  # fmt: skip
    curves = [
        curve(f"validation_{number + 1}", f"Validation accuracy on {task}", "epoch",
              "accuracy [%]",
              [series(name, epochs, list(zip(*(o["validation"][number] for o in rows),
                                             strict=True)))
               for name, rows in outcomes.items()], marks=marks)
        for number, task in enumerate(config.tasks)
    ]  # fmt: skip
    frontier = [
        {"name": name, "x": [o["test"][0] for o in rows], "y": [o["test"][-1] for o in rows],
         "std": None}
        for name, rows in outcomes.items()
    ]  # fmt: skip
    curves.append(curve("frontier", "After all tasks: first against last", f"{first} [%]",
                        f"{last} [%]", frontier))  # fmt: skip
    widths = "-".join(map(str, (784, *config.hidden, 10)))
    return {
        "title": "Write for life: metaplastic multi-level network",
        "summary": f"A {widths} network learns {', then '.join(config.tasks)} through simulated "
        f"{config.hardware.device.states}-level cells ({len(software)} chip(s)), "
        f"{config.epochs} epochs a task, without replay. A reconstruction: widths, levels, "
        "activation, optimizer and the exact rule are our choice; path importance is our own rule "
        "beside the paper's interval rule as we read it.",
        "claims": claims,
        "curves": curves,
        **account_blocks(ours[0], "Conductance by programmed level, first layer"),
    }  # fmt: skip


def _bits(weights: int, cells: int, bits_per_cell: int, hidden: int = 16) -> int:
    """Bits of a system: hidden state of each weight and its cells."""
    return weights * hidden + cells * bits_per_cell
