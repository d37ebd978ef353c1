"""The wires of an array, as numbers."""

from __future__ import annotations

from typing import Annotated

from mho.config import Config, Range

Ohms = Annotated[float, Range(least=0.0)]


class Wires(Config):
    """Resistances of an array's lines; all 0: no wires.

    Word lines carry inputs from the left, bit lines end in amplifiers below; see
    `effective_conductance`.
    """

    row: Ohms = 0.0
    """Word line from a cell to its neighbour, or to the end of the line [ohm]."""
    col: Ohms = 0.0
    """Bit line from a cell to its neighbour, or to the amplifier [ohm]."""
    source: Ohms = 0.0
    """Output resistance of a row's driver [ohm]."""
    sense: Ohms = 0.0
    """Input resistance of a column's amplifier [ohm]."""
    both_ends: bool = False
    """Whether a second driver, through as much wire again, feeds each row at its right end."""

    def __bool__(self) -> bool:
        return max(self.row, self.col, self.source, self.sense) > 0.0
