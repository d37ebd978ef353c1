"""What a write step will do to a layer: which weights get which level, and by which cells."""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Int, Int64
from torch import Tensor

from mho.kernels import native
from mho.kernels.write import plan_writes
from mho.learning.layers.layer import ArrayLayer
from mho.learning.layers.quantizer import level_index
from mho.learning.pen import Pen, Room


class Plan(NamedTuple):
    """The writes of one step in one layer."""

    weights: Int64[Tensor, " n"]
    """Flat positions of the weights to write."""
    to: Int64[Tensor, " n"]
    """Index of the level each of them gets."""
    cells: Int64[Tensor, " k"]
    """Flat positions of the cells to program."""
    levels: Int[Tensor, " k"]
    """Their new levels."""


def plan(layer: ArrayLayer, stale: tuple[Tensor, Tensor], rewrite: bool) -> Plan:
    """How to bring stale weights to their nearest level; those already there are left out.

    Args:
        layer: where the weights are.
        stale: flat positions (n,) and shadows (n,) of the weights.
        rewrite: program all own cells of a weight none of whose levels changes.
    """
    weights, shadow = stale
    if len(weights) == 0:
        return Plan(weights, weights, weights, weights)
    tiling, level, codes = layer.crossbar.tiling, layer.crossbar.level, layer.codes
    if native(shadow):
        room = Room.of(len(weights), codes.shape[1])
        planned = plan_writes(
            *(weights.numpy(), shadow.numpy(), layer.full_scale, codes.numpy()),
            *(tiling.places, level.numpy(), rewrite),
            *room,
        )
        return Plan(*room.taken(*planned))
    index = level_index(shadow, layer.full_scale, layer.hardware.levels)
    levels = codes[index]
    cells = tiling.cells(weights)[:, : levels.shape[1]]
    changed = levels != level.flatten()[cells]
    moved = changed.any(1)
    if rewrite:
        changed |= ~moved.unsqueeze(1)
    else:
        weights, index = weights[moved], index[moved]
    return Plan(weights, index, cells[changed], levels[changed])


def plan_apart(layer: ArrayLayer, pen: Pen | None, threshold: float, rewrite: bool) -> Plan:
    """`plan` of all weights that are more than `threshold` steps from their programmed level.

    Args:
        pen: the layer's own; None if kernels cannot work on it.

    Raises:
        ValueError: a shadow weight is not finite.
    """
    if pen is None:
        return plan(layer, layer.stale(threshold), rewrite)
    pen.plan(layer, threshold, rewrite)
    return Plan(*pen.planned())
