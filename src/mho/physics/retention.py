"""How a programmed conductance relaxes while nothing is done to the cell."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Annotated, ClassVar, Self

import torch
from jaxtyping import Float
from scipy import constants
from torch import Tensor

from mho.config import Config, Range
from mho.errors import invalid
from mho.physics.datasheet import Entry, Quantity
from mho.physics.noise import Noise
from mho.quantities import PositiveSeconds, Siemens

BOLTZMANN = constants.k / constants.e
"""Boltzmann's constant [eV / K]."""


class Retention(Config, ABC):
    """One law of relaxation; leaves are final, all methods pure.

    Each cell relaxes at a rate of its own, normal between cells and drawn once; `g` is what the
    cell held at the time `t0` after it was programmed. The law is not used before t0.

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

    @abstractmethod
    def rates(self, noise: Noise) -> Float[Tensor, "*n"]:
        """Draw the rate of each cell."""

    @abstractmethod
    def at(
        self, time: Float[Tensor, "*#n"], g: Float[Tensor, "*#n"], rate: Float[Tensor, "*#n"]
    ) -> Float[Tensor, "*#n"]:
        """Conductance [S] at a time [s] after programming; `rate` is each cell's, see `rates`."""

    @abstractmethod
    def drift(self, seconds: float, span: float) -> float:
        """Root mean square change of cells in `seconds` [1]: a share of the window of `span` [S],
        or of what they hold, whichever the law is in."""

    @abstractmethod
    def times(self, factor: float) -> Self:
        """A law whose changes are so many times as large."""

    @abstractmethod
    def for_conductances(self, scale: float) -> Self:
        """The same law on cells whose conductances are `scale` times as large."""

    def datasheet(self) -> Entry:
        """The law in its numbers."""
        return Entry("retention", self.family)


class PowerLaw(Retention):
    """g (t / t0)^-nu (Karpov et al., J. Appl. Phys. 102 (2007) 124503, for phase change)."""

    family: ClassVar[str] = "power-law"

    nu: Annotated[float, Range(least=-1.0, most=1.0)] = 0.0
    """Mean exponent [1]; above 0: the conductance falls."""
    nu_spread: Annotated[float, Range(least=0.0, most=1.0)] = 0.0
    """Standard deviation of the exponent between cells [1]."""

    def rates(self, noise: Noise) -> Float[Tensor, "*n"]:
        """Exponents [1]."""
        return self.nu + self.nu_spread * noise.normal()

    def at(
        self, time: Float[Tensor, "*#n"], g: Float[Tensor, "*#n"], rate: Float[Tensor, "*#n"]
    ) -> Float[Tensor, "*#n"]:
        """g (t / t0)^-rate."""
        return g * torch.exp(-rate * _decades(time, self.t0))

    def drift(self, seconds: float, span: float) -> float:
        """Of what cells hold, to first order in the exponent."""
        return math.hypot(self.nu, self.nu_spread) * math.log(seconds / self.t0)

    def times(self, factor: float) -> Self:
        """Exponents times `factor`."""
        return self.replace(nu=factor * self.nu, nu_spread=factor * self.nu_spread)

    def for_conductances(self, scale: float) -> Self:
        """The same: exponents know no conductance."""
        return self

    def datasheet(self) -> Entry:
        """The law with its exponent."""
        nu, spread = Quantity(self.nu, "1"), Quantity(self.nu_spread, "1")
        return Entry(
            "retention", "(t / {})^-nu, nu = {} ± {}", (Quantity(self.t0, "s"), nu, spread)
        )


class LogTime(Retention):
    """g + rate ln(t / t0), cut at 0: the mean and its spread grow with the logarithm of time.

    What filamentary oxides show (10.1002/adfm.202504688: both are straight lines in ln t).
    """

    family: ClassVar[str] = "log-time"

    rate: Annotated[float, Range(least=-1e3, most=1e3)] = 0.0
    """Mean change in a factor e of time [S]; below 0: the conductance falls."""
    rate_spread: Siemens = 0.0
    """Standard deviation of that change between cells [S]."""

    def rates(self, noise: Noise) -> Float[Tensor, "*n"]:
        """Changes in a factor e of time [S]."""
        return self.rate + self.rate_spread * noise.normal()

    def at(
        self, time: Float[Tensor, "*#n"], g: Float[Tensor, "*#n"], rate: Float[Tensor, "*#n"]
    ) -> Float[Tensor, "*#n"]:
        """g + rate ln(t / t0), never below 0."""
        return (g + rate * _decades(time, self.t0)).clamp(min=0.0)

    def drift(self, seconds: float, span: float) -> float:
        """Of the window."""
        return math.hypot(self.rate, self.rate_spread) * math.log(seconds / self.t0) / span

    def times(self, factor: float) -> Self:
        """Rates times `factor`."""
        return self.replace(rate=factor * self.rate, rate_spread=factor * self.rate_spread)

    def for_conductances(self, scale: float) -> Self:
        """Rates grow with the conductances."""
        return self.times(scale)

    def datasheet(self) -> Entry:
        """Mean and spread of the rate."""
        rate, spread = Quantity(self.rate, "S"), Quantity(self.rate_spread, "S")
        return Entry("retention", "{} ± {} in a factor e of time", (rate, spread))


def _decades(time: Tensor, t0: float) -> Tensor:
    """ln(t / t0), 0 before t0."""
    return torch.log(time.clamp(min=t0) / t0)
