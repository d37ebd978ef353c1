"""How a conductance wanders from read to read: 1/f noise and random telegraph noise.

Both are relative to the conductance and stationary; each steps exactly over any time, so that reads
may lie microseconds or days apart. What is faster than they are is white: `Cell.read_noise`.
"""

from __future__ import annotations

import math
from functools import reduce
from typing import Annotated, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mho.config import Config, Range
from mho.errors import invalid
from mho.kernels import native
from mho.kernels.relaxations import move_on
from mho.physics.noise import Noise
from mho.physics.of_conductance import OfConductance
from mho.quantities import PositiveSeconds

_RATIO = 4.0
"""Ratio of neighbouring time constants: the spectrum's ripple stays below 2 %."""


class Relaxations(NamedTuple):
    """What is known of the relaxations whose sum is the 1/f noise of some cells.

    The sum as it stands has been seen; which relaxation has which part of it has not. So a look at
    the cells takes one random number a cell, not one a relaxation, and all looks together are
    distributed as they are if every relaxation is drawn (a Kalman filter run backwards: it makes
    the innovations that it would otherwise observe; R. E. Kalman, J. Basic Eng. 82 (1960) 35).
    """

    expected: Float[Tensor, " k *n"]
    """Of each relaxation, given all that was seen of the cell; they add up to what is seen now."""
    covariance: Float[Tensor, "k k"]
    """Of what they may be off by, float64: the same for all cells. 0 where each was drawn."""


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

    def start(self, noise: Noise) -> Relaxations:
        """Stationary relaxations of new cells, looked at once."""
        numbers, k = noise.normal(), len(self.times)
        open_ = self.sigma**2 * torch.eye(k, dtype=torch.float64, device=numbers.device)
        state = Relaxations(numbers.new_zeros(k, *numbers.shape), open_)
        self._look(state, torch.ones(k), numbers)
        return state

    def advance(self, seconds: float, state: Relaxations, noise: Noise) -> None:
        """Let time pass, in place, and look: `x -> e x + sigma sqrt(1 - e^2) z` with
        `e = exp(-t / tau)` of each relaxation, of which only the sum is drawn."""
        if seconds == 0:
            return
        over_tau = torch.tensor([seconds / tau for tau in self.times], dtype=torch.float64)
        kept, fresh = torch.exp(-over_tau), -(self.sigma**2) * torch.expm1(-2 * over_tau)
        on = state.covariance.device
        state.covariance.mul_(torch.outer(kept, kept).to(on)).add_(torch.diag(fresh).to(on))
        self._look(state, kept, noise.normal())

    def _look(self, state: Relaxations, kept: Tensor, numbers: Tensor) -> None:
        """Look at the sum after so much of each relaxation was kept (k,)."""
        expected, covariance = state
        with_sum = covariance.sum(0)
        least = 1e-12 * self.sigma**2  # below it the variance of the sum is rounding
        share = with_sum / with_sum.sum().clamp(min=least).sqrt()
        covariance.sub_(torch.outer(share, share))
        factors = kept.to(expected), share.to(expected)
        if native(expected, numbers):
            rows = expected.view(len(expected), -1).numpy()
            move_on(rows, numbers.flatten().numpy(), *(f.numpy() for f in factors))
            return
        # Product and sum apart: fused, their rounding would depend on a cell's place in memory.
        for row, keep, part in zip(expected, *factors, strict=True):
            row.mul_(keep).add_(numbers * part)


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
