"""Inference on 1 and on many chips against the same matmuls in plain torch.

784-512-512-10 without biases, 10,000 random inputs, programming spread, 8-bit DAC and ADC.
Run: python benchmarks/inference.py [--chips 32] [--rounds 3]
"""

from __future__ import annotations

import argparse
from itertools import pairwise

import torch
from torch import Tensor, nn

import mho
from timing import in_turn, seconds

WIDTHS = (784, 512, 512, 10)


def network() -> nn.Sequential:
    """The perceptron."""
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for before, after in pairwise(WIDTHS):
        layers += [nn.Linear(before, after, bias=False), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


@torch.no_grad()
def plain(weights: list[list[Tensor]], x: Tensor, batch: int) -> None:
    """The same matmuls, chip by chip."""
    for part in x.split(batch):
        for first, second, last in weights:
            torch.relu(torch.relu(part @ first.T) @ second.T) @ last.T


@torch.no_grad()
def simulated(net: nn.Module, x: Tensor, batch: int) -> None:
    """All chips at once."""
    for part in x.split(batch):
        net(part)


def main() -> None:
    """Print a table of ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chips", type=int, default=32)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    model, x = network(), torch.rand(10_000, 784)
    device = mho.devices.get("hfo2-1t1r")
    kinds = {
        "no converters": {},
        "8-bit DAC and ADC": {"dac_bits": 8, "adc_bits": 8, "adc_per_tile": False},
        "8-bit DAC, ADC per tile": {"dac_bits": 8, "adc_bits": 8},
    }
    print(f"{'':26}{'chips':>6}{'convert [s]':>13}{'floor [s]':>11}{'ours [s]':>10}{'ratio':>7}")
    for chips in (1, options.chips):
        weights = [
            [torch.randn(out, n) / n**0.5 for n, out in pairwise(WIDTHS)] for _ in range(chips)
        ]
        rounds = options.rounds if chips > 1 else 3 * options.rounds
        for kind, settings in kinds.items():
            hardware = mho.Hardware(device=device, **settings)
            mho.convert(model, hardware, chips=1)
            convert = seconds(lambda h=hardware, k=chips: mho.convert(model, h, chips=k))
            net = mho.convert(model, hardware, chips=chips)
            mho.calibrate(net, x[:200])
            floor, ours, ratio = in_turn(
                lambda w=weights: plain(w, x, options.batch),
                lambda n=net: simulated(n, x, options.batch),
                rounds,
            )
            row = f"{kind:26}{chips:6}{convert:13.3f}{floor:11.3f}{ours:10.3f}{ratio:7.2f}"
            print(row, flush=True)


if __name__ == "__main__":
    main()
