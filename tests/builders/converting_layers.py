"""Layers whose circuits convert in several ways: by column, serially, sliced."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

import mho
from builders.networks import only_layer
from mho import Hardware
from mho.cells import MultiLevel, OpenLoop

CELL = MultiLevel(g_min=10e-6, g_max=90e-6, levels=4, sigma=(2e-6,), device_spread=0.02)
LAYERS = {
    "linear": (lambda: nn.Linear(23, 6), (5, 23)),
    "conv": (lambda: nn.Conv2d(3, 4, 3), (5, 3, 8, 7)),
}
WAYS: dict[str, dict[str, Any]] = {
    "column": {"adc_range": "column"},
    "fixed": {"adc_range": 0.6, "dac_range": 5.0},
    "serial": {"serial_inputs": True},
    "analog": {"serial_inputs": True, "serial_sum": "analog"},
    "sliced": {"slices": 3},
    "all": {"adc_range": "column", "serial_inputs": True, "slices": 2, "copies": 2},
}


def hardware(cell: MultiLevel = CELL, **options: Any) -> Hardware:
    settings: dict[str, Any] = {"tile": (7, 24), "programming": OpenLoop()} | options
    return Hardware(device=cell, **settings)


def twin(which: str, hw: Hardware, chips: int | None = None, first_chip: int = 0) -> nn.Module:
    """In eval mode, in which ranges stand still."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        plain = LAYERS[which][0]()
    generator = torch.Generator().manual_seed(7)
    return mho.convert(plain, hw, chips, generator=generator, first_chip=first_chip).eval()


def inputs(which: str, generator: torch.Generator) -> Tensor:
    return torch.randn(LAYERS[which][1], generator=generator)


def exact(net: nn.Module, x: Tensor) -> Tensor:
    """What one chip's folded weight gives, without any converter."""
    layer = only_layer(net)
    weight = layer.effective[0].view_as(layer.weight)
    return F.linear(x, weight, layer.bias) if x.dim() == 2 else F.conv2d(x, weight, layer.bias)
