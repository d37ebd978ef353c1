"""A residual network on many chips against as many plain ones.

The floor is the same network in torch, once for each chip, with the weights that the chip realizes.
Run: python benchmarks/residual.py [--chips 8] [--images 32] [--rounds 5]
"""

from __future__ import annotations

import argparse

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import mho
from recurrent import KINDS
from timing import in_turn


class Block(nn.Module):
    """Two convolutions, depthwise separable ones if asked for, and what goes past them."""

    def __init__(self, inputs: int, outputs: int, stride: int, separable: bool) -> None:
        super().__init__()
        self.first = _convolution(inputs, outputs, stride, separable)
        self.second = _convolution(outputs, outputs, 1, separable)
        self.past = nn.Conv2d(inputs, outputs, 1, stride) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Maps (n, inputs, h, w) to (n, outputs, h / stride, w / stride)."""
        return F.relu(self.second(F.relu(self.first(x))) + self.past(x))


def _convolution(inputs: int, outputs: int, stride: int, separable: bool) -> nn.Module:
    if not separable:
        return nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs)
        )
    return nn.Sequential(
        nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False),
        nn.Conv2d(inputs, outputs, 1, bias=False),
        nn.BatchNorm2d(outputs),
    )


class ResNet(nn.Module):
    """Eight layers deep, for images (n, 3, 32, 32)."""

    def __init__(self, separable: bool) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16))
        sizes = ((16, 16, 1), (16, 32, 2), (32, 64, 2))
        self.blocks = nn.Sequential(*(Block(*size, separable) for size in sizes))
        self.head = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Images (n, 3, 32, 32) to scores (n, 10)."""
        return self.head(self.blocks(F.relu(self.stem(x))).mean((2, 3)))


def main() -> None:
    """Print a table of ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chips", type=int, default=8)
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{'':14}{'':18}{'floor [s]':>11}{'ours [s]':>10}{'ratio':>7}")
    for separable in (False, True):
        torch.manual_seed(0)
        x, model = torch.randn(options.images, 3, 32, 32), ResNet(separable).eval()
        for kind, settings in KINDS.items():
            net = mho.convert(model, mho.Hardware(**settings), options.chips).eval()
            mho.calibrate(net, x)
            plain = [mho.to_digital(net, chip).eval() for chip in range(options.chips)]

            @torch.no_grad()
            def floor(x: Tensor = x, plain: list[nn.Module] = plain) -> None:
                for one in plain:
                    one(x)

            @torch.no_grad()
            def ours(x: Tensor = x, net: nn.Module = net) -> None:
                net(x)

            least, mine, ratio = in_turn(floor, ours, options.rounds)
            name = "separable" if separable else "ResNet-8"
            print(f"{name:14}{kind:18}{least:>11.4f}{mine:>10.4f}{ratio:>7.2f}")


if __name__ == "__main__":
    main()
