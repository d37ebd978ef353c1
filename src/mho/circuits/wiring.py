"""The wires of an array, as numbers."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from mho.arguments import checked
from mho.circuits.gated import gated_conductance
from mho.circuits.wires import effective_conductance
from mho.config import Config
from mho.errors import invalid
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
    """Output resistance of a row's driver, or of that of a source line [ohm]."""
    sense: LineOhms = 0.0
    """Input resistance of a column's amplifier [ohm]."""
    both_ends: bool = False
    """Whether a second driver, through as much wire again, feeds each row at its right end."""
    paired: bool = False
    """Whether rows lie in pairs, the first and the second and so on, whose cells meet each bit line
    at one point: no wire lies between them. `Hardware.interleaved` sees to it."""

    source_line: LineOhms | None = None
    """Of arrays whose word lines drive the gates of select transistors and carry no current: source
    line, beside each bit line, from a cell to its neighbour, or to its driver above [ohm]; None:
    word lines carry the current. See `gated_current`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("row", "both_ends", "paired"):
            value = getattr(self, name)
            if self.gated and value:
                allowed = f"{0.0 if name == 'row' else False} with source_line: word lines then "
                raise invalid(f"Wires.{name}", value, allowed + "carry no current")

    def __bool__(self) -> bool:
        each = (self.row, self.col, self.source, self.sense, self.source_line or 0.0)
        return max(each) > 0.0

    @property
    def gated(self) -> bool:
        """Whether word lines drive gates, and currents come from source lines."""
        return self.source_line is not None

    @checked
    def below(self, rows: int) -> list[float]:
        """Resistance of the bit line below each of so many rows [ohm]; the last one leads to the
        amplifier."""
        joined = [self.paired and row % 2 == 0 and row + 1 < rows for row in range(rows)]
        return [0.0 if pair else self.col for pair in joined]

    @checked
    def arguments(self, rows: int) -> dict[str, Any]:
        """As `effective_conductance` and `operating_point` take them, of arrays of so many rows.

        Raises:
            ValueError: word lines drive gates.
        """
        if self.gated:
            allowed = "None: operating points are of arrays whose word lines carry the current"
            raise invalid("Wires.source_line", self.source_line, allowed)
        col = torch.tensor(self.below(rows), dtype=torch.float64).view(-1, 1)
        ohms = {"r_row": self.row, "r_col": col if self.paired else self.col}
        ends = {"r_source": self.source, "r_sense": self.sense}
        return ohms | ends | {"both_ends": self.both_ends}

    @checked
    def seen(self, g: Float[Tensor, "*lead rows cols"]) -> Float[Tensor, "*lead rows cols"]:
        """Conductance [S] that cells g [S] show at the lines' ends, of source lines with all rows
        on; a few arrays at a time."""
        if not self or g.numel() == 0:
            return g
        arrays = g.reshape(-1, *g.shape[-2:])
        together = max(1, AT_ONCE // arrays[0].numel())
        return torch.cat([self._solved(some) for some in arrays.split(together)]).view_as(g)

    def _solved(self, g: Tensor) -> Tensor:
        rows = g.shape[-2]
        if self.source_line is None:
            return effective_conductance(g, **self.arguments(rows))
        on = torch.ones(rows, dtype=torch.bool, device=g.device)
        return gated_conductance(g, on, self.source_line, self.col, self.source, self.sense)
