"""The networks, their chips and their optimizer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn

import mho
from mho.data import Task
from mho.errors import invalid
from mho.experiments.metaplastic.config import MetaplasticConfig, Network
from mho.experiments.metaplastic.schemes import Scheme
from mho.experiments.own_data import check_images

BINARY_STD = 0.03
"""Standard deviation of initial weights under the binarized ancestor's rule, levels at -1 and 1."""


def widths(config: MetaplasticConfig, tasks: Sequence[Task]) -> tuple[int, ...]:
    """Inputs, units and outputs of the perceptron that learns some tasks.

    Raises:
        ValueError: their samples are not of one shape.
    """
    sets = [mho.data.dataset(task.dataset) for task in tasks]
    if len({data.shape for data in sets}) > 1:
        shapes = ", ".join(f"{data.name} {data.shape}" for data in sets)
        allowed = "data sets whose samples are of one shape, as one network learns them all"
        raise invalid("MetaplasticConfig.tasks", shapes, allowed)
    outputs = max(len(data.classes) for data in sets)
    return math.prod(sets[0].shape), *config.hidden, outputs


def network(
    config: MetaplasticConfig, name: Network, scheme: Scheme, tasks: Sequence[Task]
) -> nn.Sequential:
    """The perceptron on samples of any shape (n, ...), or the small convolutional network.

    Batch normalization after every layer; units saturate, as converters do anyway, behind a gate.

    Raises:
        ValueError: samples of the tasks are not of one shape, or the CNN does not take them.
    """
    layers: list[nn.Module] = [nn.Flatten()]
    units = widths(config, tasks)
    if name == "cnn":
        data = mho.data.dataset(tasks[0].dataset)
        check_images(data, 16, "MetaplasticConfig.studies that lack 'convolution'")
        channels, height, width = data.shape
        places = (((height - 4) // 2 - 4) // 2) * (((width - 4) // 2 - 4) // 2)
        a, b = config.cnn.channels
        layers = [
            nn.Conv2d(channels, a, 5, bias=False), nn.BatchNorm2d(a, eps=0.01), mho.nn.Gate(a),
            nn.Hardtanh(), nn.MaxPool2d(2),
            nn.Conv2d(a, b, 5, bias=False), nn.BatchNorm2d(b, eps=0.01), mho.nn.Gate(b),
            nn.Hardtanh(), nn.MaxPool2d(2), nn.Flatten(),
        ]  # fmt: skip
        units = (places * b, config.cnn.dense, units[-1])
    for before, after in pairwise(units):
        layers += [nn.Linear(before, after, bias=False), nn.BatchNorm1d(after, eps=0.01)]
        layers += [mho.nn.Gate(after), nn.Hardtanh()]
    del layers[-2:]  # the outputs are neither gated nor bounded
    for layer in layers:
        if isinstance(layer, nn.Linear | nn.Conv2d):
            nn.init.normal_(layer.weight, std=BINARY_STD if scheme.binary else 1 / 3)
    return nn.Sequential(*layers)


def perfect(hardware: mho.Hardware) -> mho.Hardware:
    """The same levels without any imperfection, each reached in one write: the software
    baseline."""
    device = hardware.device.ideal()
    if device.remembers:  # pulses bring it near a level, not onto it
        low, high = device.window
        device = mho.cells.MultiLevel(g_min=low, g_max=high, levels=device.states)
    return hardware.with_converters(None).replace(device=device).over_time(None)


def chips(hardware: mho.Hardware, scheme: Scheme) -> mho.Hardware:
    """The chips that a scheme needs."""
    if scheme.binary:
        hardware = hardware.replace(weight_levels=2, full_scale=1 / BINARY_STD)
    return perfect(hardware) if scheme.perfect else hardware


def optimizer(config: MetaplasticConfig, net: nn.Module, scheme: Scheme) -> torch.optim.Optimizer:
    """Adam; SGD where the rule scales the steps of the arrays itself."""
    if not scheme.plain:
        return torch.optim.Adam(net.parameters(), config.rate, fused=True)
    arrays = [p for p in net.parameters() if p.dim() > 1]
    digital = [p for p in net.parameters() if p.dim() <= 1]
    return torch.optim.SGD(
        [
            {"params": arrays, "lr": config.rules.bayesian.rate},
            {"params": digital, "lr": config.rules.bayesian.digital_rate},
        ]
    )
