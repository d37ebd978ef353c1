"""Layers of a few weights, each with the shape of a batch for it, and a cell to put them on."""

from collections.abc import Callable

from torch import nn

import mho

CELL = mho.cells.MultiLevel(g_min=10e-6, g_max=90e-6, levels=4, sigma=(2e-6,), device_spread=0.02)
LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "linear": (lambda: nn.Linear(23, 6), (6, 23)),
    "linear, no bias": (lambda: nn.Linear(23, 6, bias=False), (6, 23)),
    "conv": (lambda: nn.Conv2d(3, 4, 3), (6, 3, 8, 7)),
    "conv, strided": (lambda: nn.Conv2d(3, 4, (3, 2), (2, 3), 1, (1, 2)), (6, 3, 8, 9)),
    "conv, reflecting": (lambda: nn.Conv2d(3, 4, 3, 1, 1, padding_mode="reflect"), (6, 3, 8, 7)),
}
