"""What a write step will do to a layer: which weights get which level, and by which cells."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Int, Int64
from torch import Tensor

from mho.kernels import native
from mho.kernels.write import plan_apart as plan_apart_compiled
from mho.kernels.write import plan_writes
from mho.learning.layer import ArrayLayer
from mho.learning.quantizer import level_index


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
    tiling, level, codes = layer.crossbar.tiling, layer.crossbar.level, layer.codes
    if native(shadow):
        n, own = len(weights), codes.shape[1]
        kept, index, cells = (np.empty(k, np.int64) for k in (n, n, n * own))
        wanted = np.empty(n * own, np.int16)
        m, k = plan_writes(
            *(weights.numpy(), shadow.numpy(), layer.full_scale, codes.numpy()),
            *(
                tiling.table(shadow.device).numpy(),
                level.numpy(),
                rewrite,
                kept,
                index,
                cells,
                wanted,
            ),
        )
        return _plan(kept[:m], index[:m], cells[:k], wanted[:k])
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


def plan_apart(layer: ArrayLayer, threshold: float, rewrite: bool) -> Plan:
    """`plan` of the layer's stale weights; see `ArrayLayer.stale`.

    Raises:
        ValueError: a shadow weight is not finite.
    """
    matrix, target = layer._matrix(), layer.target
    if not native(matrix, target):
        return plan(layer, layer.stale(threshold), rewrite)
    finite, *planned = plan_apart_compiled(
        *(matrix.numpy(), target.numpy(), layer.bound(threshold), layer.full_scale),
        *(layer.codes.numpy(), layer.crossbar.tiling.table(target.device).numpy()),
        *(layer.crossbar.level.numpy(), rewrite),
    )
    if not finite:
        layer.check_finite()
    return _plan(*planned)


def _plan(*arrays: np.ndarray) -> Plan:
    return Plan(*map(torch.from_numpy, arrays))
