"""One training under one scheme on one chip, with what it wrote, wore and cost, epoch by epoch."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

import mho
from mho.experiments.account import account
from mho.experiments.experiment import Feed, plain_accuracy, seeded
from mho.experiments.run import Run
from mho.experiments.siamese.config import Network, SiameseConfig
from mho.experiments.siamese.descent import Descent, training_feed
from mho.experiments.siamese.schemes import SCHEMES, Setting
from mho.hardware import prices as price_lists
from mho.hardware.streams import key


class Job(NamedTuple):
    """One training."""

    scheme: str
    epochs: int
    hardware: mho.Hardware
    network: Network = "mlp"
    chip: int = 0
    tested: bool = False
    """Whether the test images are used: after the first epoch and at the end."""
    corrected: bool = False
    """Whether the read-out makes up, by a gain a layer, for what wires take at the start."""
    aged: tuple[float, ...] = ()
    """Times after the training at which the network is measured again [s], ascending."""


class Trained(NamedTuple):
    """What a training leaves."""

    net: nn.Module
    """The network, on its chip unless the scheme stays in float."""
    outcome: dict[str, Any]
    """Accuracies [%], writes and costs by epoch, the account of the chip."""


def train(config: SiameseConfig, run: Run, job: Job) -> Trained:
    """Train one network."""
    descent = begun(config, job)
    net, feed = descent.net, descent.feed
    write, history = descent.write, descent.history
    start = snapshot(net, write, config.prices) if write is not None else {}
    for step in run.steps("train", descent.steps, descent.state):
        descent.step(step)
        if feed.ends_epoch(step):
            history.append("validation", descent.accuracy("validation"))
            if write is not None:
                history.append("written", history.take("written"))
                for name, value in snapshot(net, write, config.prices).items():
                    history.append(name, value)
            if job.tested and step < feed.epoch_steps:
                history.append("first", descent.accuracy("test"))
            run.log(
                step=step + 1,
                validation=history.rows["validation"][-1],
                weights_written=history.rows.get("written", [0])[-1],
            )

    outcome: dict[str, Any] = {
        "epochs": job.epochs,
        **descent.base(),
        "start": start,
        "history": history.rows,
    }
    if job.tested:
        outcome["test"] = descent.accuracy("test")
    if write is not None:
        outcome["writes"] = often(mho.ledger(net).writes_per_cell())
        outcome |= account(net, config.prices)
        if job.aged:
            held_out = mho.data.load("mnist", "validation")
            outcome["aged"] = _aged(net, job.aged, feed.sample(config.calibration), held_out)
    return Trained(net, outcome)


def begun(config: SiameseConfig, job: Job) -> Descent:
    """The training before its first step: the network on its chip, unless it stays in float."""
    scheme, device = SCHEMES[job.scheme], config.torch_device()
    seed = key(config.seed, "siamese", job.chip)
    feed = training_feed(config, scheme, seed, device)
    net: nn.Module = seeded(seed, lambda: network(config, job.network)).to(device)
    if scheme.step is not None:
        net = _on_arrays(config, job, net, seed, feed)
    levels, cnn = config.hardware.levels, job.network == "cnn"
    setting = Setting(config.writes, net, levels, cnn, feed.epoch_steps, seed)
    return Descent(config, scheme, setting, feed, job.epochs)


def _aged(
    net: nn.Module, times: tuple[float, ...], calibration: Tensor, held_out: mho.data.Samples
) -> dict[str, list[float]]:
    """Accuracies [%] as time passes on a network: left alone, and its read-out tuned each time to
    what it gave before."""
    found: dict[str, list[float]] = {"left alone": [], "tuned": []}
    device, now, before = calibration.device, 0.0, copy.deepcopy(net)
    for time in times:
        mho.age(net, time - now)
        now = time
        tuned = copy.deepcopy(net)
        mho.calibrate(tuned, calibration)
        mho.tune(tuned, calibration, reference=before)
        for name, each in (("left alone", net), ("tuned", tuned)):
            found[name].append(100 * plain_accuracy(each, held_out, device, flat=False))
    return found


def network(config: SiameseConfig, name: Network) -> nn.Sequential:
    """The perceptron, or the CNN, on images (n, 1, 28, 28)."""
    if name == "mlp":
        return nn.Sequential(
            nn.Flatten(), nn.Linear(784, config.hidden), nn.ReLU(), nn.Linear(config.hidden, 10)
        )
    (a, b), (c, d) = config.cnn.channels, config.cnn.dense
    return nn.Sequential(
        nn.Conv2d(1, a, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(a, b, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(25 * b, c), nn.ReLU(), nn.Linear(c, d), nn.ReLU(), nn.Linear(d, 10),
    )  # fmt: skip


def _on_arrays(
    config: SiameseConfig, job: Job, model: nn.Module, seed: int, feed: Feed
) -> nn.Module:
    """The network on the arrays of a chip, calibrated."""
    closed, verify = mho.Verify(read_first=True), SCHEMES[job.scheme].verify
    hardware = job.hardware.replace(programming=closed) if verify else job.hardware
    generator = torch.Generator().manual_seed(seed)
    net = mho.convert(model, hardware, generator=generator, first_chip=job.chip)
    if job.corrected:
        mho.correct(net)
    mho.calibrate(net, feed.sample(config.calibration))
    return net


def snapshot(net: nn.Module, write: mho.WriteStep, prices: str) -> dict[str, float]:
    """Counts and costs so far; the fast arrays of Tiki-Taka are pulsed and wear as all others."""
    counts, price_list = mho.ledger(net), price_lists.get(prices)
    cost, total = mho.price(counts, price_list), counts.totals()
    fast = mho.fast_pulses(write.state_dict())
    return {
        "max_writes": int(counts.writes_per_cell().max()),
        "max_pulses": max(*(layer.most_pulses for layer in counts.layers), fast.most),
        "fast_pulses": fast.total,
        "pulses": total["set_pulses"] + total["reset_pulses"] + fast.total,
        "reads": total["verify_reads"],
        "worn": total["worn"],
        "energy": cost.programming_energy + fast.total * price_list.set_energy,
        "serial": cost.programming_time_serial + fast.total * price_list.pulse_time,
        "rows": cost.programming_time_rows,
        **{f"writes of {layer.name}": int(layer.writes.sum()) for layer in counts.layers},
    }


def often(writes: Tensor) -> list[list[int]]:
    """Pairs of a number of writes and of how many cells had so many."""
    values, cells = writes.unique(return_counts=True)
    return [[int(v), int(n)] for v, n in zip(values, cells, strict=True)]
