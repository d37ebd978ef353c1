"""One epoch of in-situ training, every write counted, against plain torch SGD.

784-512-512-10 without biases, MNIST, batch 32, processor time of one thread.
Run: python benchmarks/write_path.py [--images 6000] [--rounds 3]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import mho
from inference import network
from timing import in_turn


def epoch(net: nn.Module, write: mho.WriteStep | None, x: Tensor, y: Tensor, rate: float) -> int:
    """Train once over the images; returns how many weights were written."""
    optimizer = torch.optim.SGD(net.parameters(), rate)
    written = 0
    for images, labels in zip(x.split(32), y.split(32), strict=True):
        optimizer.zero_grad()
        F.cross_entropy(net(images), labels).backward()
        optimizer.step()
        if write is not None:
            written += write().weights
    return written


def main() -> None:
    """Print a table of ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=6000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    samples = mho.data.load("mnist", "train", per_class=options.images // 10)
    x, y = samples.flat, samples.labels
    device = mho.devices.get("hfo2-1t1r")
    kinds = {
        "level change, verified": (0.5, mho.Verify()),
        "level change, open loop": (0.5, mho.OpenLoop()),
        "hysteresis 0.65, open loop": (0.65, mho.OpenLoop()),
        "sparse (3 steps), verified": (3.0, mho.Verify()),
    }
    print(f"{'':28}{'floor [s]':>10}{'ours [s]':>10}{'ratio':>7}{'writes a step':>15}")
    for kind, (threshold, programming) in kinds.items():
        hardware = mho.Hardware(device=device, programming=programming, full_scale=8.0)
        nets = iter([mho.convert(network(), hardware) for _ in range(options.rounds + 1)])
        counts: list[int] = []

        def ours(
            nets: Iterator[nn.Module] = nets,
            threshold: float = threshold,
            counts: list[int] = counts,
        ) -> None:
            net = next(nets)
            counts.append(epoch(net, mho.WriteStep(net, threshold=threshold), x, y, 0.05))

        floor, mine, ratio = in_turn(
            lambda: epoch(network(), None, x, y, 0.05), ours, options.rounds
        )
        writes = counts[-1] / -(-len(y) // 32)
        print(f"{kind:28}{floor:10.3f}{mine:10.3f}{ratio:7.2f}{writes:15.1f}", flush=True)


if __name__ == "__main__":
    main()
