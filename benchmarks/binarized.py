"""Binarized convolutions: variation-aware training, and a Monte Carlo of chips, against torch.

A 5 x 5, stride 2 network of 32 and 64 channels with a 3136-256-10 classifier, random images.
Floor of training: the same network in float, plain torch. Floor of the Monte Carlo: the plain
network run once for each chip.
Run: python benchmarks/binarized.py [--chips 30] [--rounds 7]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

import mho
from mho.experiments.bmcnn.config import Architecture, BmcnnConfig
from mho.experiments.bmcnn.network import by_layer, network
from timing import in_turn

ARCHITECTURE = Architecture(channels=(32, 64), hidden=(256,))
KINDS = {
    "binary weights": lambda _: [mho.nn.Levels(2)],
    "variation-aware": lambda hardware: [mho.nn.Levels(2), mho.nn.Variation(hardware)],
    "stochastic": lambda _: [mho.nn.StochasticSign()],
}


def made(steps: Callable[[mho.Hardware], list[nn.Module]] | None = None) -> nn.Sequential:
    """The network, its convolutions quantized."""
    torch.manual_seed(0)
    net = network(ARCHITECTURE, mho.data.dataset("mnist"))
    for layer in net.children():
        if steps is not None and isinstance(layer, nn.Conv2d):
            mho.nn.quantize(layer, *steps(BmcnnConfig().aware))
    return net


def training(net: nn.Module) -> Callable[[], None]:
    """Ten steps with batches of 100."""
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    x, y = torch.rand(100, 1, 28, 28), torch.randint(10, (100,))

    def steps() -> None:
        for _ in range(10):
            optimizer.zero_grad()
            F.cross_entropy(net(x), y).backward()
            optimizer.step()

    return steps


def main() -> None:
    """Print a table of ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chips", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{'':36}{'floor [s]':>11}{'ours [s]':>10}{'ratio':>7}")

    def row(name: str, floor: Callable[[], object], ours: Callable[[], object]) -> None:
        times = in_turn(floor, ours, options.rounds)
        print(f"{name:36}{times[0]:11.3f}{times[1]:10.3f}{times[2]:7.2f}", flush=True)

    for name, steps in KINDS.items():
        row(f"training, {name}", training(made()), training(made(steps)))
    net, images = made().eval(), torch.rand(60, 1, 28, 28)
    hardware = by_layer(ARCHITECTURE, BmcnnConfig().cells.hardware(0.5, 0.5))
    with torch.no_grad():
        chips = mho.convert(net, hardware, options.chips)
        batch = max(1, 200 // options.chips)

        def one_by_one() -> None:
            for _ in range(options.chips):
                for x in images.split(200):
                    net(x)

        row(
            f"Monte Carlo of {options.chips} chips",
            one_by_one,
            lambda: [chips(x) for x in images.split(batch)],
        )
        mho.refresh_batchnorm(chips, [images[:10]])
        row(
            "the same, batch norm of each chip",
            one_by_one,
            lambda: [chips(x) for x in images.split(batch)],
        )


if __name__ == "__main__":
    main()
