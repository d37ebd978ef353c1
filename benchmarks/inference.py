"""Inference on 1 and on many chips against the same matmuls in plain torch.

784-512-512-10 without biases, 10,000 random inputs, programming spread, 8-bit DAC and ADC. The
floor of serial inputs is a matmul a bit, of an eighth of the inputs; that of sliced weights a
matmul of all slices' columns.
Run: python benchmarks/inference.py [--chips 32] [--rounds 3] [--only KIND ...]
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
def plain(weights: list[list[Tensor]], x: Tensor, batch: int, reads: int) -> None:
    """The same matmuls, chip by chip; of wider columns than the next layer takes, the first."""
    for part in x.split(batch):
        for chip in weights:
            y = part
            for w in chip:
                for _ in range(reads):
                    z = y[:, : w.shape[1]] @ w.T
                y = torch.relu_(z)


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
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--only", nargs="*", help="kinds to run; all if none is named")
    options = parser.parse_args()
    torch.set_num_threads(1)
    model, x = network(), torch.rand(options.inputs, 784)
    device = mho.devices.get("hfo2-1t1r")
    bits = {"dac_bits": 8, "adc_bits": 8}
    whole = bits | {"adc_per_tile": False}
    kinds = {
        "no converters": {},
        "8-bit DAC and ADC": whole,
        "8-bit DAC, ADC per tile": bits,
        "range per column": whole | {"adc_range": "column"},
        "range per column, per tile": bits | {"adc_range": "column"},
        "8 bits one by one": whole | {"serial_inputs": True},
        "8 bits one by one, per tile": bits | {"serial_inputs": True},
        "2 slices": whole | {"slices": 2},
        "2 slices, per tile": bits | {"slices": 2},
    }
    kinds = {kind: kinds[kind] for kind in options.only or kinds}
    print(f"{'':28}{'chips':>6}{'convert [s]':>13}{'floor [s]':>11}{'ours [s]':>10}{'ratio':>7}")
    for chips in (1, options.chips):
        rounds = options.rounds if chips > 1 else 3 * options.rounds
        for kind, settings in kinds.items():
            hardware = mho.Hardware(device=device, **settings)
            reads = hardware.dac_bits if hardware.serial_inputs else 1
            some = x[: len(x) // reads]
            weights = [
                [torch.randn(hardware.slices * out, n) / n**0.5 for n, out in pairwise(WIDTHS)]
                for _ in range(chips)
            ]
            mho.convert(model, hardware, chips=1)
            convert = seconds(lambda h=hardware, k=chips: mho.convert(model, h, chips=k))
            net = mho.convert(model, hardware, chips=chips)
            mho.calibrate(net, x[:200])
            floor, ours, ratio = in_turn(
                lambda w=weights, x=some, k=reads: plain(w, x, options.batch, k),
                lambda n=net, x=some: simulated(n, x, options.batch),
                rounds,
            )
            row = f"{kind:28}{chips:6}{convert:13.3f}{floor:11.3f}{ours:10.3f}{ratio:7.2f}"
            print(row, flush=True)


if __name__ == "__main__":
    main()
