"""The pulse-table cell: how far a pulse moves it is read from tables over the conductance."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, ClassVar, Self

import torch
from jaxtyping import Float, Int32
from torch import Tensor

from mho.config import Range, Taken, otherwise
from mho.errors import invalid
from mho.physics.cell import Traits
from mho.physics.datasheet import Entry, Quantity
from mho.physics.imperfection import Imperfection
from mho.physics.pulsed_cell import PulsedCell, Response, whole_pulses
from mho.physics.trajectory import Trajectory, trajectory
from mho.quantities import Siemens

MOST_PULSES = 1e6
"""Most pulses across the window."""


class PulseTable(PulsedCell):
    """Pulsed cell given by data: mean and spread of a step over the conductance, SET and RESET
    apart.

    The tables give the rate `dg/dn = f s(g)` of a device of step factor f, linear in g between
    their conductances, so that n pulses move

        t(g) -> t(g) + f n,  t(g) = integral of dg / s(g) from the end behind,

    exactly, whatever n. Each pulse adds a normal error of standard deviation sigma(g), which runs
    geometrically in t between the conductances. What follows carries an error along with the
    course, that is by s(after) / s(before), to first order in the error: a burst from g to g'
    ends with the variance

        s(g')^2 sum_{k = 1..n} (sigma / s)^2 at t(g) + f k,

    taken as the integral by the midpoint rule: drawn at once, without a loop. As in
    `PulseResponse`, the bounds are applied once, at the end of a burst. Two conductances give
    that family's curve.
    """

    family: ClassVar[str] = "pulse-table"

    g: Taken[Sequence[float], tuple[Siemens, ...]]
    """Conductances of the tables, rising; the first and the last are the window [S]."""
    set_step: Taken[Sequence[float], Annotated[tuple[float, ...], Range(least=1e-24, most=1e3)]]
    """Mean rise by a SET pulse at each [S]."""
    reset_step: Taken[Sequence[float], Annotated[tuple[float, ...], Range(least=1e-24, most=1e3)]]
    """Mean fall by a RESET pulse at each [S]."""
    set_spread: Taken[Sequence[float], tuple[Siemens, ...]] = otherwise(default=(0.0,))
    """Standard deviation of one SET step at each, or one for all [S]."""
    reset_spread: Taken[Sequence[float], tuple[Siemens, ...]] = otherwise(default=(0.0,))
    """Standard deviation of one RESET step at each, or one for all [S]."""

    def __post_init__(self) -> None:
        super().__post_init__()
        n = len(self.g)
        if n < 2:
            raise invalid("PulseTable.g", self.g, "two conductances or more")
        for a, b in pairwise(self.g):
            if b <= a:
                raise invalid("PulseTable.g", (a, b), "rising")
        for name in ("set_step", "reset_step", "set_spread", "reset_spread"):
            values = getattr(self, name)
            if len(values) != n and (len(values) != 1 or "step" in name):
                raise invalid(f"PulseTable.{name}", len(values), f"{n} values, as in g")
            if any(values) and not all(values):
                raise invalid(f"PulseTable.{name}", 0.0, "above 0 at each, or 0 at all")
        for name, pulses in zip(("set_step", "reset_step"), self.crossing, strict=True):
            if not 1 <= pulses <= MOST_PULSES:
                allowed = f"steps that cross the window in 1 to {MOST_PULSES:g} pulses"
                raise invalid(f"PulseTable.{name}", f"{pulses:.3g} pulses", allowed)
        most = int(self.crossing[0]) + 1
        if self.levels > most:
            raise invalid("PulseTable.levels", self.levels, f"at most {most}: a SET pulse a level")

    @property
    def window(self) -> tuple[float, float]:
        """The first and the last conductance [S]."""
        return self.g[0], self.g[-1]

    @property
    def crossing(self) -> tuple[float, float]:
        """Pulses across all segments."""
        cpu = torch.device("cpu")
        return self._up(cpu).t[-1].item(), self._down(cpu).t[-1].item()

    def respond(
        self,
        z: Float[Tensor, "*#n"],
        g: Float[Tensor, "*#n"],
        pulses: Int32[Tensor, "*#n"],
        traits: Traits,
    ) -> Float[Tensor, "*#n"]:
        """A burst along the course [S]."""
        low, high = self.window
        g = g.clamp(low, high)
        factor = traits.get("step_factor", 1.0)
        at = g.double()
        up, down = self._up(g.device), self._down(g.device)
        rise, above = _moved(up, at - low, pulses.clamp(min=0) * factor, factor)
        fall, below = _moved(down, high - at, (-pulses).clamp(min=0) * factor, factor)
        sets = pulses >= 0
        step = torch.where(sets, rise, -fall) + torch.where(sets, above, below) * z
        return (g + step.to(g)).clamp(low, high)

    def pulses_to(
        self,
        target: Float[Tensor, "*#n"],
        g: Float[Tensor, "*#n"],
        response: Response = "curve",
    ) -> Int32[Tensor, "*#n"]:
        """The difference of t, or of its chord."""
        low, high = self.window
        g, target = (x.double().clamp(low, high) for x in (g, target))
        if response == "curve":
            up, down = self._up(g.device), self._down(g.device)
            rising = up.time(target - low) - up.time(g - low)
            falling = down.time(high - g) - down.time(high - target)
        else:
            on, off = self.crossing
            rising, falling = ((target - g) / (high - low) * n for n in (on, off))
        return whole_pulses(torch.where(target >= g, rising, falling))

    def pulse_spread(self) -> Entry:
        """The largest in the tables."""
        most = max(*self.set_spread, *self.reset_spread)
        return Entry("spread", "up to {} a pulse", (Quantity(most, "S"),))

    def imperfections(self) -> dict[str, Imperfection]:
        """The spread of a write is that of a pulse, its mean over tables in mean SET steps."""
        write = Imperfection(self._mean_spread(), "from one write to the next")
        return {"write spread": write, **super().imperfections()}

    def with_imperfection(self, name: str, value: float) -> Self:
        """A spread of pulses keeps its course over the conductance."""
        if name != "write spread":
            return super().with_imperfection(name, value)
        own, even = self._mean_spread(), (value * self._mean_step(),)
        tables = {"set_spread": self.set_spread, "reset_spread": self.reset_spread}
        scaled = {which: tuple(value / own * x for x in table) if own else even
                  for which, table in tables.items()}  # fmt: skip
        return self.replace(**scaled)

    def _mean_spread(self) -> float:
        """Of a pulse, over conductances and both directions, in mean SET steps [1]."""
        means = [sum(table) / len(table) for table in (self.set_spread, self.reset_spread)]
        return sum(means) / 2 / self._mean_step()

    def _mean_step(self) -> float:
        """Of SET pulses across the window [S]."""
        return (self.g[-1] - self.g[0]) / self.crossing[0]

    def _up(self, device: torch.device) -> Trajectory:
        """Course of SET, from the low end."""
        return trajectory(self.g, self.set_step, self._full(self.set_spread), device)

    def _down(self, device: torch.device) -> Trajectory:
        """Course of RESET, from the high end."""
        back = tuple(-g for g in reversed(self.g))
        spread = self._full(self.reset_spread)
        return trajectory(back, self.reset_step[::-1], spread[::-1], device)

    def _full(self, spread: tuple[float, ...]) -> tuple[float, ...]:
        """A value a conductance."""
        return spread if len(spread) == len(self.g) else spread * len(self.g)


def _moved(
    course: Trajectory, d: Tensor, n: Tensor, factor: Tensor | float
) -> tuple[Tensor, Tensor]:
    """How far n nominal pulses lead from the distance d [S], and the deviation of the end [S]."""
    start = course.time(d)
    end = course.place(start + n)
    if not course.square.any():
        return end - d, torch.zeros_like(end)
    half = 0.5 * factor
    square = (course.gathered(start + n + half) - course.gathered(start + half)) / factor
    return end - d, course.step_at(end) * square.clamp(min=0.0).sqrt()
