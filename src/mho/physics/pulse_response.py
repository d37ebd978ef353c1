"""The pulse-response cell: identical pulses move it, and how far depends on where it stands."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, ClassVar, Self

import torch
from jaxtyping import Float, Int32
from torch import Tensor

from mho.config import Range, Taken, otherwise
from mho.errors import invalid
from mho.physics.cell import Traits
from mho.physics.datasheet import Entry, Quantity
from mho.physics.imperfection import Imperfection
from mho.physics.noise import Noise
from mho.physics.pulsed_cell import PulsedCell, Response, whole_pulses
from mho.physics.spread import Spread
from mho.quantities import CellSiemens, Siemens

_STRAIGHT = 1e-20
"""Non-linearity that stands for 0: its curve is a straight line to the last digit."""

_FAR = 40.0
"""ln of a growth of steps that leads out of any window, and whose square is no overflow yet."""


class PulseResponse(PulsedCell):
    """Pulsed cell whose steps shrink, or grow, exponentially on the way.

    With `u = (g - g_min) / (g_max - g_min)`, n SET pulses on a device of step factor f move

        u -> u + (1 - exp(-nu x)) (1 / (1 - exp(-nu)) - u),  x = f n / N:

    N pulses take a nominal device from g_min to g_max, in steps that shrink by exp(-nu) on the
    way, or grow where nu is below 0; nu -> 0 is u + x. RESET is the same seen from the other end,
    on 1 - u, with a nu of its own and x = reset_ratio f n / N.

    Each pulse adds a normal error. Later pulses contract what earlier ones added, or stretch it
    where nu is below 0, so that after n of them the error is normal with variance `s^2 sum_{k < n}
    exp(-2 nu f k / N)` (RESET: times the ratio in the exponent): a burst is drawn at once, without
    a loop. The bounds of the window are applied once, at the end of a burst, where a real device
    meets them at each pulse; the two differ for bursts that run along a bound.
    """

    family: ClassVar[str] = "pulse-response"

    g_min: Siemens
    """Conductance of level 0, and the least that pulses of a nominal device reach [S]."""
    g_max: CellSiemens
    """Conductance of the highest level, and the most that pulses of one reach [S]."""
    pulses: Annotated[int, Range(least=1, most=100_000)]
    """SET pulses that take a nominal device from g_min to g_max [1]."""
    nonlinearity: Taken[
        float | Sequence[float], Annotated[tuple[float, float], Range(least=-10.0, most=10.0)]
    ] = otherwise(default=(0.0, 0.0))
    """How far SET and RESET are from even steps: ln(first step / last step) [1]; 0: even, below 0:
    steps that grow on the way."""
    reset_ratio: Annotated[float, Range(least=0.1, most=10.0)] = 1.0
    """Mean step of a RESET pulse over that of a SET pulse [1]."""
    cycle_spread: Annotated[float, Range(least=0.0, most=100.0)] = 0.0
    """Standard deviation of one pulse's step, whichever direction and device, as a share of the
    mean SET step (g_max - g_min) / pulses [1]."""
    window_spread: Taken[
        float | Sequence[float], Annotated[tuple[float, float], Range(least=0.0, most=0.2)]
    ] = otherwise(default=(0.0, 0.0))
    """Device-to-device standard deviation of the least and of the most that pulses reach, as a
    share of the window [1]."""
    nonlinearity_spread: Annotated[float, Range(least=0.0, most=1.0)] = 0.0
    """Device-to-device coefficient of variation of each non-linearity, lognormal of mean 1 [1]."""
    ratio_spread: Annotated[float, Range(least=0.0, most=1.0)] = 0.0
    """The same of the reset ratio [1]."""

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

    def traits(self, noise: Noise) -> Traits:
        """What differs between devices: step factor, ends of the window [S], factors."""
        traits = super().traits(noise)
        low, high = self.window
        for name, end, sign in (("low", low, -1.0), ("high", high, 1.0)):
            spread = self.window_spread[sign > 0]
            if spread > 0:
                moved = end + spread * (high - low) * noise.normal()
                # no device's window is smaller than a fifth, whatever the draw
                inner = end - sign * 0.4 * (high - low)
                traits[name] = moved.clamp(min=inner) if sign > 0 else moved.clamp(0.0, inner)
        factors = {"bend_set": self.nonlinearity_spread, "bend_reset": self.nonlinearity_spread}
        for name, cov in (factors | {"reset_factor": self.ratio_spread}).items():
            if cov > 0:
                spread = Spread(distribution="lognormal", cov=cov)
                traits[name] = spread.factor(noise.normal())
        return traits

    def respond(
        self,
        z: Float[Tensor, "*#n"],
        g: Float[Tensor, "*#n"],
        pulses: Int32[Tensor, "*#n"],
        traits: Traits,
    ) -> Float[Tensor, "*#n"]:
        """A burst in closed form [S]."""
        ends = zip(("low", "high"), self.window, strict=True)
        low, high = (traits[n] if n in traits else g.new_tensor(x) for n, x in ends)
        g = g.clamp(low, high)
        up, n = pulses >= 0, pulses.abs()
        done = (g - low) / (high - low)
        done = torch.where(up, done, 1 - done)
        (sets, resets), (on, off) = self.crossing, self._curvature
        crossing = self._towards(up, (sets, resets / traits.get("reset_factor", 1.0)), g)
        bent = (on * traits.get("bend_set", 1.0), off * traits.get("bend_reset", 1.0))
        nu = self._towards(up, bent, g)
        rate = nu * traits.get("step_factor", 1.0) / crossing
        way = rate * n
        if min(self.nonlinearity) < 0:
            way = way.clamp(min=-_FAR)
        step = -torch.expm1(-way) * (-1 / torch.expm1(-nu) - done)
        step = torch.where(up, step, -step)
        if self.cycle_spread > 0:
            left = torch.expm1(-2 * way) / torch.expm1(-2 * rate)
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
        n = whole_pulses(crossing * (stop - start))
        return torch.where(up, n, -n)

    def pulse_spread(self) -> Entry:
        """In mean SET steps."""
        return Entry("spread", "{} mean steps a pulse", (Quantity(self.cycle_spread, "1"),))

    def imperfections(self) -> dict[str, Imperfection]:
        """The spread of a write is that of a pulse, in mean SET steps."""
        bend, uneven = self._bend, abs(math.log(self.reset_ratio))
        return {
            "write spread": Imperfection(self.cycle_spread, "from one write to the next"),
            **super().imperfections(),
            "non-linearity": Imperfection(bend, "of steps along the window", "1"),
            "asymmetry": Imperfection(uneven, "of RESET and SET steps", "ln"),
        }

    def with_imperfection(self, name: str, value: float) -> Self:
        """Non-linearities keep their proportion and signs, an asymmetry its direction."""
        if name == "write spread":
            return self.replace(cycle_spread=value)
        if name == "non-linearity":
            mean = self._bend
            pair = tuple(value * nu / mean if mean else value for nu in self.nonlinearity)
            return self.replace(nonlinearity=pair)
        if name == "asymmetry":
            sign = 1.0 if self.reset_ratio > 1 else -1.0
            return self.replace(reset_ratio=math.exp(sign * value))
        return super().with_imperfection(name, value)

    def family_datasheet(self) -> list[Entry]:
        """And the non-linearities."""
        bends = tuple(Quantity(nu, "1") for nu in self.nonlinearity)
        return [*super().family_datasheet(), Entry("non-linearity", "SET {}, RESET {}", bends)]

    @property
    def _curvature(self) -> tuple[float, float]:
        """Non-linearity of SET and RESET, never 0."""
        on, off = self.nonlinearity
        return on or _STRAIGHT, off or _STRAIGHT

    @property
    def _bend(self) -> float:
        """Mean size of the non-linearities."""
        return sum(map(abs, self.nonlinearity)) / 2

    def _towards(
        self, up: Tensor, pair: tuple[float | Tensor, float | Tensor], like: Tensor
    ) -> Tensor:
        """The first of a pair where `up`, else the second, in the precision of `like`."""
        first, second = (x if isinstance(x, Tensor) else like.new_tensor(x) for x in pair)
        return torch.where(up, first, second)
