"""A network of two layers whose arrays have wires, and its exact weights."""

import torch
from torch import Tensor, nn

import mho
from mho.learning.layers.layer import memristive_layers

CELL = mho.cells.MultiLevel(
    g_min=5e-6, g_max=200e-6, levels=129, sigma=(2e-6,), stuck_off=0.01, stuck_on=0.01
)
WIRES = mho.circuits.Wires(row=3.0, col=5.0, source=40.0, sense=20.0)


def hardware(**changes: object) -> mho.Hardware:
    settings = {"device": CELL, "tile": (16, 24), "weight_levels": 17, "wire_resistance": WIRES}
    return mho.Hardware(**(settings | changes))


def mapped(kind: mho.Hardware, chips: int | None = None, seed: int = 0) -> nn.Module:
    model = nn.Sequential(nn.Linear(37, 20, bias=False), nn.ReLU(), nn.Linear(20, 5))
    generator = torch.Generator().manual_seed(seed)
    for p in model.parameters():
        p.data.normal_(generator=generator)
    return mho.convert(model, kind, chips, generator=generator)


def first(net: nn.Module) -> mho.nn.MemristiveLinear:
    return next(iter(memristive_layers(net).values()))  # type: ignore[return-value]


def exact(layer: mho.nn.MemristiveLinear, wires: mho.circuits.Wires = WIRES) -> Tensor:
    """The effective weight, array by array."""
    crossbar, tiling = layer.crossbar, layer.crossbar.tiling
    seen = torch.stack(
        [
            torch.stack(
                [
                    mho.circuits.effective_conductance(
                        g.double(), wires.row, wires.col, wires.source, wires.sense
                    )
                    for g in chip
                ]
            )
            for chip in crossbar.conductance
        ]
    )
    window = layer.hardware.device.window
    return tiling.join(tiling.mapping.fold(seen, tiling.cols, window)) * layer.scale


def off(layer: mho.nn.MemristiveLinear) -> float:
    """Error of the layer's weight against that of its cells and wires, as a share of it."""
    true = exact(layer)
    return ((layer.effective - true).norm() / true.norm()).item()


def move(net: nn.Module, share: float = 0.1, seed: int = 1) -> None:
    """Move a share of each layer's shadows far."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for layer in memristive_layers(net).values():
            some = torch.rand(layer.weight.shape, generator=generator) < share
            layer.weight[some] *= -1
