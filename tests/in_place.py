"""What tests of training in place share: a small network, random movements, a short training."""

import torch
from torch import nn

from mho import WriteStep
from mho.learning.layers.layer import memristive_layers


def small_model() -> nn.Sequential:
    """A convolution and two linear layers on images (n, 2, 6, 6); always the same weights."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return nn.Sequential(
            nn.Conv2d(2, 3, 3), nn.Flatten(), nn.Linear(48, 7), nn.ReLU(), nn.Linear(7, 4)
        )


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
