"""Memory that a run needs at the least; what does not fit is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import nn

import mho
from mho.errors import invalid
from mho.experiments.processes import started
from mho.hardware import Tiling
from mho.hardware.memory import available

PER_WEIGHT = 12
"""Bytes of a weight: itself, its gradient, what its optimizer keeps."""
PER_CELL = 12
"""Bytes of a simulated cell that is written: its conductance and its counts."""
PER_EFFECTIVE = 4
"""Bytes of a weight as a chip realizes it."""
PER_OUTPUT = 8
"""Bytes of a number that a layer passes on: itself and its gradient."""


def needed(
    make: Callable[[], nn.Module],
    hardware: mho.Hardware | Callable[[str, nn.Module], mho.Hardware | None],
    chips: int,
    images: int,
    shape: tuple[int, ...],
    *,
    written: bool = True,
) -> int:
    """Bytes that a network takes at the least.

    Args:
        make: makes the network; it is made without its numbers.
        hardware: the chips that its layers are on, or those of each, as for `mho.convert`.
        chips: chips that are simulated at once.
        images: samples that all of them together take at once.
        shape: of a sample.
        written: whether cells are written after conversion, as in training: what each holds is
            kept then.
    """
    total = 0

    def passed_on(_layer: nn.Module, _inputs: object, output: object) -> None:
        nonlocal total
        if isinstance(output, torch.Tensor):
            total += PER_OUTPUT * images * output.numel()

    with torch.device("meta"), torch.no_grad():
        net = make().eval()
        layers = {name: each for name, each in net.named_modules() if not [*each.children()]}
        for layer in layers.values():
            layer.register_forward_hook(passed_on)
        net(torch.empty(1, *shape))
    for name, layer in layers.items():
        total += PER_WEIGHT * sum(p.numel() for p in layer.parameters())
        kind = hardware if isinstance(hardware, mho.Hardware) else hardware(name, layer)
        if not isinstance(layer, nn.Linear | nn.Conv2d) or kind is None:
            continue
        rows, cols = layer.weight[0].numel(), len(layer.weight)
        tiling = Tiling(rows, cols, kind.tile, kind.cells)
        tiles, height, width = tiling.shape
        cells = tiles * height * width if written else 0
        total += chips * (PER_CELL * cells + PER_EFFECTIVE * rows * cols)
    return total


def check_memory(needs: Mapping[str, int], device: torch.device) -> None:
    """Refuse what does not fit.

    Args:
        needs: bytes that each training takes, by its name.
        device: where it is to be.

    Raises:
        ValueError: one needs more memory than there is; the message has both numbers.
    """
    there = available(device)
    if device.type == "cpu":  # shared with the other processes of the run
        there //= started().on_machine
    what, bytes_needed = max(needs.items(), key=lambda item: item[1])
    if bytes_needed > there:
        allowed = (
            f"at most {there / 1e9:.3g} GB, the memory of {device}: smaller layers, batches or "
            "arrays, or fewer chips"
        )
        raise invalid(f"memory of {what}", f"{bytes_needed / 1e9:.3g} GB or more", allowed)
