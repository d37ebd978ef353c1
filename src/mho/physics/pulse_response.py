"""The pulse-response cell: identical pulses move it, and how far depends on where it stands."""

from __future__ import annotations

from typing import Annotated, ClassVar

import torch
from jaxtyping import Float, Int32
from torch import Tensor

from mho.config import Range
from mho.errors import invalid
from mho.physics.cell import Traits
from mho.physics.pulsed_cell import PulsedCell, Response

_STRAIGHT = 1e-20
"""Non-linearity that stands for 0: its curve is a straight line to the last digit."""


class PulseResponse(PulsedCell):
    """Pulsed cell whose steps shrink exponentially on the way.

    With `u = (g - g_min) / (g_max - g_min)`, n SET pulses on a device of step factor f move

        u -> u + (1 - exp(-nu x)) (1 / (1 - exp(-nu)) - u),  x = f n / N:

    N pulses take a nominal device from g_min to g_max, in steps that shrink by exp(-nu) on the
    way; nu -> 0 is u + x. RESET is the same seen from the other end, on 1 - u, with a nu of its
    own and x = reset_ratio f n / N.

    Each pulse adds a normal error. Later pulses contract what earlier ones added, so that after n
    of them the error is normal with variance `s^2 sum_{k < n} exp(-2 nu f k / N)` (RESET: times
    the ratio in the exponent): a burst is drawn at once, without a loop. The bounds of the window
    are applied once, at the end of a burst, where a real device meets them at each pulse; the two
    differ for bursts that run along a bound.
    """

    family: ClassVar[str] = "pulse-response"

    g_min: Annotated[float, Range(least=0.0)]
    """Conductance of level 0, and the least that pulses reach [S]."""
    g_max: Annotated[float, Range(above=0.0)]
    """Conductance of the highest level, and the most that pulses reach [S]."""
    pulses: Annotated[int, Range(least=1, most=100_000)]
    """SET pulses that take a nominal device from g_min to g_max [1]."""
    nonlinearity: Annotated[tuple[float, float], Range(least=0.0, most=10.0)] = (0.0, 0.0)
    """How far SET and RESET are from even steps: ln(first step / last step) [1]; 0: even."""
    reset_ratio: Annotated[float, Range(least=0.1, most=10.0)] = 1.0
    """Mean step of a RESET pulse over that of a SET pulse [1]."""
    cycle_spread: Annotated[float, Range(least=0.0, most=100.0)] = 0.0
    """Standard deviation of one pulse's step, whichever direction and device, as a share of the
    mean SET step (g_max - g_min) / pulses [1]."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.g_min >= self.g_max:
            raise invalid("PulseResponse.g_min", self.g_min, f"below g_max = {self.g_max:g} S")
        if self.levels > self.pulses + 1:
            most = f"at most pulses + 1 = {self.pulses + 1}: a pulse a level"
            raise invalid("PulseResponse.levels", self.levels, most)
        if self.pulses < self.reset_ratio:
            most = f"at most pulses = {self.pulses}: a RESET pulse cannot exceed the window"
            raise invalid("PulseResponse.reset_ratio", self.reset_ratio, most)

    @property
    def window(self) -> tuple[float, float]:
        """(g_min, g_max) [S]."""
        return self.g_min, self.g_max

    @property
    def crossing(self) -> tuple[float, float]:
        """`pulses`, and that over `reset_ratio`."""
        return float(self.pulses), self.pulses / self.reset_ratio

    def respond(
        self,
        z: Float[Tensor, "*#n"],
        g: Float[Tensor, "*#n"],
        pulses: Int32[Tensor, "*#n"],
        traits: Traits,
    ) -> Float[Tensor, "*#n"]:
        """A burst in closed form [S]."""
        low, high = self.window
        g = g.clamp(low, high)
        up, n = pulses >= 0, pulses.abs()
        done = (g - low) / (high - low)
        done = torch.where(up, done, 1 - done)
        crossing, nu = (self._towards(up, pair, g) for pair in (self.crossing, self._curvature))
        rate = nu * traits.get("step_factor", 1.0) / crossing
        step = -torch.expm1(-rate * n) * (-1 / torch.expm1(-nu) - done)
        step = torch.where(up, step, -step)
        if self.cycle_spread > 0:
            left = torch.expm1(-2 * rate * n) / torch.expm1(-2 * rate)
            step = step + self.cycle_spread / self.pulses * left.sqrt() * z
        return (g + (high - low) * step).clamp(low, high)

    def pulses_to(
        self,
        target: Float[Tensor, "*#n"],
        g: Float[Tensor, "*#n"],
        response: Response = "curve",
    ) -> Int32[Tensor, "*#n"]:
        """The inverse of the curve, or its chord."""
        low, high = self.window
        up = target >= g
        ends = (((x - low) / (high - low)).clamp(0.0, 1.0) for x in (g, target))
        start, stop = (torch.where(up, u, 1 - u) for u in ends)
        crossing, nu = (self._towards(up, pair, start) for pair in (self.crossing, self._curvature))
        if response == "curve":
            start, stop = (torch.log1p(u * torch.expm1(-nu)) / -nu for u in (start, stop))
        n = (crossing * (stop - start)).round().to(torch.int32)
        return torch.where(up, n, -n)

    @property
    def _curvature(self) -> tuple[float, float]:
        """Non-linearity of SET and RESET, never 0."""
        on, off = self.nonlinearity
        return max(on, _STRAIGHT), max(off, _STRAIGHT)

    def _towards(self, up: Tensor, pair: tuple[float, float], like: Tensor) -> Tensor:
        """The first of a pair where `up`, else the second, in the precision of `like`."""
        return torch.where(up, *(like.new_tensor(x) for x in pair))
