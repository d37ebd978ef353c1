"""Cells that end as those did whose spread was measured: the source's own writes, taken whole."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from mho.errors import invalid
from mho.physics.cell import Cell, Landing, LandingCell, SourceWrite, Traits
from mho.physics.noise import Noise
from mho.physics.programming import Present, Programmed, Programming, landed, of_level
from mho.physics.verify import Verify

_OFF = 5.0
"""Standard deviations beyond which a cell counts as off its level."""


class AsMeasured(Programming):
    """A write ends with the spread of the cell's numbers, for the pulses and reads that it took
    where they were measured: see `LandingCell.written`.

    Of cells whose spread was published after verifying, or after they had relaxed. How the source
    brought them there is not simulated: all cells take the same number of pulses, stuck ones too.
    """

    family: ClassVar[str] = "as-measured"

    def check(self, cell: Cell) -> None:
        """Refuse cells whose numbers are of single pulses."""
        _written(cell)

    def most_pulses(self, cell: Cell) -> int:
        """Those of a write."""
        return _written(cell).pulses

    @property
    def verifies(self) -> bool:
        """The source's reads are counted."""
        return True

    def mean(self, cell: Cell, level: Shaped[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """That of the cell."""
        return cell.mean(level)

    def landing(self, cell: Cell) -> Landing | None:
        """The cell's own, if its window stays what it is."""
        landing, written = None if cell.closes else cell.landing, _written(cell)
        return landing and landing._replace(spent=(written.pulses, written.verify_reads))

    def missed(
        self, cell: Cell, level: Shaped[Tensor, "*#n"], g: Float[Tensor, "*n"]
    ) -> Bool[Tensor, "*n"]:
        """Beyond what the spread explains, and half a step."""
        mean, spread = landed(self, cell)
        far = (_OFF * spread).clamp(min=0.5 * cell.step)
        return (g - of_level(mean, level)).abs() > of_level(far, level)

    def program(
        self,
        cell: Cell,
        level: Shaped[Tensor, "*#n"],
        traits: Traits,
        noise: Noise,
        present: Present | None = None,
    ) -> Programmed:
        """One draw of the measured spread a cell."""
        written = _written(cell)
        assert isinstance(cell, LandingCell)
        g = cell.draw(noise.normal(), level, traits, corrected=False)
        pulses = torch.full_like(g, written.pulses, dtype=torch.int32)
        return Programmed(g, pulses, torch.full_like(pulses, written.verify_reads))


def as_obtained(cell: Cell) -> Programming:
    """Programming under which cells show the spread that their numbers say."""
    return Verify() if cell.written is None else AsMeasured()


def spread_left(programming: Programming, cell: Cell) -> float:
    """Least share of the measured spread that a level has under another programming [1]; 1 where
    the numbers are of single pulses."""
    if cell.written is None:
        return 1.0
    measured, found = (landed(each, cell).spread for each in (AsMeasured(), programming))
    spreads = measured > 1e-6 * cell.step
    return min(1.0, (found[spreads] / measured[spreads]).min().item()) if spreads.any() else 1.0


def _written(cell: Cell) -> SourceWrite:
    """How the cell's numbers were obtained.

    Raises:
        ValueError: they are of single pulses.
    """
    if cell.written is not None:
        return cell.written
    allowed = "verify or open-loop on cells without `written`: their numbers are of single pulses"
    raise invalid("Hardware.programming", "as-measured", allowed)
