"""Mappings made of several groups of cells side by side, each laid out by the same mapping."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mho.hardware.mapping import Mapping


class Groups(Mapping):
    """k groups of another mapping's cells; a leaf says what each holds and how they join.

    Group i takes the cell columns `i * base.width(cols)` and on, references of its own included.

    Args:
        base: how one group sits on cells.
        groups: k, at least 1.
    """

    def __init__(self, base: Mapping, groups: int) -> None:
        self.base, self.groups = base, groups
        self.cells_per_weight = groups * base.cells_per_weight
        self.reach = base.reach
        if base.flip is not None:
            starts = range(0, self.cells_per_weight, base.cells_per_weight)
            self.flip = tuple(start + cell for start in starts for cell in base.flip)

    @abstractmethod
    def joined(self, groups: Sequence[Float[Tensor, "*n"]]) -> Float[Tensor, "*n"]:
        """Signed conductance of a weight of those of its groups.

        Added in order: dense and sparse folding agree to the last bit.
        """

    def width(self, cols: int) -> int:
        """The groups' cells together."""
        return self.groups * self.base.width(cols)

    def capacity(self, cells: int) -> int:
        """What one group holds when the groups share the cells evenly."""
        return self.base.capacity(cells // self.groups)

    def columns(self, col: Int[Tensor, "*n"], cols: int) -> Int[Tensor, "*n terms"]:
        """The own cells of all groups, group after group, then their references likewise."""
        start = torch.arange(self.groups, dtype=col.dtype, device=col.device).unsqueeze(-1)
        each = self.base.columns(col, cols).unsqueeze(-2) + start * self.base.width(cols)
        own = self.base.cells_per_weight
        return torch.cat((each[..., :own].flatten(-2), each[..., own:].flatten(-2)), dim=-1)

    def combine(
        self, g: Float[Tensor, "*n terms"], window: tuple[float, float]
    ) -> Float[Tensor, "*n"]:
        """The groups' signed conductances, joined."""
        return self.joined(self.each(g, window))

    def each(
        self, g: Float[Tensor, "*n terms"], window: tuple[float, float]
    ) -> list[Float[Tensor, "*n"]]:
        """Signed conductance [S] of each group, of cells named by `columns`."""
        own = self.base.cells_per_weight
        shapes = ((self.groups, own), (self.groups, g.shape[-1] // self.groups - own))
        parts = g.tensor_split((self.cells_per_weight,), dim=-1)
        cells = torch.cat([p.unflatten(-1, s) for p, s in zip(parts, shapes, strict=True)], dim=-1)
        return [self.base.combine(group, window) for group in cells.unbind(-2)]

    def fold(
        self,
        g: Float[Tensor, "*lead rows {self.width(cols)}"],
        cols: int,
        window: tuple[float, float],
    ) -> Float[Tensor, "*lead rows {cols}"]:
        """The groups' signed conductances, joined."""
        return self.joined(
            [self.base.fold(group, cols, window) for group in g.chunk(self.groups, -1)]
        )
