"""The networks, their chips and their optimizer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

import mho
from mho.data import Task
from mho.errors import invalid
from mho.experiments.metaplastic.config import MetaplasticConfig, Network
from mho.experiments.metaplastic.schemes import Rules, Scheme, Weights
from mho.experiments.own_code import own_network
from mho.experiments.own_data import check_images

NORMAL = Weights(1 / 3)
"""Of schemes that have none of their own."""


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
) -> nn.Module:
    """The perceptron on samples of any shape (n, ...), or the user's own network in its place; or
    the small convolutional network.

    Batch normalization after every layer; units saturate, as converters do anyway, behind a gate.

    Raises:
        ValueError: samples of the tasks are not of one shape, the CNN does not take them, or the
            user's network lacks what the scheme needs.
    """
    if name == "mlp" and config.network is not None:
        return _own(config, scheme, tasks)
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
    net = nn.Sequential(*layers)
    _draw(net, scheme.weights(config.rules) if scheme.weights else NORMAL)
    return net


def _draw(net: nn.Module, weights: Weights) -> None:
    """Initial weights, of a full scale of 1."""
    most = math.sqrt(3) * weights.spread
    for layer in net.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            if weights.uniform:
                nn.init.uniform_(layer.weight, -most, most)
            else:
                nn.init.normal_(layer.weight, std=weights.spread)


def _own(config: MetaplasticConfig, scheme: Scheme, tasks: Sequence[Task]) -> nn.Module:
    """The user's own network, which has what is kept for each task."""
    reference, outputs = config.network, widths(config, tasks)[-1]
    assert reference is not None
    net = own_network(reference, mho.data.dataset(tasks[0].dataset).shape, outputs)
    if not any(isinstance(each, _BatchNorm) for each in net.modules()):
        allowed = "one with batch normalization, which is kept for each task"
        raise invalid("network", reference, allowed)
    if scheme.gates and not any(isinstance(each, mho.nn.Gate) for each in net.modules()):
        allowed = (
            "one with mho.nn.Gate(units) between batch normalization and activation, as the scheme "
            "opens some of the units in each task; or --scheme with one that has all units open, "
            "such as path importance"
        )
        raise invalid("network", reference, allowed)
    if scheme.weights is not None:
        _draw(net, scheme.weights(config.rules))
    return net


def perfect(hardware: mho.Hardware) -> mho.Hardware:
    """The same levels without any imperfection, each reached in one write: the software
    baseline."""
    device = hardware.device.ideal()
    if device.remembers:  # pulses bring it near a level, not onto it
        low, high = device.window
        device = mho.cells.MultiLevel(g_min=low, g_max=high, levels=device.states)
    return hardware.with_converters(None).replace(device=device).over_time(None)


def chips(hardware: mho.Hardware, scheme: Scheme, rules: Rules) -> mho.Hardware:
    """The chips that a scheme needs."""
    if scheme.weights is not None:
        own = scheme.weights(rules)
        hardware = hardware.replace(full_scale=1 / own.spread)
        if own.levels is not None:
            hardware = hardware.replace(weight_levels=own.levels)
    return perfect(hardware) if scheme.perfect else hardware


def states(hardware: mho.Hardware) -> int:
    """Levels that cells take, of those that they have."""
    cells, each = hardware.cells, hardware.device.states
    weights = hardware.levels
    return len(cells.own_levels(torch.arange(weights), weights, each).unique())


def optimizers(
    config: MetaplasticConfig, net: nn.Module, scheme: Scheme
) -> list[torch.optim.Optimizer]:
    """That of the arrays, and that of batch normalization where it is another one."""
    if scheme.descent is None:
        return [torch.optim.Adam(net.parameters(), config.rate, fused=True)]
    own = scheme.descent(config.rules)
    arrays = [p for p in net.parameters() if p.dim() > 1]
    digital = [p for p in net.parameters() if p.dim() <= 1]
    if own.digital_rate is None:
        return [
            torch.optim.SGD(arrays, own.rate, momentum=own.momentum),
            torch.optim.Adam(digital, config.rate, fused=True),
        ]
    groups = [{"params": arrays, "lr": own.rate}, {"params": digital, "lr": own.digital_rate}]
    return [torch.optim.SGD(groups, momentum=own.momentum)]
