"""Programming without a look at the cell."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from mho.physics.cell import Cell, Landing, LandingCell, Traits
from mho.physics.noise import Noise
from mho.physics.programming import Present, Programmed, Programming, never_programmed
from mho.physics.pulsed_cell import PulsedCell, Response


class OpenLoop(Programming):
    """Programming without a look at the cell.

    A landing cell gets one pulse, whatever comes of it. A cell that remembers gets a blind burst:
    the pulses that would take it from the level it is believed to hold to its target.
    """

    family: ClassVar[str] = "open-loop"

    assumes: Response = "linear"
    """What the controller takes a pulse response for: even steps, or the nominal curve."""

    def most_pulses(self, cell: Cell) -> int:
        """Those of one attempt."""
        return cell.burst

    @property
    def verifies(self) -> bool:
        """No read follows a pulse."""
        return False

    def mean(self, cell: Cell, level: Shaped[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """That of the cell where it lands; else an average."""
        return super().mean(cell, level) if cell.remembers else cell.mean(level)

    def landing(self, cell: Cell) -> Landing | None:
        """The cell's own, if its window stays what it is."""
        return None if cell.closes else cell.landing

    def program(
        self,
        cell: Cell,
        level: Shaped[Tensor, "*#n"],
        traits: Traits,
        noise: Noise,
        present: Present | None = None,
    ) -> Programmed:
        """One pulse or one blind burst a cell."""
        z = noise.normal()
        if isinstance(cell, LandingCell):
            g = cell.draw(z, level, traits, corrected=False)
            pulses = torch.ones_like(g, dtype=torch.int32)
        else:
            assert isinstance(cell, PulsedCell)
            present = present or never_programmed(cell, z)
            believed, target = (cell.nominal(x).to(z) for x in (present.level, level))
            burst = cell.pulses_to(target, believed, self.assumes)
            g = cell.respond(z, present.conductance, burst, traits)
            pulses = burst.abs().expand_as(g).clone()
        return Programmed(g, pulses, torch.zeros_like(pulses))
