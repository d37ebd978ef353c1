"""How a programmed conductance relaxes while nothing is done to the cell."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Annotated, ClassVar, Self

import torch
from jaxtyping import Float
from torch import Tensor

from mho.config import Config, Range
from mho.errors import invalid
from mho.physics import of_conductance
from mho.physics.datasheet import Entry, Quantity
from mho.physics.of_conductance import OfConductance
from mho.quantities import PositiveSeconds, Siemens

BOLTZMANN = 1.380649e-23 / 1.602176634e-19
"""Boltzmann's constant [eV / K], k / e; both are exact by the definition of the units of 2019."""


class Retention(Config, ABC):
    """One law of relaxation; leaves are final, all methods pure.

    Each cell has a score of its own, standard normal and drawn once, which tells how it relaxes;
    `g` is what the cell was programmed to, which numbers that are functions of the conductance
    (`OfConductance`) are taken at, and what it holds still at the time `t0`. The law is not used
    before t0.

    Heat speeds time up by the Arrhenius factor `exp(E_a / k (1 / T_0 - 1 / T))`.
    """

    t0: PositiveSeconds = 1.0
    """Time after programming at which a cell holds what it was programmed to [s]."""
    activation: Annotated[float, Range(least=0.0, most=5.0)] | None = None
    """Activation energy E_a [eV]; None: not known, so no other temperature can be asked for."""
    temperature: Annotated[float, Range(least=1.0, most=2000.0)] = 300.0
    """Temperature T_0 that the law was measured at [K]."""

    def acceleration(self, temperature: float | None) -> float:
        """Seconds at the law's own temperature that pass in one second at another one [K].

        Raises:
            ValueError: the temperature is not above 0, or the law has no activation energy.
        """
        if temperature is None or temperature == self.temperature:
            return 1.0
        if not 0 < temperature < math.inf:
            raise invalid("temperature", temperature, "a finite number in (0, inf) K, or None")
        if self.activation is None:
            allowed = f"{self.temperature:g} K: {type(self).__name__}.activation is not given"
            raise invalid("temperature", temperature, allowed)
        return math.exp(self.activation / BOLTZMANN * (1 / self.temperature - 1 / temperature))

    @property
    def follows_conductance(self) -> bool:
        """Whether how a cell relaxes depends on what it was programmed to; if not, its rate alone
        says all, once and for ever."""
        return of_conductance.varies(self)

    @property
    def begins(self) -> float:
        """Time after programming until which nothing changes [s]."""
        return self.t0

    @abstractmethod
    def rates(self, z: Float[Tensor, "*#n"], g: Float[Tensor, "*#n"]) -> Float[Tensor, "*#n"]:
        """Rates of cells of scores z that were programmed to g [S]."""

    def relaxed(
        self, time: Float[Tensor, "*#n"], g: Float[Tensor, "*#n"], z: Float[Tensor, "*#n"]
    ) -> Float[Tensor, "*#n"]:
        """Conductance [S] at a time [s] after programming to g [S], of cells of scores z."""
        return self.at(time, g, self.rates(z, g))

    @abstractmethod
    def at(
        self, time: Float[Tensor, "*#n"], g: Float[Tensor, "*#n"], rate: Float[Tensor, "*#n"]
    ) -> Float[Tensor, "*#n"]:
        """Conductance [S] at a time [s] after programming; `rate` is each cell's, see `rates`."""

    @abstractmethod
    def drift(self, seconds: float, window: tuple[float, float]) -> float:
        """Root mean square change in `seconds` [1] of cells that are evenly spread over a window
        [S]: a share of its width, or of what they hold, whichever the law is in."""

    @abstractmethod
    def times(self, factor: float) -> Self:
        """A law whose changes are so many times as large."""

    @abstractmethod
    def for_conductances(self, scale: float) -> Self:
        """The same law on cells whose conductances are `scale` times as large."""

    def datasheet(self, window: tuple[float, float]) -> Entry:
        """The law in its numbers, in a window [S]."""
        return Entry("retention", self.family)


class PowerLaw(Retention):
    """g (t / t0)^-nu (Karpov et al., J. Appl. Phys. 102 (2007) 124503, for phase change)."""

    family: ClassVar[str] = "power-law"

    nu: Annotated[float, Range(least=-1.0, most=1.0)] | OfConductance = 0.0
    """Mean exponent [1]; above 0: the conductance falls."""
    nu_spread: Annotated[float, Range(least=0.0, most=1.0)] | OfConductance = 0.0
    """Standard deviation of the exponent between cells [1]."""

    def rates(self, z: Float[Tensor, "*#n"], g: Float[Tensor, "*#n"]) -> Float[Tensor, "*#n"]:
        """Exponents [1]."""
        return of_conductance.at(self.nu, g) + of_conductance.at(self.nu_spread, g) * z

    def at(
        self, time: Float[Tensor, "*#n"], g: Float[Tensor, "*#n"], rate: Float[Tensor, "*#n"]
    ) -> Float[Tensor, "*#n"]:
        """g (t / t0)^-rate."""
        return g * torch.exp(-rate * _decades(time, self.t0))

    def drift(self, seconds: float, window: tuple[float, float]) -> float:
        """Of what cells hold, to first order in the exponent."""
        nu = of_conductance.in_window(self.nu, window)
        spread = of_conductance.in_window(self.nu_spread, window)
        return _rms(nu, spread) * math.log(seconds / self.t0)

    def times(self, factor: float) -> Self:
        """Exponents times `factor`."""
        return self.replace(
            nu=of_conductance.times(self.nu, factor),
            nu_spread=of_conductance.times(self.nu_spread, factor),
        )

    def for_conductances(self, scale: float) -> Self:
        """The same exponents, at other conductances where they depend on these."""
        return self.replace(
            nu=of_conductance.for_conductances(self.nu, scale),
            nu_spread=of_conductance.for_conductances(self.nu_spread, scale),
        )

    def datasheet(self, window: tuple[float, float]) -> Entry:
        """The law with its exponent."""
        nu, values = of_conductance.shown(self.nu, window, "1")
        spread, more = of_conductance.shown(self.nu_spread, window, "1")
        text = f"(t / {{}})^-nu, nu = {nu} ± {spread}"
        return Entry("retention", text, (Quantity(self.t0, "s"), *values, *more))


class LogTime(Retention):
    """g + rate ln(t / t0), cut at 0: the mean and its spread grow with the logarithm of time.

    What filamentary oxides show (10.1002/adfm.202504688: both are straight lines in ln t). With
    `start_spread` the spread is there at once, from the first moment after programming on, and
    grows from it: a cell of score z is at `g + rate ln(t / t0) + z (start_spread + rate_spread
    ln(t / t0))`.
    """

    family: ClassVar[str] = "log-time"

    rate: Annotated[float, Range(least=-1e3, most=1e3)] | OfConductance = 0.0
    """Mean change in a factor e of time [S]; below 0: the conductance falls."""
    rate_spread: Siemens | OfConductance = 0.0
    """Standard deviation of that change between cells [S]."""
    start_spread: Siemens | OfConductance = 0.0
    """Standard deviation between cells of the change right after programming [S]."""

    @property
    def follows_conductance(self) -> bool:
        """With a spread at the start too, which a rate does not tell."""
        return not of_conductance.none_of(self.start_spread) or super().follows_conductance

    @property
    def begins(self) -> float:
        """At once, with a spread at the start."""
        return self.t0 if of_conductance.none_of(self.start_spread) else 0.0

    def rates(self, z: Float[Tensor, "*#n"], g: Float[Tensor, "*#n"]) -> Float[Tensor, "*#n"]:
        """Changes in a factor e of time [S]."""
        return of_conductance.at(self.rate, g) + of_conductance.at(self.rate_spread, g) * z

    def relaxed(
        self, time: Float[Tensor, "*#n"], g: Float[Tensor, "*#n"], z: Float[Tensor, "*#n"]
    ) -> Float[Tensor, "*#n"]:
        """From the start's spread, once any time has passed."""
        rate = self.rates(z, g)
        if not of_conductance.none_of(self.start_spread):
            start = of_conductance.at(self.start_spread, g) * z
            g = torch.where(time > 0, g + start, g)
        return self.at(time, g, rate)

    def at(
        self, time: Float[Tensor, "*#n"], g: Float[Tensor, "*#n"], rate: Float[Tensor, "*#n"]
    ) -> Float[Tensor, "*#n"]:
        """g + rate ln(t / t0), never below 0."""
        return (g + rate * _decades(time, self.t0)).clamp(min=0.0)

    def drift(self, seconds: float, window: tuple[float, float]) -> float:
        """Of the window."""
        rate = of_conductance.in_window(self.rate, window)
        spread = of_conductance.in_window(self.rate_spread, window)
        growth, span = math.log(seconds / self.t0), window[1] - window[0]
        if of_conductance.none_of(self.start_spread):
            return _rms(rate, spread) * growth / span
        start = of_conductance.in_window(self.start_spread, window)
        growth = max(0.0, growth)
        return _rms(rate * growth, spread * growth + start) / span

    def times(self, factor: float) -> Self:
        """Rates, and the spread at the start, times `factor`."""
        return self.replace(
            rate=of_conductance.times(self.rate, factor),
            rate_spread=of_conductance.times(self.rate_spread, factor),
            start_spread=of_conductance.times(self.start_spread, factor),
        )

    def for_conductances(self, scale: float) -> Self:
        """Changes grow with the conductances."""
        grown = self.times(scale)
        return grown.replace(
            rate=of_conductance.for_conductances(grown.rate, scale),
            rate_spread=of_conductance.for_conductances(grown.rate_spread, scale),
            start_spread=of_conductance.for_conductances(grown.start_spread, scale),
        )

    def datasheet(self, window: tuple[float, float]) -> Entry:
        """Mean and spread of the rate, and the spread at the start."""
        rate, values = of_conductance.shown(self.rate, window, "S")
        spread, more = of_conductance.shown(self.rate_spread, window, "S")
        text, values = f"{rate} ± {spread} in a factor e of time", values + more
        if not of_conductance.none_of(self.start_spread):
            start, more = of_conductance.shown(self.start_spread, window, "S")
            text, values = f"{text}, from ± {start} at once", values + more
        return Entry("retention", text, tuple(values))


def _rms(mean: Tensor, spread: Tensor) -> float:
    """Root mean square over conductances of numbers of a mean and a spread (n,)."""
    if mean.numel() == spread.numel() == 1:
        return math.hypot(mean.item(), spread.item())
    return (mean.square() + spread.square()).mean().sqrt().item()


def _decades(time: Tensor, t0: float) -> Tensor:
    """ln(t / t0), 0 before t0."""
    return torch.log(time.clamp(min=t0) / t0)
