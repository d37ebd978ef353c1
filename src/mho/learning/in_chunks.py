"""More chips than fit into memory: a few of them at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import torch
from torch import nn

from mho.arguments import checked
from mho.config import Range
from mho.hardware import Crossbar, Hardware, Tiling
from mho.hardware.memory import unused
from mho.hardware.streams import seed_of
from mho.learning.convert import MOST_CHIPS, Plan, planned
from mho.learning.hardware_by_layer import ByLayer

_SHARE = 0.25
"""Share of the unused memory that a chunk takes: the chunk before may be there still, and the rest
is for what layers pass on."""

_SAMPLE = 64, 16
"""Inputs and outputs of the arrays by which bytes a cell are found."""


@checked
def in_chunks(
    model: nn.Module,
    hardware: ByLayer,
    chips: Annotated[int, Range(least=1, most=MOST_CHIPS)],
    *,
    memory: Annotated[int, Range(least=1)] | None = None,
    most: Annotated[int, Range(least=1, most=MOST_CHIPS)] | None = None,
    generator: torch.Generator | None = None,
    first_chip: Annotated[int, Range(least=0)] = 0,
    strict: bool = False,
) -> Iterator[nn.Module]:
    """The networks of `convert(model, hardware, chips)`, on some of the chips at a time.

        accuracy = torch.cat([mho.evaluate(net, loader) for net in mho.in_chunks(model, hw, 1000)])

    Every chip is the one that it is among all, to the bit, and so are its weights, its noise and
    the ranges of its converters, however many chips are in a chunk. What a network shares between
    its chips, as the formats of `fixed_point`, is that of the chunk.

    Args:
        model, hardware, chips, generator, first_chip, strict: as of `convert`; the seed is drawn,
            and what cannot be is refused, before the first chunk is asked for.
        memory: bytes that a chunk takes at most, its cells included, which are there once they are
            written, aged or saved; at least one chip is in it. None: a quarter of what nothing
            uses, on the device of the model, when this is called.
        most: chips in a chunk at most; None: as many as fit.

    Returns:
        Networks on chips, with outputs (chips of the chunk, batch, ...); made one by one.

    Raises:
        ValueError: as `convert`.
    """
    plan = planned(model, hardware, strict)
    if memory is None:
        memory = int(_SHARE * unused(next(plan.model.parameters()).device))
    each = max(1, int(memory / bytes_of_a_chip(plan)))
    chosen = range(first_chip, first_chip + chips)
    return _made(plan, seed_of(generator), chosen, min(each, most or each))


def bytes_of_a_chip(plan: Plan) -> float:
    """What the weights of a chip take, and its cells once they are there; of a layer whose matrices
    are on several kinds of chips, as if all were on the largest."""
    of_layers = {
        layer: {kind for kind in (choice.hardware, *choice.parts.values()) if kind is not None}
        for layer, choice in plan.layers.chosen.items()
    }
    cells = {
        kind: kind.cells.cells_per_weight * _bytes_of_a_cell(kind)
        for kind in {kind for kinds in of_layers.values() for kind in kinds}
    }
    total = 0.0
    for layer, kinds in of_layers.items():
        weights = sum(p.numel() for p in layer.parameters())
        size, digits = next(layer.parameters()).element_size(), [k.cells.digits for k in kinds]
        each = max(1 + n if n > 1 else 1 for n in digits)  # each digit has one, to be read
        total += weights * (each * size + max(cells[kind] for kind in kinds))
        total += max(_bytes_of_converters(layer, kind) for kind in kinds)
    return total


def _bytes_of_converters(layer: nn.Module, hardware: Hardware) -> float:
    """Thresholds of the ADCs of a layer's matrices, where they have some of their own."""
    if hardware.adc_bits is None or not hardware.adc.numbers(hardware.adc_bits):
        return 0.0
    tables = 0
    for matrix in (p.flatten(1) for p in layer.parameters() if p.dim() > 1):
        tiling = Tiling(matrix.shape[1], matrix.shape[0], hardware.tile, hardware.cells)
        columns = tiling.cols * hardware.cells.digits
        each = 1 if hardware.adc.whole_array else -(-columns // (hardware.adc.share or 1))
        tables += each * (tiling.tiles if hardware.adc_per_tile else tiling.grid[1])
    return 4.0 * tables * (2**hardware.adc_bits - 2)


def _bytes_of_a_cell(hardware: Hardware) -> float:
    """All buffers of a few cells, divided by these."""
    tiling = Tiling(*_SAMPLE, hardware.tile, hardware.cells)
    crossbar = Crossbar(tiling, hardware, range(1), 0)
    return sum(buffer.nbytes for buffer in crossbar.buffers()) / crossbar.level.numel()


def _made(plan: Plan, seed: int, chips: range, each: int) -> Iterator[nn.Module]:
    for first in range(chips.start, chips.stop, each):
        net = plan.on_chips(seed, first, min(each, chips.stop - first))
        if first == chips.start:
            plan.warn(net)
        yield net
        del net  # before the next one is made
