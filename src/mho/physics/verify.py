"""Program-and-verify: in closed form on cells that land, attempt by attempt on pulsed ones."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int32, Shaped
from torch import Tensor

from mho.config import Range
from mho.kernels import attempts, native
from mho.physics.cell import LEAST_SPREAD, Cell, Landing, LandingCell, Traits
from mho.physics.noise import Noise
from mho.physics.programming import Present, Programmed, Programming, never_programmed
from mho.physics.pulsed_cell import PulsedCell

_NO_OFFSET = np.empty((0, 0), np.float32)


@lru_cache(maxsize=64)
def _simple(cell: LandingCell) -> Landing | None:
    """The numbers of an attempt, where one is that simple."""
    return cell.landing


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

    A cell that no attempt brings to its target, of this event and of those before, is given up: it
    is entered in the controller's fault map (`mho.hardware.fault_map`) and left alone from then
    on, neither read nor pulsed, whatever its weight is to be. A stuck cell would else take all
    attempts at every event.
    """

    family: ClassVar[str] = "verify"

    tolerance: Annotated[float, Range(least=1e-3, most=10.0)] = 0.5
    """Accepted distance from the target, in steps between levels [1]."""
    max_pulses: Annotated[int, Range(least=1, most=10_000)] = 20
    """Attempts after which the cell is left as it is [1]."""
    read_first: bool = False
    """Read a landing cell before its first pulse, and leave it alone if it is within tolerance."""
    give_up_after: Annotated[int, Range(least=0, most=30_000)] = 60
    """Attempts in a row without success, over whole events, after which a cell is given up for good
    [1]; 0: never."""

    def most_pulses(self, cell: Cell) -> int:
        """Those of all attempts."""
        return self.max_pulses * cell.burst

    @property
    def verifies(self) -> bool:
        """Reads tell whether to go on."""
        return True

    @property
    def failures(self) -> int:
        """Events that `give_up_after` attempts make."""
        return -(-self.give_up_after // self.max_pulses)

    def failed(
        self, cell: Cell, level: Shaped[Tensor, "*#n"], done: Programmed
    ) -> Bool[Tensor, "*n"]:
        """No attempt is left, and it is beyond tolerance."""
        spent = done.reads >= self.max_pulses
        if spent.any():
            spent &= self.missed(cell, level, done.conductance)
        return spent

    def needs_present(self, cell: Cell) -> bool:
        """Where cells remember, or are read first."""
        return cell.remembers or self.read_first

    def mean(self, cell: Cell, level: Shaped[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """That of the cell where it lands in a single attempt; else an average."""
        if self.max_pulses == 1 and not self.needs_present(cell):
            return cell.mean(level)
        return super().mean(cell, level)

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
        low, high = cell.limits(worn)
        g = done.conductance.clamp(low, high)
        nominal = cell.nominal(level).to(g).expand(g.shape)
        edge = nominal.clamp(low, high)
        hopeless = (nominal - edge).abs() > self.tolerance * cell.step
        stuck = self.stuck(cell, level.expand(g.shape), done._replace(conductance=edge))
        pairs = zip(stuck, done._replace(conductance=g), strict=True)
        return Programmed(*(torch.where(hopeless, there, free) for there, free in pairs))

    def stuck(self, cell: Cell, level: Shaped[Tensor, "*n"], done: Programmed) -> Programmed:
        """All attempts, unless the first read finds them where they should be."""
        g = done.conductance
        near = ~self.missed(cell, level, g)
        if isinstance(cell, LandingCell):
            least, each = 1 - int(self.read_first), 1
        else:
            assert isinstance(cell, PulsedCell)
            least, each = 0, cell.pulses_to(cell.nominal(level), g).abs().clamp(min=1)
        pulses = torch.where(near, least, self.max_pulses * each)
        reads = torch.where(near, 1, self.max_pulses + int(self.read_first))
        return Programmed(g, pulses.to(torch.int32), reads.to(torch.int32))

    def _kept(
        self, cell: LandingCell, level: Shaped[Tensor, "*#n"], present: Present, done: Programmed
    ) -> Programmed:
        """`done`, but where the first read finds a cell within tolerance already."""
        near = ~self.missed(cell, level, present.conductance)
        return Programmed(
            torch.where(near, present.conductance, done.conductance),
            done.pulses.masked_fill(near, 0),
            done.reads.masked_fill(near, 0) + 1,
        )

    def _landing(
        self, cell: LandingCell, level: Shaped[Tensor, "*#n"], traits: Traits, noise: Noise
    ) -> Programmed:
        """`program` in closed form."""
        z, simple = noise.normal(), _simple(cell)
        if simple is not None and level.dim() == 1 and z.dim() == 2 and native(z, *traits.values()):
            return self._compiled(simple, cell.step, level, traits, z, noise)
        first = cell.draw(z, level, traits, corrected=False)
        pulses = torch.ones_like(first, dtype=torch.int32)
        if self.max_pulses > 1:
            missed = self.missed(cell, level, first)
            again = missed.flatten().nonzero().squeeze(1)
            if again.numel() > 0:
                u, v = (noise.uniform().flatten()[again] for _ in range(2))
                level = level.expand(first.shape).flatten()[again]
                some = {name: value.flatten()[again] for name, value in traits.items()}
                last, further = self._again(cell, level, some, u, v)
                first.view(-1)[again] = last
                pulses.view(-1)[again] += further
        return Programmed(first, pulses, pulses.clone())

    def _compiled(
        self,
        landing: Landing,
        step: float,
        level: Shaped[Tensor, " n"],
        traits: Traits,
        z: Float[Tensor, "chips n"],
        noise: Noise,
    ) -> Programmed:
        """`_landing` on a CPU, by kernels around what torch alone computes to the same bits."""
        line, spread, _ = landing
        levels, landed = level.to(torch.float32).contiguous().numpy(), z.numpy()
        offset = traits["offset"].numpy() if "offset" in traits else _NO_OFFSET
        tolerance, room = self.tolerance * step, np.empty(z.numel(), np.int64)
        pulses = torch.ones_like(z, dtype=torch.int32)
        count = attempts.first_attempts(landed, levels, offset, line, spread, tolerance, room)
        if self.max_pulses > 1 and count > 0:
            again, missed = torch.from_numpy(room[:count]), room[:count]
            u, v = (noise.uniform().view(-1).index_select(0, again) for _ in range(2))
            below, miss, place = (z.new_empty(shape) for shape in ((2, count), count, count))
            least = LEAST_SPREAD * step
            attempts.edges(missed, levels, line, spread, least, tolerance, below.numpy())
            torch.special.ndtr(below, out=below)
            attempts.chances(below.numpy(), miss.numpy())
            log_u, log_miss, further = u.log_(), miss.log1p_(), np.empty(count, np.int32)
            attempts.last_places(
                below.numpy(), log_u.numpy(), log_miss.numpy(), v.numpy(),
                self.max_pulses - 1, place.numpy(), further,
            )  # fmt: skip
            last = torch.special.ndtri(place).numpy()
            attempts.last_attempts(
                missed, last, levels, line, spread, further, landed, pulses.numpy()
            )
        return Programmed(z, pulses, pulses.clone())

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
        present = present or never_programmed(cell, z)
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
