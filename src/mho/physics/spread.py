"""How a quantity spreads: a positive factor of nominal value 1, as a map of a standard normal.

Every distribution is a monotone map `z -> factor(z)` with inverse `score`, so one normal number
drives any of them, and a value confined to an interval is drawn in closed form.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from mho.config import Config, Range
from mho.errors import invalid

Distribution = Literal["normal", "truncated-normal", "lognormal"]

_QUADRATURE_POINTS = 20_001


class Spread(Config):
    """Distribution of a factor around 1.

    - normal: `1 + cov z`, what falls outside the limits is set to the limit
      (the convention of Lammie et al., 10.1016/j.neucom.2022.02.043);
    - truncated-normal: the same, conditioned on lying inside the limits;
    - lognormal: `exp(s z - s^2 / 2)`, `s^2 = ln(1 + cov^2)`: mean 1, limits are not applied.

    `cov` is the coefficient of variation before any limit acts.
    """

    distribution: Distribution = "lognormal"
    """Shape of the distribution."""
    cov: Annotated[float, Range(least=0.0, most=10.0)] = 0.0
    """Coefficient of variation: standard deviation over mean [1]."""
    lower: Annotated[float, Range(least=0.0, below=1.0)] = 0.01
    """Smallest factor of the two normal shapes [1]; sets the tail of 1 / R."""
    upper: Annotated[float, Range(above=1.0, most=1e6)] = 100.0
    """Largest factor of the two normal shapes [1]."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.distribution != "lognormal" and self.lower == 0.0:
            raise invalid("Spread.lower", self.lower, f"above 0 for a {self.distribution} spread")

    def factor(self, z: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Factor of the standard normal score z, increasing in z."""
        if self.cov == 0.0:
            return torch.ones_like(z)
        if self.distribution == "lognormal":
            s = math.sqrt(math.log1p(self.cov**2))
            return torch.exp(s * z - s * s / 2)
        if self.distribution == "truncated-normal":
            low, high = self._limits()
            u = low + (high - low) * torch.special.ndtr(z)
            z = torch.special.ndtri(u.clamp_(2.0**-25, 1 - 2.0**-24))
        return (1 + self.cov * z).clamp_(self.lower, self.upper)

    def score(self, factor: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Standard normal score of a factor: the inverse of `factor`, +-inf from a limit on."""
        if self.cov == 0.0:
            return torch.where(factor >= 1, math.inf, -math.inf).to(factor.dtype)
        if self.distribution == "lognormal":
            s = math.sqrt(math.log1p(self.cov**2))
            return (torch.log(factor) + s * s / 2) / s
        z = (factor - 1) / self.cov
        if self.distribution == "truncated-normal":
            low, high = self._limits()
            u = (torch.special.ndtr(z) - low) / (high - low)
            z = torch.special.ndtri(u.clamp_(0.0, 1.0))
        z = z.masked_fill(factor <= self.lower, -math.inf)
        return z.masked_fill(factor >= self.upper, math.inf)

    def mean_inverse(self) -> float:
        """Expectation of 1 / factor: the gain that spread in R gives to the mean conductance."""
        if self.cov == 0.0:
            return 1.0
        u = (torch.arange(_QUADRATURE_POINTS, dtype=torch.float64) + 0.5) / _QUADRATURE_POINTS
        return (1 / self.factor(torch.special.ndtri(u))).mean().item()

    def _limits(self) -> tuple[float, float]:
        low, high = ((x - 1) / self.cov for x in (self.lower, self.upper))
        return tuple(0.5 * (1 + math.erf(x / math.sqrt(2))) for x in (low, high))  # type: ignore[return-value]
