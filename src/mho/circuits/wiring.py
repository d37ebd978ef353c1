"""The wires of an array, as numbers."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from mho.arguments import checked
from mho.circuits.wires import effective_conductance
from mho.config import Config
from mho.quantities import LineOhms

AT_ONCE = 1 << 19
"""Cells whose wires are solved at once; a solution takes a few hundred bytes for each."""


class Wires(Config):
    """Resistances of an array's lines; all 0: no wires.

    Word lines carry inputs from the left, bit lines end in amplifiers below; see
    `effective_conductance`.
    """

    row: LineOhms = 0.0
    """Word line from a cell to its neighbour, or to the end of the line [ohm]."""
    col: LineOhms = 0.0
    """Bit line from a cell to its neighbour, or to the amplifier [ohm]."""
    source: LineOhms = 0.0
    """Output resistance of a row's driver [ohm]."""
    sense: LineOhms = 0.0
    """Input resistance of a column's amplifier [ohm]."""
    both_ends: bool = False
    """Whether a second driver, through as much wire again, feeds each row at its right end."""
    paired: bool = False
    """Whether rows lie in pairs, the first and the second and so on, whose cells meet each bit line
    at one point: no wire lies between them. `Hardware.interleaved` sees to it."""

    def __bool__(self) -> bool:
        return max(self.row, self.col, self.source, self.sense) > 0.0

    @checked
    def below(self, rows: int) -> list[float]:
        """Resistance of the bit line below each of so many rows [ohm]; the last one leads to the
        amplifier."""
        joined = [self.paired and row % 2 == 0 and row + 1 < rows for row in range(rows)]
        return [0.0 if pair else self.col for pair in joined]

    @checked
    def arguments(self, rows: int) -> dict[str, Any]:
        """As `effective_conductance` and `operating_point` take them, of arrays of so many rows."""
        col = torch.tensor(self.below(rows), dtype=torch.float64).view(-1, 1)
        ohms = {"r_row": self.row, "r_col": col if self.paired else self.col}
        ends = {"r_source": self.source, "r_sense": self.sense}
        return ohms | ends | {"both_ends": self.both_ends}

    @checked
    def seen(self, g: Float[Tensor, "*lead rows cols"]) -> Float[Tensor, "*lead rows cols"]:
        """Conductance [S] that cells g [S] show at the lines' ends; a few arrays at a time."""
        if not self or g.numel() == 0:
            return g
        arrays = g.reshape(-1, *g.shape[-2:])
        together = max(1, AT_ONCE // arrays[0].numel())
        solved = [
            effective_conductance(some, **self.arguments(g.shape[-2]))
            for some in arrays.split(together)
        ]
        return torch.cat(solved).view_as(g)
