"""Programming a set of cells to target levels: one pulse, or program-and-verify."""

from __future__ import annotations

from typing import Annotated, ClassVar, NamedTuple

import torch
from jaxtyping import Float, Int32, Shaped
from torch import Tensor

from mho.config import Config, Range
from mho.physics.cell import Cell, Traits
from mho.physics.noise import Noise


class Programmed(NamedTuple):
    """Outcome of a programming event, one value a cell."""

    conductance: Float[Tensor, "*n"]
    """Where the cell ended [S]."""
    pulses: Int32[Tensor, "*n"]
    """Programming pulses spent, int32; a scheme that verifies reads once after each."""


class OpenLoop(Config):
    """One pulse a cell, whatever comes of it."""

    family: ClassVar[str] = "open-loop"

    @property
    def most_pulses(self) -> int:
        """Most pulses that one event spends on a cell; a stuck cell takes them all."""
        return 1

    @property
    def verifies(self) -> bool:
        """No read follows a pulse."""
        return False

    def mean(self, cell: Cell, level: Shaped[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Expected conductance of cells programmed to `level` (...) [S]."""
        return cell.mean(level)

    def program(
        self, cell: Cell, level: Shaped[Tensor, "*#n"], traits: Traits, noise: Noise
    ) -> Programmed:
        """Program `level` (...) once; all results are (...)."""
        g = cell.draw(noise.normal(), level, traits, corrected=False)
        return Programmed(g, torch.ones_like(g, dtype=torch.int32))


class Verify(Config):
    """Program-and-verify: pulse, read, repeat until the read is within tolerance.

    The first attempt carries the device's offset; its read tells the controller, and further
    attempts are centred on the target. Attempts are independent, so their number is geometric and
    the accepted value is the attempt's distribution confined to the tolerance: both are drawn in
    closed form, without a loop. The verify read itself is taken as exact.
    """

    family: ClassVar[str] = "verify"

    tolerance: Annotated[float, Range(above=0.0, most=10.0)] = 0.5
    """Accepted distance from the target, in steps between levels [1]."""
    max_pulses: Annotated[int, Range(least=1, most=10_000)] = 20
    """Attempts after which the cell is left as it is [1]."""

    @property
    def most_pulses(self) -> int:
        """Most pulses that one event spends on a cell; a stuck cell takes them all."""
        return self.max_pulses

    @property
    def verifies(self) -> bool:
        """A read follows each pulse."""
        return True

    def mean(self, cell: Cell, level: Shaped[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Expected conductance of cells programmed to `level` (...) [S]: the verified target."""
        return cell.mean(level) if self.max_pulses == 1 else cell.nominal(level)

    def program(
        self, cell: Cell, level: Shaped[Tensor, "*#n"], traits: Traits, noise: Noise
    ) -> Programmed:
        """Program `level` (...) until verified; all results are (...)."""
        target = cell.nominal(level)
        first = cell.draw(noise.normal(), level, traits, corrected=False)
        pulses = torch.ones_like(first, dtype=torch.int32)
        if self.max_pulses > 1:
            missed = (first - target).abs_() > self.tolerance * cell.step
            again = missed.flatten().nonzero().squeeze(1)
            if again.numel() > 0:
                u, v = (noise.uniform().flatten()[again] for _ in range(2))
                level = level.expand(first.shape).flatten()[again]
                some = {name: value.flatten()[again] for name, value in traits.items()}
                last, further = self._again(cell, level, some, u, v)
                first.view(-1)[again] = last
                pulses.view(-1)[again] += further
        return Programmed(first, pulses)

    def _again(
        self,
        cell: Cell,
        level: Shaped[Tensor, " n"],
        traits: Traits,
        u: Float[Tensor, " n"],
        v: Float[Tensor, " n"],
    ) -> tuple[Float[Tensor, " n"], Int32[Tensor, " n"]]:
        """Where cells that missed once end [S], and how many further attempts they took."""
        ndtr, ndtri = torch.special.ndtr, torch.special.ndtri
        target, tolerance = cell.nominal(level), self.tolerance * cell.step
        low = ndtr(cell.score(target - tolerance, level, traits, corrected=True))
        high = ndtr(cell.score(target + tolerance, level, traits, corrected=True))
        accept = (high - low).clamp_(0.0, 1.0)
        # Geometric number of attempts; a hopeless cell gives inf, cut at the cap.
        further = u.log_().div_(torch.log1p(-accept.clamp(min=1e-30))).floor_().add_(1)
        given_up = further > self.max_pulses - 1
        # The final attempt's place in its distribution: inside [low, high], or outside of it.
        outside = v * (1 - accept)
        outside = outside + accept * (outside > low)
        place = torch.where(given_up, outside, low + v * accept)
        last = cell.draw(ndtri(place.clamp_(2.0**-25, 1 - 2.0**-24)), level, traits, corrected=True)
        return last, further.clamp_(max=float(self.max_pulses - 1)).to(torch.int32)


Programming = OpenLoop | Verify
