"""Programming a set of cells to target levels: open loop, or program-and-verify."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, ClassVar, NamedTuple

import torch
from jaxtyping import Bool, Float, Int32, Shaped
from torch import Tensor

from mho.config import Config, Range
from mho.physics.cell import Cell, Landing, LandingCell, Traits
from mho.physics.noise import Noise
from mho.physics.pulsed_cell import PulsedCell, Response


class Programmed(NamedTuple):
    """Outcome of a programming event, one value a cell."""

    conductance: Float[Tensor, "*n"]
    """Where the cell ended [S]."""
    pulses: Int32[Tensor, "*n"]
    """Programming pulses spent, SET and RESET together, int32."""
    reads: Int32[Tensor, "*n"]
    """Verify reads spent, int32."""


class Present(NamedTuple):
    """What cells hold when programming starts; cells that do not remember need none."""

    conductance: Float[Tensor, "*n"]
    """Where each cell stands [S]."""
    level: Shaped[Tensor, "*#n"]
    """Level that the controller believes it holds; 0 if it was never programmed."""


class Programming(Config, ABC):
    """One way to bring cells to their levels; leaves are final, all methods pure."""

    @abstractmethod
    def most_pulses(self, cell: Cell) -> int:
        """Most pulses that one event spends on a cell."""

    @property
    @abstractmethod
    def verifies(self) -> bool:
        """Whether a cell is read to see if it arrived."""

    def needs_present(self, cell: Cell) -> bool:
        """Whether `program` must be told what cells hold."""
        return cell.remembers

    @abstractmethod
    def mean(self, cell: Cell, level: Shaped[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Expected conductance of cells programmed to `level` (...) [S]."""

    @abstractmethod
    def program(
        self,
        cell: Cell,
        level: Shaped[Tensor, "*#n"],
        traits: Traits,
        noise: Noise,
        present: Present | None = None,
    ) -> Programmed:
        """Program `level` (...); all results are (...).

        `present` (...) is what they hold, where it `needs_present`; None: they were never
        programmed.
        """

    @abstractmethod
    def within(
        self, cell: Cell, level: Shaped[Tensor, "*#n"], done: Programmed, worn: Float[Tensor, "*n"]
    ) -> Programmed:
        """`done` (...) on cells whose window has closed: they stop at its edge; see `Cell.reach`.

        Args:
            cell: the cell that was programmed.
            level: (...) target.
            done: (...) what it would be on new cells.
            worn: (...) pulses over endurance.
        """

    def missed(
        self, cell: Cell, level: Shaped[Tensor, "*#n"], g: Float[Tensor, "*n"]
    ) -> Bool[Tensor, "*n"]:
        """Whether a cell at g (...) [S] is known to be off its `level` (...)."""
        return torch.zeros_like(g, dtype=torch.bool)

    @abstractmethod
    def stuck(self, cell: Cell, level: Shaped[Tensor, "*n"], done: Programmed) -> Programmed:
        """`done` (...) on cells that stay at `done.conductance`, whatever is spent on them.

        Args:
            cell: the cell that was programmed.
            level: (...) target, as float.
            done: (...) where they stay, and what would be spent on cells that move.
        """

    def landing(self, cell: Cell) -> Landing | None:
        """The numbers of an event, where it is a single attempt that lands so, on a cell of any
        wear; None: it is not."""
        return None


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
        """That of the cell."""
        return cell.mean(level)

    def landing(self, cell: Cell) -> Landing | None:
        """The cell's own, if its window stays what it is."""
        return None if cell.closes else cell.landing

    def within(
        self, cell: Cell, level: Shaped[Tensor, "*#n"], done: Programmed, worn: Float[Tensor, "*n"]
    ) -> Programmed:
        """Cut at the edge."""
        return done._replace(conductance=done.conductance.clamp(*cell.reach(worn)))

    def stuck(self, cell: Cell, level: Shaped[Tensor, "*n"], done: Programmed) -> Programmed:
        """The same: nobody looks."""
        return done

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
            present = present or _unformed(cell, z)
            believed, target = (cell.nominal(x).to(z) for x in (present.level, level))
            burst = cell.pulses_to(target, believed, self.assumes)
            g = cell.respond(z, present.conductance, burst, traits)
            pulses = burst.abs().expand_as(g).clone()
        return Programmed(g, pulses, torch.zeros_like(pulses))


class Verify(Programming):
    """Program-and-verify: pulse, read, repeat until the read is within tolerance.

    On a landing cell the first attempt carries the device's offset; its read tells the controller,
    and further attempts are centred on the target. Attempts are independent, so their number is
    geometric and the accepted value is the attempt's distribution confined to the tolerance: both
    are drawn in closed form, without a loop. A read follows each pulse.

    A cell that remembers is read first: an attempt is a read and, off target, the burst that the
    nominal curve asks for from there, at least one pulse. Where a burst overshot, that cell's
    bursts are halved from then on, so that a device of large steps comes to rest too. The burst of
    the last attempt is not read. The tolerance should not be below half of a step of one pulse.

    The verify read itself is taken as exact.
    """

    family: ClassVar[str] = "verify"

    tolerance: Annotated[float, Range(above=0.0, most=10.0)] = 0.5
    """Accepted distance from the target, in steps between levels [1]."""
    max_pulses: Annotated[int, Range(least=1, most=10_000)] = 20
    """Attempts after which the cell is left as it is [1]."""
    read_first: bool = False
    """Read a landing cell before its first pulse, and leave it alone if it is within tolerance."""

    def most_pulses(self, cell: Cell) -> int:
        """Those of all attempts."""
        return self.max_pulses * cell.burst

    @property
    def verifies(self) -> bool:
        """Reads tell whether to go on."""
        return True

    def needs_present(self, cell: Cell) -> bool:
        """Where cells remember, or are read first."""
        return cell.remembers or self.read_first

    def mean(self, cell: Cell, level: Shaped[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """The verified target; that of the cell where one attempt is all."""
        return cell.mean(level) if self.max_pulses == 1 else cell.nominal(level)

    def program(
        self,
        cell: Cell,
        level: Shaped[Tensor, "*#n"],
        traits: Traits,
        noise: Noise,
        present: Present | None = None,
    ) -> Programmed:
        """In closed form on landing cells, attempt by attempt on pulsed ones."""
        if isinstance(cell, LandingCell):
            done = self._landing(cell, level, traits, noise)
            if self.read_first and present is not None:
                return self._kept(cell, level, present, done)
            return done
        assert isinstance(cell, PulsedCell)
        return self._approach(cell, level, traits, noise, present)

    def missed(
        self, cell: Cell, level: Shaped[Tensor, "*#n"], g: Float[Tensor, "*n"]
    ) -> Bool[Tensor, "*n"]:
        """Beyond tolerance."""
        return (g - cell.nominal(level)).abs() > self.tolerance * cell.step

    def within(
        self, cell: Cell, level: Shaped[Tensor, "*#n"], done: Programmed, worn: Float[Tensor, "*n"]
    ) -> Programmed:
        """Cut at the edge; a target beyond tolerance of the edge takes all attempts."""
        low, high = cell.reach(worn)
        g = done.conductance.clamp(low, high)
        nominal = cell.nominal(level).to(g).expand(g.shape)
        edge = nominal.clamp(low, high)
        hopeless = (nominal - edge).abs() > self.tolerance * cell.step
        pulses, reads = self.on_stuck(cell, level.expand(g.shape), edge)
        return Programmed(
            torch.where(hopeless, edge, g),
            torch.where(hopeless, pulses, done.pulses),
            torch.where(hopeless, reads, done.reads),
        )

    def stuck(self, cell: Cell, level: Shaped[Tensor, "*n"], done: Programmed) -> Programmed:
        """All attempts, unless the first read finds them where they should be."""
        g = done.conductance
        return Programmed(g, *self.on_stuck(cell, level, g))

    def on_stuck(self, cell: Cell, level: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
        """Pulses and reads (n,) spent on cells that stay at g (n,) [S], whatever is tried."""
        near = (cell.nominal(level) - g).abs() <= self.tolerance * cell.step
        if isinstance(cell, LandingCell):
            least, each = 1 - int(self.read_first), 1
        else:
            assert isinstance(cell, PulsedCell)
            least, each = 0, cell.pulses_to(cell.nominal(level), g).abs().clamp(min=1)
        pulses = torch.where(near, least, self.max_pulses * each)
        reads = torch.where(near, 1, self.max_pulses + int(self.read_first))
        return pulses.to(torch.int32), reads.to(torch.int32)

    def _kept(
        self, cell: LandingCell, level: Shaped[Tensor, "*#n"], present: Present, done: Programmed
    ) -> Programmed:
        """`done`, but where the first read finds a cell within tolerance already."""
        near = (present.conductance - cell.nominal(level)).abs() <= self.tolerance * cell.step
        return Programmed(
            torch.where(near, present.conductance, done.conductance),
            done.pulses.masked_fill(near, 0),
            done.reads.masked_fill(near, 0) + 1,
        )

    def _landing(
        self, cell: LandingCell, level: Shaped[Tensor, "*#n"], traits: Traits, noise: Noise
    ) -> Programmed:
        """`program` in closed form."""
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
        return Programmed(first, pulses, pulses.clone())

    def _again(
        self,
        cell: LandingCell,
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

    def _approach(
        self,
        cell: PulsedCell,
        level: Shaped[Tensor, "*#n"],
        traits: Traits,
        noise: Noise,
        present: Present | None,
    ) -> Programmed:
        """`program` attempt by attempt, on the cells that are still off target."""
        z = noise.normal()
        shape = z.shape
        present = present or _unformed(cell, z)
        g = present.conductance.to(z).expand(shape).flatten()
        g = torch.where(g > 0, g, cell.window[0])  # never programmed: at the low end
        target = cell.nominal(level).to(z).expand(shape).flatten()
        traits = {name: value.expand(shape).flatten() for name, value in traits.items()}
        pulses, reads = (torch.zeros_like(g, dtype=torch.int32) for _ in range(2))
        share, before = torch.ones_like(g), torch.zeros_like(g)
        cells = torch.arange(g.numel(), device=g.device)
        for attempt in range(self.max_pulses):
            reads[cells] += 1
            error = target[cells] - g[cells]
            off = error.abs() > self.tolerance * cell.step
            cells, error = cells[off], error[off]
            if cells.numel() == 0:
                break
            z = noise.normal() if attempt > 0 else z
            share[cells] *= torch.where(error * before[cells] < 0, 0.5, 1.0)
            wanted = cell.pulses_to(target[cells], g[cells]).abs() * share[cells]
            n = wanted.round().clamp(min=1).to(torch.int32)
            some = {name: value[cells] for name, value in traits.items()}
            g[cells] = cell.respond(
                z.flatten()[cells], g[cells], torch.where(error > 0, n, -n), some
            )
            pulses[cells] += n
            before[cells] = error.sign()
        return Programmed(g.view(shape), pulses.view(shape), reads.view(shape))


def _unformed(cell: Cell, z: Float[Tensor, "*n"]) -> Present:
    """Cells that were never programmed, one for each number of z."""
    return Present(torch.full_like(z, cell.window[0]), torch.zeros_like(z))
