"""A trained network on the chips of a device: written, calibrated, repaired."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import mho
from mho.hardware import Hardware
from mho.trial.network import DATA

UNLABELLED = 512
"""Training images that converters' ranges and the repair are given."""


def unlabelled() -> Tensor:
    """These images, (n, 1, 28, 28)."""
    return mho.data.load(DATA, "train", per_class=-(-UNLABELLED // 10)).inputs[:UNLABELLED]


def written(net: nn.Module, hardware: Hardware, chips: int, seed: int, images: Tensor) -> nn.Module:
    """The network on chips, converters calibrated; the same random numbers for all hardware."""
    generator = torch.Generator().manual_seed(seed)
    converted = mho.convert(net, hardware, chips, generator=generator)
    mho.calibrate(converted, images.split(128))
    return converted


def repaired(chips: nn.Module, images: Tensor) -> nn.Module:
    """Read-outs tuned and batch normalizations refreshed: no label, no write."""
    mho.tune(chips, images[:128], per="column")
    mho.refresh_batchnorm(chips, images.split(64))
    return chips
