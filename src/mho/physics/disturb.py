"""What reading a cell, or programming its neighbours, does to it."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from mho.config import Config, Range

Share = Annotated[float, Range(least=0.0, most=1.0)]


class Disturb(Config):
    """Read disturb and half-select disturb: each event moves a cell a share of its way to a bound.

    With `u = (g - g_min) / (g_max - g_min)`, up events of summed share a and down events of summed
    share b, in any order, move `u -> u* + (u - u*) exp(-a - b)` with `u* = a / (a + b)`: soft
    bounds, the limit of small shares. The form is our choice: sources give traces, not a law.

    A read drives its cell as a weak SET or RESET pulse, all cells at once, whether the rows are
    driven (a forward pass) or the columns (a backward pass through the arrays). A programming pulse
    half-selects the cells of its row and of its column: SET pulses raise them, RESET pulses lower
    them. That is the case of passive arrays under a V / 2 scheme; where a transistor isolates the
    cells, `half_select` is 0. Only what comes after a cell's own last pulse counts; of the pulses
    of one programming event, half come after.
    """

    read: Share = 0.0
    """Share of the way to the bound in one read [1]."""
    read_towards: Literal["g_max", "g_min"] = "g_max"
    """Bound that reads drive towards."""
    half_select: Share = 0.0
    """Share of the way to the bound in one pulse on another cell of the row or column [1]."""

    def after(
        self,
        g: Float[Tensor, "*#n"],
        window: tuple[float, float],
        reads: Float[Tensor, "*#n"],
        half_sets: Float[Tensor, "*#n"],
        half_resets: Float[Tensor, "*#n"],
    ) -> Float[Tensor, "*#n"]:
        """Conductance [S] after counted events (...), of cells that held g [S]."""
        low, high = window
        up, down = self.half_select * half_sets, self.half_select * half_resets
        read = self.read * reads
        up, down = (up + read, down) if self.read_towards == "g_max" else (up, down + read)
        moved = -torch.expm1(-(up + down))
        goal = low + (high - low) * up / (up + down).clamp(min=1e-300)
        return g + moved.to(g.dtype) * (goal.to(g.dtype) - g)
