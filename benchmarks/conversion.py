"""Converting a network of ResNet-18's size: time, and peak memory of the process.

11.7 million weights on differential pairs and 128 x 128 tiles, one thread.
Run: python benchmarks/conversion.py
"""

from __future__ import annotations

import resource

import torch
from torch import nn

import mho
from timing import seconds


def resnet18_layers() -> nn.Sequential:
    """The weights of ResNet-18, layer by layer; they are converted, not run."""
    layers: list[nn.Module] = [nn.Conv2d(3, 64, 7, 2, 3, bias=False)]
    channels = 64
    for stage, width in enumerate((64, 128, 256, 512)):
        for block in range(2):
            layers += [nn.Conv2d(channels, width, 3, bias=False)]
            layers += [nn.Conv2d(width, width, 3, bias=False)]
            if block == 0 and stage > 0:
                layers += [nn.Conv2d(channels, width, 1, bias=False)]
            channels = width
    return nn.Sequential(*layers, nn.Linear(512, 1000))


def peak() -> float:
    """Largest memory of this process so far [GB]."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def main() -> None:
    """Print one line."""
    torch.set_num_threads(1)
    model = resnet18_layers()
    weights = sum(p.numel() for p in model.parameters())
    floor = seconds(lambda: nn.Sequential(*(layer for layer in resnet18_layers())))
    before = peak()
    hardware = mho.Hardware(device="hfo2-1t1r")
    time = seconds(lambda: mho.convert(model, hardware))
    print(f"{weights / 1e6:.1f} million weights: {time:.2f} s of processor time, ", end="")
    print(f"{time / floor:.1f} x building them in torch; ", end="")
    print(f"peak memory {peak():.2f} GB ({before:.2f} GB before)")


if __name__ == "__main__":
    main()
