"""The multi-level cell: n evenly spaced conductances, spread that depends on the conductance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, ClassVar, Self

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from mho.config import Range, Taken, otherwise
from mho.errors import invalid
from mho.physics.cell import LEAST_SPREAD, Landing, LandingCell, Traits
from mho.physics.datasheet import Entry, Quantity
from mho.physics.imperfection import Imperfection
from mho.physics.noise import Noise
from mho.physics.of_conductance import OfConductance
from mho.quantities import CellSiemens, Siemens

MAX_LEVELS = 4096

_MOST_SPREAD = 10
"""Largest spread of an attempt, in windows."""


class MultiLevel(LandingCell):
    """Analog cell programmed to one of n levels, evenly spaced from g_min to g_max.

    One attempt lands at `g_level + offset + sigma(g_level) z`, where the offset belongs to the
    device and `sigma(g) = sum_k sigma[k] g^k`.
    """

    family: ClassVar[str] = "multi-level"

    g_min: Siemens
    """Conductance of level 0 [S]."""
    g_max: CellSiemens
    """Conductance of the highest level [S]."""
    levels: Annotated[int, Range(least=2, most=MAX_LEVELS)] = 9
    """Number of programmable levels [1]."""
    sigma: Taken[
        Sequence[float] | OfConductance,
        Annotated[tuple[float, ...], Range(least=-1e30, most=1e30)] | OfConductance,
    ] = otherwise(default=(0.0,))
    """Cycle-to-cycle spread of an attempt: coefficients of a polynomial in g, the k-th in
    [S^(1-k)]; or another function of the conductance, its values in [S]."""
    device_spread: Annotated[float, Range(least=0.0, most=1.0)] = 0.0
    """Device-to-device spread of the offset, as a share of the window [1]."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.g_min >= self.g_max:
            raise invalid("MultiLevel.g_min", self.g_min, f"below g_max = {self.g_max:g} S")
        if self.sigma == ():
            raise invalid("MultiLevel.sigma", self.sigma, "at least one coefficient")
        if (even := self._even) is not None and even < 0:
            raise invalid("MultiLevel.sigma", self.sigma, "at least 0 where it is constant")
        levels = self.nominal(torch.arange(self.levels, dtype=torch.float64))
        if isinstance(self.sigma, OfConductance) and self.sigma.at(levels).max() < 0:
            least = f"below 0 S at all {self.levels} levels"
            raise invalid("MultiLevel.sigma", least, "values of at least 0")
        if not self.spread(levels).max() <= _MOST_SPREAD * (self.g_max - self.g_min):
            most = _MOST_SPREAD * (self.g_max - self.g_min)
            allowed = f"a spread of at most {most:.3g} S, {_MOST_SPREAD} windows, at every level"
            raise invalid("MultiLevel.sigma", self.sigma, allowed)

    @property
    def states(self) -> int:
        """The number of levels."""
        return self.levels

    @property
    def window(self) -> tuple[float, float]:
        """(g_min, g_max) [S]."""
        return self.g_min, self.g_max

    @property
    def landing(self) -> Landing:
        """How `draw` computes, in single precision; whatever function the spread is, attempts are
        at levels alone."""
        every = self._every_level(torch.zeros(0, dtype=torch.float32, device="cpu"))
        spread = self.spread(every) if self._even is None else torch.full_like(every, self._even)
        return Landing((self.g_min, self.step), spread.numpy())

    def spread(self, g: Float[Tensor, "*n"]) -> Float[Tensor, "*_"]:
        """Standard deviation of one attempt at conductance g [S], never negative."""
        if isinstance(self.sigma, OfConductance):
            return self.sigma.at(g if g.is_floating_point() else g.float()).clamp(min=0.0)
        *lower, total = self.sigma
        for coefficient in reversed(lower):
            total = total * g + coefficient
        return torch.as_tensor(total, dtype=g.dtype, device=g.device).clamp(min=0.0)

    def traits(self, noise: Noise) -> Traits:
        """Offset of each device [S]."""
        if self.device_spread == 0.0:
            return {}
        return {"offset": self.device_spread * (self.g_max - self.g_min) * noise.normal()}

    def draw(
        self,
        z: Float[Tensor, "*#n"],
        level: Shaped[Tensor, "*#n"],
        traits: Traits,
        *,
        corrected: bool,
    ) -> Float[Tensor, "*#n"]:
        """Where one attempt lands [S]; a conductance is never below 0."""
        centre = self._centre(level, traits, corrected)
        spread = self._spread_at(level) if self._even is None else self._even
        return (centre + spread * z).clamp_(min=0.0)

    def score(
        self,
        g: Float[Tensor, "*#n"],
        level: Shaped[Tensor, "*#n"],
        traits: Traits,
        *,
        corrected: bool,
    ) -> Float[Tensor, "*#n"]:
        """(g - centre) / sigma; -inf where g <= 0, for an attempt never lands below 0."""
        spread = self._spread_at(level, g.dtype).clamp_(min=LEAST_SPREAD * self.step)
        z = (g - self._centre(level, traits, corrected)) / spread
        return z.masked_fill(g <= 0, -math.inf)

    def mean(self, level: Shaped[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Mean of a normal cut at 0: `g Phi(g / s) + s phi(g / s)`, s of both spreads together."""
        g = self.nominal(level)
        offset = self.device_spread * (self.g_max - self.g_min)
        s = self.spread(g).square().add(offset**2).sqrt().clamp_(min=1e-9 * self.step)
        density = torch.exp(-0.5 * (g / s) ** 2) / math.sqrt(2 * math.pi)
        return g * torch.special.ndtr(g / s) + s * density

    def imperfections(self) -> dict[str, Imperfection]:
        """Spreads are shares of the window, that of an attempt the mean over levels."""
        return {
            "write spread": Imperfection(self._mean_spread(), "from one write to the next"),
            "device spread": Imperfection(self.device_spread, "from device to device"),
            **super().imperfections(),
        }

    def with_imperfection(self, name: str, value: float) -> Self:
        """A spread of attempts keeps its course over the conductance."""
        if name == "device spread":
            return self.replace(device_spread=value)
        if name == "write spread":
            own = self._mean_spread()
            if value == 0 or own == 0:
                return self.replace(sigma=(value * (self.g_max - self.g_min),))
            if isinstance(self.sigma, OfConductance):
                return self.replace(sigma=self.sigma.times(value / own))
            return self.replace(sigma=tuple(value / own * c for c in self.sigma))
        return super().with_imperfection(name, value)

    def family_datasheet(self) -> list[Entry]:
        """Spread at either end, what it is of, and that between devices."""
        ends = sorted(self.spread(torch.tensor(end)).item() for end in self.window)
        of = self.spread_of()
        text, values = f"{{}} to {{}} {of.text}", [Quantity(end, "S") for end in ends]
        values += of.values
        if self.device_spread > 0:
            text += "; devices {} of the window"
            values.append(Quantity(self.device_spread, "%"))
        return [Entry("spread", text, tuple(values))]

    @property
    def _even(self) -> float | None:
        """The spread where it is one number; None: it depends on the conductance."""
        if isinstance(self.sigma, OfConductance) or len(self.sigma) != 1:
            return None
        return self.sigma[0]

    def _spread_at(self, level: Tensor, kind: torch.dtype | None = None) -> Tensor:
        """Spread of an attempt at levels (...) [S], evaluated in a type; None: theirs. A function
        of the conductance is evaluated once a level, and so is the same number in every cell."""
        if isinstance(self.sigma, OfConductance):
            return self.spread(self._every_level(level, kind))[level.long()]
        return self.spread(self.nominal(level).to(kind))

    def _every_level(self, like: Tensor, kind: torch.dtype | None = None) -> Tensor:
        """Conductance of each level (levels,) [S], where a tensor is and in its type, float32 if
        that is no real one; or in another type."""
        kind = kind or (like.dtype if like.is_floating_point() else torch.float32)
        return self.nominal(torch.arange(self.levels, dtype=kind, device=like.device))

    def _mean_spread(self) -> float:
        """Of an attempt, over all levels, as a share of the window [1]."""
        levels = self.nominal(torch.arange(self.levels, dtype=torch.float64))
        return self.spread(levels).mean().item() / (self.g_max - self.g_min)

    def _centre(self, level: Tensor, traits: Traits, corrected: bool) -> Tensor:
        g = self.nominal(level)
        return g + traits["offset"] if "offset" in traits and not corrected else g
