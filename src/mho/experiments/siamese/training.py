"""One training under one scheme on one chip, with what it wrote, wore and cost, epoch by epoch."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import mho
from mho.experiments.experiment import Feed, Lap, plain_accuracy, seeded
from mho.experiments.result import account
from mho.experiments.run import Run
from mho.experiments.siamese.config import Network, SiameseConfig
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
    scheme = SCHEMES[job.scheme]
    every = config.every if scheme.summed else 1
    device, seed = config.torch_device(), key(config.seed, "siamese", job.chip)
    samples = mho.data.load("mnist", "train", per_class=config.per_class)
    feed = Feed(samples.images, samples.labels, config.batch * every, seed, device)
    model = seeded(seed, lambda: network(config, job.network)).to(device)
    in_situ = scheme.step is not None
    net, write = _on_arrays(config, job, model, seed, feed) if in_situ else (model, None)

    rate = config.rate * every**0.5  # the noise of a gradient falls with the root of its images
    momentum = config.momentum if scheme.momentum else 0.0
    optimizer = torch.optim.SGD(net.parameters(), rate, momentum)
    total = feed.epoch_steps * job.epochs
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, total)
    history, shifts = Lap(), torch.Generator()
    start = snapshot(net, write, config.prices) if write is not None else {}

    def accuracy(split: str) -> float:
        return 100 * plain_accuracy(net, mho.data.load("mnist", split), device, flat=False)

    full = getattr(write.rules[0], scheme.scheduled) if write and scheme.scheduled else 0.0
    state = {"net": net, "optimizer": optimizer, "schedule": schedule, "history": history}
    if write is not None:
        state["write"] = write
    for step in run.steps("train", total, state):
        if in_situ and step % config.calibrate_every == 0:
            mho.calibrate(net, feed.sample(config.calibration))
        x, y = feed.at(step)
        x = mho.data.shifted(x, config.shift, shifts.manual_seed(key(seed, "shift", step)))
        optimizer.zero_grad()
        F.cross_entropy(net(x), y).backward()
        optimizer.step()
        schedule.step()
        if write is not None:
            if scheme.scheduled:
                factor = max(schedule.get_last_lr()[0] / rate, 1e-3)
                setattr(write.rules[0], scheme.scheduled, full * factor)
            history.add("written", write().weights)
        if feed.ends_epoch(step):
            history.append("validation", accuracy("validation"))
            if write is not None:
                history.append("written", history.take("written"))
                for name, value in snapshot(net, write, config.prices).items():
                    history.append(name, value)
            if job.tested and step < feed.epoch_steps:
                history.append("first", accuracy("test"))
            run.log(
                step=step + 1,
                validation=history.rows["validation"][-1],
                weights_written=history.rows.get("written", [0])[-1],
            )

    outcome: dict[str, Any] = {
        "epochs": job.epochs,
        "weights": sum(p.numel() for p in net.parameters() if p.dim() > 1),
        # A weight could be written after every batch, also where a scheme sums gradients.
        "steps_per_epoch": -(-len(samples.labels) // config.batch),
        "start": start,
        "history": history.rows,
    }
    if job.tested:
        outcome["test"] = accuracy("test")
    if write is not None:
        outcome["writes"] = often(mho.ledger(net).writes_per_cell())
        outcome |= account(net, config.prices)
        if job.aged:
            held_out = mho.data.load("mnist", "validation")
            outcome["aged"] = _aged(net, job.aged, feed.sample(config.calibration), held_out)
    return Trained(net, outcome)


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
    (a, b), (c, d) = config.channels, config.dense
    return nn.Sequential(
        nn.Conv2d(1, a, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(a, b, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(25 * b, c), nn.ReLU(), nn.Linear(c, d), nn.ReLU(), nn.Linear(d, 10),
    )  # fmt: skip


def _on_arrays(
    config: SiameseConfig, job: Job, model: nn.Module, seed: int, feed: Feed
) -> tuple[nn.Module, mho.WriteStep]:
    scheme = SCHEMES[job.scheme]
    assert scheme.step is not None
    closed = mho.Verify(read_first=True)
    hardware = job.hardware.replace(programming=closed) if scheme.verify else job.hardware
    generator = torch.Generator().manual_seed(seed)
    net = mho.convert(model, hardware, generator=generator, first_chip=job.chip)
    if job.corrected:
        mho.correct(net)
    mho.calibrate(net, feed.sample(config.calibration))
    setting = Setting(config, net, job.network == "cnn", feed.epoch_steps, seed)
    return net, scheme.step(setting)


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
