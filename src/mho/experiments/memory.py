"""Memory that a training needs, estimated before it begins, and what the machine has."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from torch import nn

import mho
from mho.errors import invalid
from mho.hardware import Tiling

PER_WEIGHT = 24
"""Bytes of a weight: itself, its gradient, two values of its optimizer, two of its rule."""
PER_CELL = 40
"""Bytes of a simulated cell: its conductance, counts and traits, its state in a checkpoint."""
PER_EFFECTIVE = 12
"""Bytes of what each chip makes of a weight: as realized, and on the way to it."""
PER_OUTPUT = 24
"""Bytes of a number that a layer passes on: itself, its gradient, and on the way to both."""


def needed(net: nn.Module, hardware: mho.Hardware | None, chips: int, images: int) -> int:
    """Bytes that a training takes, about.

    Args:
        net: the network, with no more than shapes (made on torch's "meta" device).
        hardware: the chips that all its layers are on; None: it stays digital.
        chips: chips that are simulated at once.
        images: images that a pass takes at once.
    """
    total = 0
    x = torch.empty(1, 1, 28, 28, device="meta")
    with torch.no_grad():
        for layer in net.eval():
            x = layer(x)
            total += PER_OUTPUT * chips * images * x.numel()
    for layer in net.modules():
        total += PER_WEIGHT * sum(p.numel() for p in layer.parameters(recurse=False))
        if hardware is None or not isinstance(layer, nn.Linear | nn.Conv2d):
            continue
        rows, cols = layer.weight[0].numel(), len(layer.weight)
        tiling = Tiling(rows, cols, hardware.tile, hardware.cells)
        tiles, height, width = tiling.shape
        total += chips * (PER_CELL * tiles * height * width + PER_EFFECTIVE * rows * cols)
    return total


def available(device: torch.device) -> int:
    """Bytes of memory that a device has: all that the machine, or its container, may use."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    limits = [_installed()]
    for file in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            limits.append(int(Path("/sys/fs/cgroup", file).read_text(encoding="ascii")))
        except (OSError, ValueError):  # no container, or "max"
            continue
    return min(limits)


def check_memory(what: str, bytes_needed: int, device: torch.device) -> None:
    """Refuse a training that does not fit.

    Raises:
        ValueError: it needs more memory than there is; the message has both numbers.
    """
    there = available(device)
    if bytes_needed > there:
        allowed = (
            f"at most {there / 1e9:.3g} GB, the memory of {device}: smaller layers, batches or "
            "arrays, or fewer chips"
        )
        raise invalid(f"memory of {what}", f"about {bytes_needed / 1e9:.3g} GB", allowed)


def _installed() -> int:
    """Bytes of memory of the machine; where it does not say, more than any has."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # not on Windows
        return 1 << 50
