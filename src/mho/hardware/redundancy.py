"""Redundancy: a weight held several times on a chip, so that device spread averages out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mho.hardware.groups import Groups
from mho.hardware.mapping import Mapping


class Copies(Groups):
    """k groups of another mapping's cells, all at the same levels, their currents averaged.

    `w = (w_1 + ... + w_k) / k`: independent errors of the cells fall by sqrt(k) and the area grows
    by k.

    Args:
        base: how one copy sits on cells.
        copies: k, at least 1.
    """

    def __init__(self, base: Mapping, copies: int) -> None:
        super().__init__(base, copies)
        self.read_variance = base.read_variance / copies

    def weight_levels(self, states: int) -> int:
        """As many as one copy has: all are programmed alike."""
        return self.base.weight_levels(states)

    def levels(
        self, index: Int[Tensor, "*lead rows cols"], weight_levels: int, states: int
    ) -> Int[Tensor, "*lead rows width"]:
        """One copy's levels, copy after copy."""
        return torch.cat([self.base.levels(index, weight_levels, states)] * self.groups, dim=-1)

    def own(
        self, index: Int[Tensor, "*n"], weight_levels: int, states: int
    ) -> Int[Tensor, "*n {self.cells_per_weight}"]:
        """One copy's levels, copy after copy."""
        return torch.cat([self.base.own(index, weight_levels, states)] * self.groups, dim=-1)

    def joined(self, groups: Sequence[Float[Tensor, "*n"]]) -> Float[Tensor, "*n"]:
        """Mean of the copies."""
        return reduce(torch.add, groups) / len(groups)
