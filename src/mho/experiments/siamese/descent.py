"""Gradient descent under a write scheme: one batch forward, back and, where the scheme says, into
the cells; the same on simulated arrays, on a chip and in float."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

import mho
from mho.experiments.experiment import Feed, Lap, plain_accuracy
from mho.experiments.run import Stateful
from mho.experiments.siamese.config import SiameseConfig
from mho.experiments.siamese.schemes import Scheme, Setting
from mho.hardware.streams import key


def training_feed(config: SiameseConfig, scheme: Scheme, seed: int, device: torch.device) -> Feed:
    """The training images, in the batches of a scheme."""
    samples = mho.data.load("mnist", "train", per_class=config.per_class)
    batch = config.batch * scheme.together(config.writes)
    return Feed(samples.images, samples.labels, batch, seed, device)


class Descent:
    """A network, its optimizer and its write step, from one gradient step to the next.

    The learning rate falls to 0 along a cosine, and with it the thresholds of a scheme to their
    last, and what else it schedules, down to a thousandth.

    Args:
        config: settings of the training.
        scheme: says when cells are written; in float no cell is.
        setting: the network, and what the write step is made from.
        feed: the images.
        epochs: passes over them.
    """

    def __init__(
        self, config: SiameseConfig, scheme: Scheme, setting: Setting, feed: Feed, epochs: int
    ) -> None:
        self._config, self.net, self.feed = config, setting.net, feed
        self._scheme, self._setting = scheme, setting
        self.write = None if scheme.step is None else scheme.step(setting)
        # The noise of a gradient falls with the root of its images.
        self._rate = config.rate * scheme.together(config.writes) ** 0.5
        momentum = config.momentum if scheme.momentum else 0.0
        self.steps = feed.epoch_steps * epochs
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
        config = self._config
        if self.write is not None and step % config.calibrate_every == 0:
            mho.calibrate(self.net, self.feed.sample(config.calibration))
        x, y = self.feed.at(step)
        shifts = self._shifts.manual_seed(key(self._setting.seed, "shift", step))
        x = mho.data.shifted(x, config.shift, shifts)
        self._optimizer.zero_grad()
        loss = F.cross_entropy(self.net(x), y)
        loss.backward()
        self._optimizer.step()
        self._schedule.step()
        if self.write is not None:
            scheme, rate = self._scheme, self._schedule.get_last_lr()[0] / self._rate
            if scheme.scheduled:
                setattr(self.write.rules[0], scheme.scheduled, self._scheduled * max(rate, 1e-3))
            if scheme.threshold is not None:
                self.write.threshold = scheme.threshold(self._setting, rate)
            self.history.add("written", self.write().weights)
        return loss.detach()

    def accuracy(self, split: str) -> float:
        """Accuracy of the network as it stands [%]."""
        samples = mho.data.load("mnist", split)
        return 100 * plain_accuracy(self.net, samples, self.feed.device, flat=False)

    def base(self) -> dict[str, int]:
        """What shares of weights written refer to: a weight could be written after every batch,
        also where a scheme sums gradients."""
        return {
            "weights": sum(p.numel() for p in self.net.parameters() if p.dim() > 1),
            "steps_per_epoch": -(-self.feed.images // self._config.batch),
        }
