"""The binarized networks, and their training with and without spread."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import nn

import mho
from mho.data import Dataset
from mho.errors import invalid
from mho.experiments.bmcnn.config import Architecture, BmcnnConfig
from mho.experiments.experiment import Feed, check_loss, moved_images, plain_accuracy, seeded
from mho.experiments.own_code import own_network
from mho.experiments.own_data import check_images
from mho.experiments.processes import backward
from mho.experiments.run import Run
from mho.experiments.trainings import Training
from mho.files.code import code_in
from mho.hardware.streams import derived_seed

BITS = Architecture().bits
"""Of fixed point, which plays no part in training."""

TRAININGS = ("plain", "aware")
"""Without spread, and under spread redrawn at each step."""


def network(architecture: Architecture, data: Dataset) -> nn.Module:
    """A network of named layers: conv1, norm1, ..., dense1, ..., output; for samples of any shape,
    with convolutions for images (channels, height, width); or the user's own.

    Raises:
        ValueError: the convolutions do not take the samples, or the user's network has no layer for
            arrays beside its classifier.
    """
    if architecture.own:
        net = own_network(architecture.network, data.shape, len(data.classes))
        if not _own_layers(architecture, net):
            allowed = (
                "one with two or more linear or convolutional layers, of which the last is the "
                "digital classifier, or architecture.classifier = 'binary'"
            )
            raise invalid("network", architecture.network, allowed)
        return net
    activation = {"relu": nn.ReLU, "sign": mho.nn.Sign}[architecture.activation]
    parts: OrderedDict[str, nn.Module] = OrderedDict()
    width = math.prod(data.shape)
    if architecture.network == "cnn":
        allowed = (
            "BmcnnConfig.architecture.network = 'mlp' with studies that lack 'networks', which "
            "compares convolutions"
        )
        check_images(data, 4, allowed)
        (wide, *size), stride = data.shape, 1 if architecture.pool else 2
        for i, channels in enumerate(architecture.channels, start=1):
            kernel = architecture.kernel
            parts[f"conv{i}"] = nn.Conv2d(
                wide, channels, kernel, stride, padding=kernel // 2, bias=False
            )
            if architecture.pool:
                parts[f"pool{i}"] = nn.MaxPool2d(2)
            parts[f"norm{i}"] = nn.BatchNorm2d(channels)
            parts[f"activation{i}"] = activation()
            wide, around = channels, 2 * (kernel // 2) - kernel
            size = [(n + around) // stride + 1 for n in size]
            if architecture.pool:
                size = [n // 2 for n in size]
        width = wide * math.prod(size)
    parts["flatten"] = nn.Flatten()
    for i, units in enumerate(architecture.hidden, start=1):
        parts[f"dense{i}"] = nn.Linear(width, units, bias=False)
        parts[f"dense_norm{i}"] = nn.BatchNorm1d(units)
        parts[f"dense_activation{i}"] = activation()
        width = units
    binary, classes = architecture.classifier == "binary", len(data.classes)
    parts["output"] = nn.Linear(width, classes, bias=not binary)
    if binary:
        parts["output_norm"] = nn.BatchNorm1d(classes)
    return nn.Sequential(parts)


def _own_layers(architecture: Architecture, net: nn.Module) -> list[str]:
    """Names of the layers of the user's own network that have binary weights on arrays."""
    kinds = nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d
    names = [name for name, layer in net.named_modules() if isinstance(layer, kinds)]
    return names if architecture.classifier == "binary" else names[:-1]


def on_arrays(architecture: Architecture, net: nn.Module) -> Callable[[str, nn.Module], bool]:
    """Which layers of a network have binary weights on arrays."""
    if architecture.own:
        chosen = {*_own_layers(architecture, net)}
        return lambda name, _layer: name in chosen
    kinds = ["conv"] if architecture.network == "cnn" else ["dense"]
    if architecture.classifier == "binary":
        kinds += ["dense", "output"]
    return lambda name, layer: (
        isinstance(layer, nn.Conv2d | nn.Linear) and name.startswith(tuple(kinds))
    )


def by_layer(
    architecture: Architecture, net: nn.Module, hardware: mho.Hardware
) -> Callable[[str, nn.Module], mho.Hardware | None]:
    """The kind of chip of these layers, and None of all others; for `mho.convert`."""
    chosen = on_arrays(architecture, net)
    return lambda name, layer: hardware if chosen(name, layer) else None


def training(
    config: BmcnnConfig, architecture: Architecture, *, kind: str, number: int, epochs: int,
    name: str,
) -> Training:  # fmt: skip
    """What `train` depends on: of the cells and their spread, in training with spread alone."""
    spread = ("cells", "spread.aware") if kind == "aware" else ()
    return Training.of(
        config, "per_class", "batch", "rate", "shift", "sweep_per_class", *spread,
        data=(config.data,), architecture=as_trained(architecture).replace(bits=BITS), kind=kind,
        number=number, epochs=epochs, name=name, code=code_in({"network": architecture.network}),
    )  # fmt: skip


def as_trained(architecture: Architecture) -> Architecture:
    """What is trained for an architecture: fixed point is a matter of mapping."""
    fixed = architecture.classifier == "fixed"
    return architecture.replace(classifier="float") if fixed else architecture


def train(
    config: BmcnnConfig, architecture: Architecture, run: Run, *, kind: str, number: int,
    epochs: int, name: str,
) -> nn.Module:  # fmt: skip
    """Train one binarized network offline; resumable under `name`."""
    device = config.torch_device()
    seed = derived_seed(config.seed, "bmcnn", number)
    net = seeded(seed, lambda: network(architecture, mho.data.dataset(config.data)))
    select = on_arrays(architecture, net)
    for part, layer in list(net.named_modules()):
        if not select(part, layer):
            continue
        steps: list[nn.Module] = [mho.nn.Levels(2)]
        if architecture.stochastic:  # at first, all chances are equally frequent
            width = layer.weight.detach().abs().max().item()  # type: ignore[operator]
            steps = [mho.nn.StochasticSign(width, derived_seed(seed, part, "sign"))]
        if kind == "aware":
            steps.append(mho.nn.Variation(config.aware, derived_seed(seed, part)))
        mho.nn.quantize(layer, *steps)
    net.to(device)
    samples = mho.data.load(config.data, "train", per_class=config.per_class)
    feed = Feed(samples.inputs, samples.labels, config.batch, seed, device)
    optimizer = torch.optim.Adam(net.parameters(), config.rate)
    total = feed.epoch_steps * epochs
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, total)
    validation = mho.data.load(config.data, "validation", per_class=config.sweep_per_class)
    generator = torch.Generator()
    state = {"net": net, "optimizer": optimizer, "schedule": schedule}
    of = training(config, architecture, kind=kind, number=number, epochs=epochs, name=name)
    for step in run.steps(name, total, state, keep=("net",), of=of):
        net.train()
        x, y = feed.at(step)
        x = moved_images(x, config.shift, generator.manual_seed(derived_seed(seed, "shift", step)))
        loss = backward(net, x, y)
        check_loss(loss, f"{name}, network {number},", step, f"rate (it is {config.rate:g})")
        optimizer.step()
        schedule.step()
        if feed.ends_epoch(step):
            accuracy = 100 * plain_accuracy(net, validation, device, flat=False)
            run.log(step=step + 1, training=name, validation=accuracy)
    if architecture.stochastic:  # the signs that stay give other statistics than those drawn
        mho.refresh_batchnorm(net, feed.sample(5000).split(500))
    return net.eval()
