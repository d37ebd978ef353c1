"""Arrays with wires and their drivers, as Kirchhoff's laws for the voltages across the cells.

With x these voltages and i(x) the currents of the cells,

    F(x) = x - (V - B) + (P + Q) i(x) = 0

where V drives the word lines, B holds the bit lines, and P i and Q i are what the currents drop
along them (`line_drop`). No resistance stands below a fraction. Arrays come last, and turned so
that all lines begin at their open ends: (rows, cols, k), word lines driven behind their last cell.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mho.circuits.linear_circuit import LinearCircuit
from mho.circuits.lines import line_drop
from mho.physics.conduction import Conduction

AT_ONCE = {True: 2**17, False: 2**24}
"""Cells that are solved at once: on a CPU (True) what fits into its cache, elsewhere (False)."""


@dataclass(frozen=True)
class Circuit:
    """Arrays with wires, and the voltages of their drivers."""

    g: Float[Tensor, "rows cols k"]
    v: Float[Tensor, "rows k"]
    held: Float[Tensor, "cols k"]
    """Voltage at the held end of each bit line [V]."""
    row: Float[Tensor, "rows cols k"]
    col: Float[Tensor, "rows cols k"]
    conduction: Conduction
    both_ends: bool = False
    """Whether second drivers feed the rows' open ends, through a segment like the last."""

    def at(self, where: Bool[Tensor, " k"] | slice) -> Circuit:
        """Some of the arrays."""
        parts = {name: getattr(self, name)[..., where] for name in ("g", "v", "held", "row", "col")}
        return replace(self, **parts)

    def chunks(self) -> Iterator[slice]:
        """Arrays to be solved at once."""
        rows, cols, k = self.g.shape
        many = max(1, AT_ONCE[self.g.device.type == "cpu"] // (rows * cols))
        return (slice(at, at + many) for at in range(0, k, many))

    def word_drop(self, current: Float[Tensor, "rows cols k"]) -> Float[Tensor, "rows cols k"]:
        """P i: between the drivers and the word line at each cell [V]."""
        drop = line_drop(self.row, current, 1)
        if self.both_ends:
            to_driver = self.row.flip(1).cumsum(1).flip(1)
            drop = drop - to_driver * self.end_current(current)[:, None]
        return drop

    def end_current(self, current: Float[Tensor, "rows cols k"]) -> Float[Tensor, "rows k"]:
        """Out of the second driver of each row [A]."""
        if not self.both_ends:
            return torch.zeros_like(current[:, 0])
        drop = (self.row * current.cumsum(1)).sum(1)
        return drop / (self.row.sum(1) + self.row[:, -1])

    def bit_drop(self, current: Float[Tensor, "rows cols k"]) -> Float[Tensor, "rows cols k"]:
        """Q i: between the bit line at each cell and its held end [V]."""
        return line_drop(self.col, current, 0)

    def residual(self, x: Float[Tensor, "rows cols k"]) -> Float[Tensor, "rows cols k"]:
        """F(x) [V], which is 0 at the operating point."""
        current = self.conduction.current(x, self.g)
        across = self.v[:, None] - self.held
        return x - across + self.word_drop(current) + self.bit_drop(current)

    def span(self) -> Float[Tensor, " k"]:
        """Largest voltage that can be between two nodes: the ends of the lines bound all [V]."""
        ends = torch.cat((self.v, self.held))
        return ends.amax(0) - ends.amin(0)

    def linear(self, x: Float[Tensor, "rows cols k"]) -> LinearCircuit:
        """What the circuit is for small changes about x."""
        slope = self.conduction.slope(x, self.g)
        return LinearCircuit(self.row, self.col, slope, self.row[:, -1] if self.both_ends else None)
