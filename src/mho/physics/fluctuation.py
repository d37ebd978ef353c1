"""How a conductance wanders from read to read: 1/f noise and random telegraph noise.

Both are relative to the conductance and stationary; each steps exactly over any time, so that reads
may lie microseconds or days apart. What is faster than they are is white: `Cell.read_noise`.
"""

from __future__ import annotations

import math
from functools import reduce
from typing import Annotated

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mho.config import Config, Range
from mho.errors import invalid
from mho.physics.noise import Noise
from mho.physics.of_conductance import OfConductance
from mho.quantities import PositiveSeconds

_RATIO = 4.0
"""Ratio of neighbouring time constants: the spectrum's ripple stays below 2 %."""


class Flicker(Config):
    """1/f noise: the relative conductance has the spectral density `S(f) = amplitude^2 / f`.

    Between `1 / (2 pi slowest)` and `1 / (2 pi fastest)` it is the sum of relaxations with time
    constants in even steps of ln tau, each of variance `amplitude^2 ln(ratio)` (McWhorter's sum of
    Lorentzians; J. Bernamont, Proc. Phys. Soc. 49 (1937) 138): an Ornstein-Uhlenbeck process a
    time constant. It is slower than white below that band and falls as 1 / f^2 above.
    """

    amplitude: Annotated[float, Range(least=1e-9, most=1.0)] | OfConductance
    """Root of f S(f): relative standard deviation in a factor e of frequency [1]. One that depends
    on the conductance is taken at what the cell was programmed to."""
    slowest: PositiveSeconds = 1e5
    """Longest time constant [s]."""
    fastest: PositiveSeconds = 1e-3
    """Shortest time constant [s]."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.fastest >= self.slowest:
            raise invalid("Flicker.fastest", self.fastest, f"below slowest = {self.slowest:g} s")

    @property
    def times(self) -> tuple[float, ...]:
        """Time constants [s], from the fastest to the slowest."""
        decades = math.log(self.slowest / self.fastest)
        steps = max(1, round(decades / math.log(_RATIO)))
        return tuple(self.fastest * math.exp(decades * k / steps) for k in range(steps + 1))

    @property
    def follows_conductance(self) -> bool:
        """Whether cells of other conductances have noise of another amplitude; then relaxations are
        kept in units of it."""
        return isinstance(self.amplitude, OfConductance)

    @property
    def sigma(self) -> float:
        """Standard deviation of each relaxation [1]: of the relative conductance, or in units of
        the amplitude where that depends on the conductance."""
        times = self.times
        amplitude = 1.0 if isinstance(self.amplitude, OfConductance) else self.amplitude
        return amplitude * math.sqrt(math.log(times[1] / times[0]))

    def relative(
        self, state: Float[Tensor, " k *n"], g: Float[Tensor, "*n"]
    ) -> Float[Tensor, "*n"]:
        """What cells that were programmed to g [S] are off by, as a share of their conductance."""
        # one after another: `sum` may take another order for another number of chips
        wander = reduce(torch.add, state)
        if isinstance(self.amplitude, OfConductance):
            return wander * self.amplitude.at(g)
        return wander

    def start(self, noise: Noise) -> Float[Tensor, " k *n"]:
        """Stationary relaxations of new cells, one row a time constant."""
        return torch.stack([self.sigma * noise.normal() for _ in self.times])

    def after(
        self, seconds: float, state: Float[Tensor, " k *n"], noise: Noise
    ) -> Float[Tensor, " k *n"]:
        """Some time later: `x -> e x + sigma sqrt(1 - e^2) z` with `e = exp(-t / tau)`."""
        kept = [math.exp(-seconds / tau) for tau in self.times]
        fresh = [self.sigma * math.sqrt(-math.expm1(-2 * seconds / tau)) for tau in self.times]
        rows = zip(state, kept, fresh, strict=True)
        # Product and sum apart: fused, their rounding would depend on a cell's place in memory.
        return torch.stack([noise.normal().mul_(new).add_(x * keep) for x, keep, new in rows])


class Telegraph(Config):
    """Random telegraph noise of one trap: while it holds a charge the cell conducts less.

    A share of the cells has a trap; its depth is uniform in (0, depth] and its two mean dwell times
    are lognormal between cells, with one factor for both. Dwell times are exponential: a
    continuous-time Markov chain, `P(full) -> p + (P - p) exp(-t (1 / tau_full + 1 / tau_empty))`
    with `p = tau_full / (tau_full + tau_empty)` (S. Machlup, J. Appl. Phys. 25 (1954) 341).
    """

    share: Annotated[float, Range(least=1e-9, most=1.0)] = 1.0
    """Share of the cells that have a trap [1]."""
    depth: Annotated[float, Range(least=1e-9, most=1.0)]
    """Largest part of its conductance that a cell loses while its trap is full [1]."""
    full: PositiveSeconds
    """Mean time that a trap stays full [s]."""
    empty: PositiveSeconds
    """Mean time that it stays empty [s]."""
    dwell_spread: Annotated[float, Range(least=0.0, most=10.0)] = 0.0
    """Standard deviation of ln(dwell times) between cells [1]."""

    @property
    def occupied(self) -> float:
        """Probability that a trap is full [1]."""
        return self.full / (self.full + self.empty)

    def depths(self, noise: Noise) -> Float[Tensor, "*n"]:
        """Part of its conductance that each cell loses while its trap is full; 0 without one."""
        depth = self.depth * noise.uniform()
        return depth.masked_fill_(noise.uniform() >= self.share, 0.0)

    def paces(self, noise: Noise) -> Float[Tensor, "*n"]:
        """Factor of each cell's dwell times."""
        return torch.exp(self.dwell_spread * noise.normal())

    def start(self, noise: Noise) -> Bool[Tensor, "*n"]:
        """Which traps are full in the stationary state."""
        return noise.uniform() < self.occupied

    def after(
        self,
        seconds: float,
        full: Bool[Tensor, "*n"],
        pace: Float[Tensor, "*n"],
        noise: Noise,
    ) -> Bool[Tensor, "*n"]:
        """Which traps are full some time later."""
        rate = (1 / self.full + 1 / self.empty) / pace
        chance = self.occupied + (full.to(pace) - self.occupied) * torch.exp(-rate * seconds)
        return noise.uniform() < chance
