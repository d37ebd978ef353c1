"""Bit slicing: the digits of a weight's level on cells of few levels."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import torch
from jaxtyping import Float, Int
from torch import Tensor

from mho.errors import invalid
from mho.hardware.groups import Groups
from mho.hardware.mapping import Mapping


class Sliced(Groups):
    """k groups of another mapping's cells, each holding one digit of the weight in base L.

        w = (w_0 + L w_1 + ... + L^(k-1) w_(k-1)) (L - 1) / (L^k - 1)

    L is the number of cell levels, the least digit comes first. A mapping with both signs holds
    sign and magnitude: all digits take the sign of the weight. Otherwise index k is written as its
    digits. The columns of each slice are converted on their own, and what they give is added
    digitally (Shafiee et al. 2016, 10.1109/ISCA.2016.12).

    Args:
        base: how one digit sits on cells.
        slices: k, at least 1.
        radix: L, at least 2.
    """

    def __init__(self, base: Mapping, slices: int, radix: int) -> None:
        super().__init__(base, slices)
        self.radix = radix
        places = [radix**digit for digit in range(slices)]
        self.factors = tuple(place / sum(places) for place in places)
        self.read_variance = base.read_variance * sum(f * f for f in self.factors)

    @property
    def _signed(self) -> bool:
        """Whether a digit has a sign."""
        return self.base.weight_levels(self.radix) > self.radix

    def weight_levels(self, states: int) -> int:
        """L^k, or 2 L^k - 1 with both signs."""
        if states != self.radix:
            raise invalid("cell levels of a sliced weight", states, f"the radix, {self.radix}")
        magnitudes = self.radix**self.groups
        return 2 * magnitudes - 1 if self._signed else magnitudes

    def levels(
        self, index: Int[Tensor, "*lead rows cols"], weight_levels: int, states: int
    ) -> Int[Tensor, "*lead rows width"]:
        """The levels of one digit, slice after slice."""
        most = self.base.weight_levels(states)
        digits = self._digits(index, weight_levels)
        return torch.cat([self.base.levels(digit, most, states) for digit in digits], dim=-1)

    def own(
        self, index: Int[Tensor, "*n"], weight_levels: int, states: int
    ) -> Int[Tensor, "*n {self.cells_per_weight}"]:
        """The levels of one digit, slice after slice."""
        most = self.base.weight_levels(states)
        digits = self._digits(index, weight_levels)
        return torch.cat([self.base.own(digit, most, states) for digit in digits], dim=-1)

    def _digits(self, index: Int[Tensor, "*n"], weight_levels: int) -> list[Int[Tensor, "*n"]]:
        """Weight index of each slice, in the base mapping, the least digit first."""
        most = self.weight_levels(self.radix)
        value = index * (most - 1) // (weight_levels - 1)
        if not self._signed:
            return [value // self.radix**k % self.radix for k in range(self.groups)]
        value = value - (most - 1) // 2
        size, sign = value.abs(), value.sign()
        digits = (size // self.radix**k % self.radix for k in range(self.groups))
        return [digit * sign + (self.radix - 1) for digit in digits]

    def parts(
        self,
        g: Float[Tensor, "*lead rows {self.width(cols)}"],
        cols: int,
        window: tuple[float, float],
    ) -> list[Float[Tensor, "*lead rows {cols}"]]:
        """Each slice's signed conductance."""
        return [self.base.fold(group, cols, window) for group in g.chunk(self.groups, -1)]

    def combine_parts(
        self, g: Float[Tensor, "*n terms"], window: tuple[float, float]
    ) -> list[Float[Tensor, "*n"]]:
        """Each slice's signed conductance."""
        return self.each(g, window)

    def joined(self, groups: Sequence[Float[Tensor, "*n"]]) -> Float[Tensor, "*n"]:
        """Sum with the digits' place values."""
        return reduce(torch.add, (g * f for g, f in zip(groups, self.factors, strict=True)))
