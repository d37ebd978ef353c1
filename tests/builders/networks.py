"""A small network, on chips always drawn alike; random movements and a short training of it."""

from typing import Any

import torch
from torch import nn

import mho
from mho import Hardware, WriteStep
from mho.learning.layers.layer import ArrayLayer, memristive_layers


def small_model() -> nn.Sequential:
    """A convolution and two linear layers on images (n, 2, 6, 6); always the same weights."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return nn.Sequential(
            nn.Conv2d(2, 3, 3), nn.Flatten(), nn.Linear(48, 7), nn.ReLU(), nn.Linear(7, 4)
        )


def mapped(chips: int | None = 1, *, model: nn.Module | None = None, **options: Any) -> nn.Module:
    """`small_model`, or another, on chips; options are of `Hardware`."""
    hardware = Hardware(**({"tile": (9, 6)} | options))
    generator = torch.Generator().manual_seed(6)
    return mho.convert(model or small_model(), hardware, chips, generator=generator)


def only_layer(net: nn.Module) -> ArrayLayer:
    """The layer of a network that has one."""
    (layer,) = memristive_layers(net).values()
    return layer


def move(net: nn.Module, size: float, generator: torch.Generator) -> None:
    """One optimizer step of random direction, in steps between levels."""
    with torch.no_grad():
        for layer in memristive_layers(net).values():
            noise = torch.randn(layer.weight.shape, generator=generator)
            layer.weight.add_(noise, alpha=size * layer.step)


def train(net: nn.Module, step: WriteStep, rounds: int, seed: int, rate: float = 0.5) -> list[int]:
    """Train `small_model` for some rounds; how many weights were written in each."""
    own = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.SGD(net.parameters(), lr=rate)
    counts = []
    for _ in range(rounds):
        x = torch.randn(8, 2, 6, 6, generator=own)
        optimizer.zero_grad()
        (net(x) - 1).square().mean().backward()
        optimizer.step()
        counts.append(step().weights)
    return counts
