"""Redundancy: a weight held several times on a chip, so that device spread averages out."""

from __future__ import annotations

from functools import reduce

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mho.hardware.mapping import Mapping


class Copies(Mapping):
    """k blocks of another mapping side by side, all at the same levels, their currents averaged.

    `w = (w_1 + ... + w_k) / k`: independent errors of the cells fall by sqrt(k) and the area grows
    by k. Block i takes the cell columns `i * base.width(cols)` and on, references of its own
    included.

    Args:
        base: how one copy sits on cells.
        copies: k, at least 1.
    """

    def __init__(self, base: Mapping, copies: int) -> None:
        self.base, self.copies = base, copies
        self.cells_per_weight = copies * base.cells_per_weight
        self.reach = base.reach
        self.read_variance = base.read_variance / copies
        if base.flip is not None:
            starts = range(0, self.cells_per_weight, base.cells_per_weight)
            self.flip = tuple(start + cell for start in starts for cell in base.flip)

    def width(self, cols: int) -> int:
        """The blocks' cells together."""
        return self.copies * self.base.width(cols)

    def capacity(self, cells: int) -> int:
        """What one block holds when the blocks share the cells evenly."""
        return self.base.capacity(cells // self.copies)

    def weight_levels(self, states: int) -> int:
        """As many as one copy has: all are programmed alike."""
        return self.base.weight_levels(states)

    def levels(
        self, index: Int[Tensor, "*lead rows cols"], weight_levels: int, states: int
    ) -> Int[Tensor, "*lead rows width"]:
        """One block's levels, block after block."""
        return torch.cat([self.base.levels(index, weight_levels, states)] * self.copies, dim=-1)

    def own(
        self, index: Int[Tensor, "*n"], weight_levels: int, states: int
    ) -> Int[Tensor, "*n {self.cells_per_weight}"]:
        """One copy's levels, copy after copy."""
        return torch.cat([self.base.own(index, weight_levels, states)] * self.copies, dim=-1)

    def columns(self, col: Int[Tensor, "*n"], cols: int) -> Int[Tensor, "*n terms"]:
        """The own cells of all copies, copy after copy, then their references likewise."""
        start = torch.arange(self.copies, dtype=col.dtype, device=col.device).unsqueeze(-1)
        each = self.base.columns(col, cols).unsqueeze(-2) + start * self.base.width(cols)
        own = self.base.cells_per_weight
        return torch.cat((each[..., :own].flatten(-2), each[..., own:].flatten(-2)), dim=-1)

    def combine(
        self, g: Float[Tensor, "*n terms"], window: tuple[float, float]
    ) -> Float[Tensor, "*n"]:
        """Mean of the copies' signed conductances."""
        own = self.base.cells_per_weight
        shapes = ((self.copies, own), (self.copies, g.shape[-1] // self.copies - own))
        parts = g.tensor_split((self.cells_per_weight,), dim=-1)
        each = torch.cat([p.unflatten(-1, s) for p, s in zip(parts, shapes, strict=True)], dim=-1)
        return _mean([self.base.combine(copy, window) for copy in each.unbind(-2)])

    def fold(
        self,
        g: Float[Tensor, "*lead rows {self.width(cols)}"],
        cols: int,
        window: tuple[float, float],
    ) -> Float[Tensor, "*lead rows {cols}"]:
        """Mean of the blocks' signed conductances."""
        return _mean([self.base.fold(block, cols, window) for block in g.chunk(self.copies, -1)])


def _mean(parts: list[Float[Tensor, "*n"]]) -> Float[Tensor, "*n"]:
    """Mean of the copies, added in order: dense and sparse folding agree to the last bit."""
    return reduce(torch.add, parts) / len(parts)
