"""Convolutions on several chips against the same ones in plain torch: reading, and training.

Two floors: one convolution of torch's with chips as groups of channels (a depthwise one has chips
times channels groups) of inputs that lie so; and one for each chip. Ours goes from inputs of one
batch to outputs of all chips, with spread and exact converters. Training is a forward and a
backward pass to inputs and weights.
Run: python benchmarks/convolutions.py [--chips 8] [--batch 32] [--rounds 9]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

import mho
from timing import in_turn

KINDS: dict[str, tuple[Callable[[], _ConvNd], tuple[int, ...]]] = {
    "16 channels of 32 x 32": (lambda: nn.Conv2d(16, 16, 3, padding=1), (16, 32, 32)),
    "64 channels of 8 x 8": (lambda: nn.Conv2d(64, 64, 3, padding=1), (64, 8, 8)),
    "LeNet's second": (lambda: nn.Conv2d(6, 16, 5), (6, 14, 14)),
    "8 groups": (lambda: nn.Conv2d(32, 64, 3, padding=1, groups=8), (32, 16, 16)),
    "depthwise, 32": (lambda: nn.Conv2d(32, 32, 3, padding=1, groups=32), (32, 16, 16)),
    "depthwise, 128": (lambda: nn.Conv2d(128, 128, 3, padding=1, groups=128), (128, 8, 8)),
    "1 dimension": (lambda: nn.Conv1d(32, 32, 5, padding=2), (32, 100)),
    "3 dimensions": (lambda: nn.Conv3d(8, 8, 3, padding=1), (8, 8, 12, 12)),
    "transposed": (lambda: nn.ConvTranspose2d(32, 16, 4, 2, 1), (32, 8, 8)),
}


def of_all_chips(plain: _ConvNd, chips: int) -> _ConvNd:
    """Torch's layer with chips as groups of channels."""
    shape = (chips * plain.in_channels, chips * plain.out_channels, plain.kernel_size)
    how = {"stride": plain.stride, "padding": plain.padding, "groups": chips * plain.groups}
    return type(plain)(*shape, **how, bias=False)  # type: ignore[arg-type]


def reading(run: Callable[[Tensor], object], x: Tensor) -> Callable[[], None]:
    """A forward pass without gradients."""

    @torch.no_grad()
    def work() -> None:
        run(x)

    return work


def training(run: Callable[[Tensor], Tensor], x: Tensor) -> Callable[[], None]:
    """A forward and a backward pass."""
    x = x.clone().requires_grad_()
    with torch.no_grad():
        upstream = torch.randn_like(run(x))

    def work() -> None:
        run(x).backward(upstream)

    return work


def main() -> None:
    """Print a table of ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chips", type=int, default=8)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    torch.set_num_threads(1)
    chips, hardware = options.chips, mho.Hardware(device=mho.devices.get("hfo2-1t1r"))
    head = f"{'grouped [ms]':>14}{'ratio':>7}{'in turn [ms]':>14}{'ratio':>7}"
    for name, passes in {"reading": reading, "training": training}.items():
        print(f"{name + f' on {chips} chips':26}{'ours [ms]':>10}{head}")
        for kind, (make, shape) in KINDS.items():
            torch.manual_seed(0)
            plain, x = make(), torch.randn(options.batch, *shape)
            plain.bias = None
            net = mho.convert(plain, hardware, chips)
            every = of_all_chips(plain, chips)
            repeated = x.repeat(1, chips, *(1,) * (x.dim() - 2))
            ones = [type(plain).forward] * chips

            def each(x: Tensor, plain: _ConvNd = plain, ones: list = ones) -> Tensor:
                return torch.stack([forward(plain, x) for forward in ones])

            ours = passes(net, x)
            row = f"{kind:26}"
            for index, floor in enumerate((passes(every, repeated), passes(each, x))):
                theirs, mine, ratio = in_turn(floor, ours, options.rounds)
                row += f"{1e3 * mine:10.2f}" if index == 0 else ""
                row += f"{1e3 * theirs:14.2f}{ratio:7.2f}"
            print(row, flush=True)


if __name__ == "__main__":
    main()
