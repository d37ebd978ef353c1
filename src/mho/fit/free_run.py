"""Free runs: a record simulated over a whole measurement from its first read, never corrected."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

BAND = 0.95
"""Share of simulated reads between the ends of the band."""
MISSED = 0.1
"""Share of the window that a mean may be off before a free run counts as failed."""
OUTSIDE = 0.25
"""Share of reads outside the band from which on chance does not explain them."""


@dataclass(frozen=True)
class FreeRun:
    """How well a record tells a whole measurement from its start."""

    r_squared: float
    """Share of the variance that its mean course explains [1]; nan: there is nothing to explain."""
    worst: float
    """Largest distance of a read from the mean course, as a share of the range of reads [1]."""
    where: str
    """Where that is, as "pulse 31"."""
    outside: float
    """Share of reads outside the band that holds 95 % of simulated ones [1]."""

    @property
    def failed(self) -> bool:
        """Whether the record does not tell the measurement, beyond its own spread."""
        return self.worst > MISSED and self.outside > OUTSIDE

    def __str__(self) -> str:
        inside = f"{1 - self.outside:.0%} of the reads in its {BAND:.0%} band"
        r_squared = "" if math.isnan(self.r_squared) else f"R^2 {self.r_squared:.2f}, "
        worst = f"worst {100 * self.worst:.2g} % of the window at {self.where}"
        return f"free run: {r_squared}{worst}; {inside}"


@dataclass(frozen=True)
class Course:
    """Simulated reads, each (chains, reads)."""

    mean: np.ndarray
    low: np.ndarray
    """Lower end of the band."""
    high: np.ndarray


def judge_free_run(measured: np.ndarray, course: Course, at: np.ndarray, unit: str) -> FreeRun:
    """Measured reads against a simulated course; those that are nan in either say nothing.

    Args:
        measured: (chains, reads).
        course: the same shape.
        at: where each read stands.
        unit: of what that is a number, as "pulse".
    """
    told = np.isfinite(measured) & np.isfinite(course.mean)
    y, mean = measured[told], course.mean[told]
    off = np.abs(y - mean)
    spread = float(np.sum((y - y.mean()) ** 2))
    k = int(off.argmax())
    return FreeRun(
        r_squared=1 - float(np.sum(off**2)) / spread if spread > 0 else math.nan,
        worst=float(off[k] / max(np.ptp(y), 1e-300)),
        where=f"{unit} {at[told][k]:.5g}",
        outside=float(np.mean((y < course.low[told]) | (y > course.high[told]))),
    )
