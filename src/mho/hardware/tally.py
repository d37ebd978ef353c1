"""Counting conversions, and those that saturate."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor


class Tally:
    """Counts what the converters of one layer convert.

    Attributes:
        conversions: values converted, of all ranges together; each range has an equal share.
        saturated (chips, *own): int64, those of each range that fell beyond its largest code, nan
            included; None: nothing did.
        squares (chips,): int64, squares of the codes that came out, summed; None: not asked for.

    Args:
        shape: of the converters' ranges, (chips, *own).
        squares: whether these are to be summed, for which every value is looked at in torch.
    """

    __slots__ = ("conversions", "saturated", "shape", "squares")

    def __init__(self, shape: tuple[int, ...], *, squares: bool = False) -> None:
        self.shape, self.conversions = shape, 0
        self.saturated: Tensor | None = None
        self.squares = torch.zeros(shape[0], dtype=torch.int64) if squares else None

    def add(self, beyond: Int64[Tensor, "*n"], chips: slice) -> None:
        """Count values (chips, *own) of some chips that saturated; they are conversions already."""
        if self.saturated is None:
            self.saturated = beyond.new_zeros(self.shape)
        self.saturated[chips] += beyond

    def add_squares(self, codes: Float[Tensor, "*n"], chips: slice) -> None:
        """Sum the squares of codes (chips, ...) of some chips; nan counts as 0."""
        if self.squares is not None:
            whole = codes.nan_to_num().reshape(len(self.squares[chips]), -1).long()
            self.squares[chips] += whole.square_().sum(1).cpu()

    def enter(self, other: Tally, chips: slice) -> None:
        """Add what was counted of some chips."""
        self.conversions += other.conversions
        if other.saturated is not None:
            self.add(other.saturated, chips)
        if self.squares is not None and other.squares is not None:
            self.squares[chips] += other.squares

    def share(self) -> float:
        """Share of the values that saturated, on the chip where most did; 0 if there were none."""
        if self.saturated is None or self.conversions == 0:
            return 0.0
        most = int(self.saturated.reshape(self.shape[0], -1).sum(1).max())  # by chip
        return most * self.shape[0] / self.conversions
