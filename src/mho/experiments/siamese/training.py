"""The networks, and one training under one scheme on one chip, epoch by epoch."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

import mho
from mho.experiments.account import account
from mho.experiments.experiment import (
    Feed,
    Lap,
    check_loss,
    moved_images,
    plain_accuracy,
    seeded,
)
from mho.experiments.own_code import own_network
from mho.experiments.own_data import check_images
from mho.experiments.processes import backward
from mho.experiments.run import Run, Stateful
from mho.experiments.siamese.config import Network, SiameseConfig
from mho.experiments.siamese.measures import aged, often, snapshot
from mho.experiments.siamese.schemes import Scheme, Setting, scheme_of
from mho.experiments.trainings import Training
from mho.files.code import code_in
from mho.hardware.streams import derived_seed


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


def network(config: SiameseConfig, name: Network) -> nn.Module:
    """The perceptron, on samples of any shape (n, ...), or the user's own network in its place; or
    the CNN, on images (n, channels, height, width).

    Raises:
        ValueError: the CNN does not take the samples.
    """
    inputs, hidden, outputs = perceptron(config)
    if config.network is not None:
        return own_network(config.network, mho.data.dataset(config.data).shape, outputs)
    if name == "mlp":
        return nn.Sequential(
            nn.Flatten(), nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, outputs)
        )
    data = mho.data.dataset(config.data)
    check_images(data, 12, "SiameseConfig.networks = ('mlp',)")
    (a, b), (c, d) = config.cnn.channels, config.cnn.dense
    channels, height, width = data.shape
    # two poolings by 2; the second convolution takes 4 rows and columns
    places = ((height // 2 - 4) // 2) * ((width // 2 - 4) // 2)
    return nn.Sequential(
        nn.Conv2d(channels, a, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(a, b, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(places * b, c), nn.ReLU(), nn.Linear(c, d), nn.ReLU(), nn.Linear(d, outputs),
    )  # fmt: skip


def initial(config: SiameseConfig, name: Network, chip: int) -> nn.Module:
    """The network of a chip before its first step, not on it yet."""
    seed = derived_seed(config.seed, "siamese", chip)
    return seeded(seed, lambda: network(config, name))


def starts(config: SiameseConfig) -> list[nn.Module]:
    """The networks before their training, in small."""
    small = config.in_small()
    return [initial(small, name, 0) for name in config.networks]


def perceptron(config: SiameseConfig) -> tuple[int, int, int]:
    """Inputs, hidden units and outputs of the perceptron."""
    data = mho.data.dataset(config.data)
    return math.prod(data.shape), config.hidden, len(data.classes)


def training_feed(config: SiameseConfig, scheme: Scheme, seed: int, device: torch.device) -> Feed:
    """The training images, in the batches of a scheme."""
    samples = mho.data.load(config.data, "train", per_class=config.per_class)
    batch = config.batch * scheme.together(config.writes)
    return Feed(samples.inputs, samples.labels, batch, seed, device)


class Descent:
    """A network, its optimizer and its write step, from one gradient step to the next.

    The learning rate falls to 0 along a cosine, and with it the thresholds of a scheme to their
    last, and what else it schedules, down to a thousandth.

    Args:
        config: settings of the training.
        job: which training.
        net: the network, on its arrays unless the scheme stays in float.
        feed: the images.
        seed: of what is drawn.
    """

    def __init__(
        self, config: SiameseConfig, job: Job, net: nn.Module, feed: Feed, seed: int
    ) -> None:
        self.config, self.net, self.feed, self._seed = config, net, feed, seed
        self._scheme = scheme = scheme_of(job.scheme)
        self._name = f"training {job.network}, {job.scheme}, chip {job.chip},"
        levels, cnn = config.hardware.levels, job.network == "cnn"
        self._setting = Setting(config.writes, net, levels, cnn, feed.epoch_steps, seed)
        self.write = None if scheme.step is None else scheme.step(self._setting)
        # The noise of a gradient falls with the root of its images.
        self._rate = config.rate * scheme.together(config.writes) ** 0.5
        momentum = config.momentum if scheme.momentum else 0.0
        self.steps = feed.epoch_steps * job.epochs
        """Gradient steps in all."""
        self._optimizer = torch.optim.SGD(self.net.parameters(), self._rate, momentum)
        self._schedule = torch.optim.lr_scheduler.CosineAnnealingLR(self._optimizer, self.steps)
        self._shifts = torch.Generator()
        self._scheduled = 0.0
        if self.write is not None and scheme.scheduled:
            self._scheduled = getattr(self.write.rules[0], scheme.scheduled)
        self.history = Lap()
        """What was measured; weights written add up as "written"."""

    @property
    def state(self) -> dict[str, Stateful]:
        """All that a checkpoint keeps, by name."""
        state: dict[str, Stateful] = {
            "net": self.net,
            "optimizer": self._optimizer,
            "schedule": self._schedule,
            "history": self.history,
        }
        return state if self.write is None else state | {"write": self.write}

    def step(self, step: int) -> Tensor:
        """Take the step of that number; returns the loss before it."""
        config = self.config
        if self.write is not None and step % config.calibrate_every == 0:
            mho.calibrate(self.net, self.feed.sample(config.calibration))
        x, y = self.feed.at(step)
        shifts = self._shifts.manual_seed(derived_seed(self._seed, "shift", step))
        x = moved_images(x, config.shift, shifts)
        loss = backward(self.net, x, y)
        check_loss(loss, self._name, step, f"rate (it is {config.rate:g})")
        self._optimizer.step()
        self._schedule.step()
        if self.write is not None:
            scheme, rate = self._scheme, self._schedule.get_last_lr()[0] / self._rate
            if scheme.scheduled:
                setattr(self.write.rules[0], scheme.scheduled, self._scheduled * max(rate, 1e-3))
            if scheme.threshold is not None:
                self.write.threshold = scheme.threshold(self._setting, rate)
            self.history.add("written", self.write().weights)
        return loss

    def accuracy(self, split: str) -> float:
        """Accuracy of the network as it stands [%]."""
        samples = mho.data.load(self.config.data, split)
        return 100 * plain_accuracy(self.net, samples, self.feed.device, flat=False)

    def base(self) -> dict[str, int]:
        """What shares of weights written refer to: a weight could be written after every batch,
        also where a scheme sums gradients."""
        return {
            "weights": sum(p.numel() for p in self.net.parameters() if p.dim() > 1),
            "steps_per_epoch": -(-self.feed.images // self.config.batch),
        }


def training(config: SiameseConfig, job: Job) -> Training:
    """What the training of a job depends on: on nothing of the chips if it stays in float, and on
    what its scheme decides by."""
    scheme = scheme_of(job.scheme)
    names = ["per_class", "batch", "rate", "shift"]
    names += ["hidden"] if job.network == "mlp" else ["cnn.channels", "cnn.dense"]
    names += ["momentum"] if scheme.momentum else []
    names += [f"writes.{name}" for name in scheme.decides_by]
    more: dict[str, Any] = {"code": code_in({"scheme": job.scheme, "network": config.network})}
    if scheme.step is not None:
        names += ["calibrate_every", "calibration", "prices"]
        more |= {"hardware": _chips(job), "corrected": job.corrected}
        if scheme.decides_by:
            more["levels"] = config.hardware.levels
    return Training.of(
        config, *names, data=(config.data,), scheme=job.scheme, network=job.network, chip=job.chip,
        epochs=job.epochs, tested=job.tested, **more,
    )  # fmt: skip


def _chips(job: Job) -> mho.Hardware:
    """The chips of a training, written as its scheme has it."""
    if not scheme_of(job.scheme).verify:
        return job.hardware
    return job.hardware.replace(programming=mho.cells.Verify(read_first=True))


def begun(config: SiameseConfig, job: Job) -> Descent:
    """The training before its first step: the network on its chip, calibrated, unless it stays in
    float."""
    scheme, device = scheme_of(job.scheme), config.torch_device()
    seed = derived_seed(config.seed, "siamese", job.chip)
    feed = training_feed(config, scheme, seed, device)
    net: nn.Module = initial(config, job.network, job.chip).to(device)
    if scheme.step is not None:
        generator = torch.Generator().manual_seed(seed)
        net = mho.convert(net, _chips(job), generator=generator, first_chip=job.chip)
        if job.corrected:
            mho.correct(net)
        mho.calibrate(net, feed.sample(config.calibration))
    return Descent(config, job, net, feed, seed)


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
    of, kept = training(config, job), ("net", "history")
    for step in run.steps("train", descent.steps, descent.state, keep=kept, of=of):
        descent.step(step)
        if feed.ends_epoch(step):
            if write is not None:
                before = [start["arrays"], *history.rows.get("arrays", [])][-1]
                now = snapshot(net, write, config.prices)["arrays"]
                history.append("arrays_spent", now - before)
            history.append("validation", descent.accuracy("validation"))
            if job.tested and step < feed.epoch_steps:
                history.append("first", descent.accuracy("test"))
            if write is not None:
                history.append("written", history.take("written"))
                for name, value in snapshot(net, write, config.prices).items():
                    history.append(name, value)
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
            held_out = mho.data.load(config.data, "validation")
            outcome["aged"] = aged(net, job.aged, feed.sample(config.calibration), held_out)
    return Trained(net, outcome)
