"""Noise-aware training steps against plain ones of the same network, in torch.

Networks: 784-512-512-10, a LeNet of 5 x 5 convolutions, and an LSTM over the rows of an image. A
step is a forward pass, a backward pass and Adam, batches of 64 random images.
Run: python benchmarks/noise_aware.py [--rounds 7]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import mho
from timing import in_turn


class Rows(nn.Module):
    """An LSTM that sees an image row by row, and a linear layer for its last state."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(28, 128, batch_first=True)
        self.classify = nn.Linear(128, 10)

    def forward(self, x: Tensor) -> Tensor:
        """(n, 1, 28, 28) to (n, 10)."""
        return self.classify(self.lstm(x.squeeze(1))[0][:, -1])


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "784-512-512-10": lambda: nn.Sequential(
        nn.Flatten(), nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(),
        nn.Linear(512, 10),
    ),
    "LeNet": lambda: nn.Sequential(
        nn.Conv2d(1, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 5), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(512, 128), nn.ReLU(), nn.Linear(128, 10),
    ),
    "LSTM of 128, row by row": Rows,
}  # fmt: skip
HARDWARE = {
    "pcm-gst": mho.Hardware(device="pcm-gst"),
    "pcm-gst, 8-bit DAC and ADC": mho.Hardware(device="pcm-gst", dac_bits=8, adc_bits=8),
    "cmo-hfox, noisy reads, 8-bit DAC and ADC": mho.Hardware(
        device="cmo-hfox", dac_bits=8, adc_bits=8
    ),
}


def training(net: nn.Module) -> Callable[[], None]:
    """Ten steps."""
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    x, y = torch.rand(64, 1, 28, 28), torch.randint(10, (64,))

    def steps() -> None:
        for _ in range(10):
            optimizer.zero_grad()
            F.cross_entropy(net(x), y).backward()
            optimizer.step()

    return steps


def main() -> None:
    """Print a table of ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{'training, ten steps':68}{'torch [s]':>10}{'ours [s]':>10}{'ratio':>7}")
    for name, make in NETWORKS.items():
        for kind, hardware in HARDWARE.items():
            torch.manual_seed(0)
            net = make()
            floor, ours = training(net), training(mho.noise_aware(net, hardware))
            times = in_turn(floor, ours, options.rounds)
            print(
                f"{f'{name}: {kind}':68}{times[0]:10.3f}{times[1]:10.3f}{times[2]:7.2f}", flush=True
            )


if __name__ == "__main__":
    main()
