"""The nominal course of a cell under pulses of one direction, from tables over its distance."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import torch
from jaxtyping import Float64
from torch import Tensor

_EVEN = 1e-6
"""Change of ln(step) over a segment below which its steps count as equal."""


class Trajectory(NamedTuple):
    """Course d(t) with `dd/dt = step(d)`: t counts pulses, d is the distance gone [S].

    Between knots the step runs linearly in d, so that the course is exponential there, and the
    relative spread geometrically in t.
    """

    d: Float64[Tensor, " n"]
    """Distance of each knot from the first [S]."""
    t: Float64[Tensor, " n"]
    """Pulses to it [1]."""
    step: Float64[Tensor, " n"]
    """Step there [S]."""
    growth: Float64[Tensor, " n"]
    """d ln(step) / dt from a knot to the next, and beyond the last [1]."""
    square: Float64[Tensor, " n"]
    """(spread / step)^2 [1]."""
    fall: Float64[Tensor, " n"]
    """d ln(square) / dt from a knot to the next, and beyond the last [1]."""
    total: Float64[Tensor, " n"]
    """Integral of `square` over t up to a knot [1]."""

    def time(self, d: Float64[Tensor, "*n"]) -> Float64[Tensor, "*n"]:
        """Pulses that lead to the distance d [1]."""
        k = self._segment(self.d, d)
        share = self.growth[k] * (d - self.d[k]) / self.step[k]
        return self.t[k] + torch.log1p(share) / self.growth[k]

    def place(self, t: Float64[Tensor, "*n"]) -> Float64[Tensor, "*n"]:
        """Distance after t pulses [S]; beyond the last knot steps stay as they are there."""
        k = self._knot(t)
        growth = self.growth[k]
        return self.d[k] + self.step[k] * torch.expm1(growth * (t - self.t[k])) / growth

    def step_at(self, d: Float64[Tensor, "*n"]) -> Float64[Tensor, "*n"]:
        """Step at the distance d [S]."""
        k = self._segment(self.d, d)
        lean = (self.step[k + 1] - self.step[k]) / (self.d[k + 1] - self.d[k])
        return self.step[k] + lean * (d.clamp(max=self.d[-1].item()) - self.d[k])

    def gathered(self, t: Float64[Tensor, "*n"]) -> Float64[Tensor, "*n"]:
        """Integral of `square` from 0 to t [1]; beyond the last knot it stays as it is there."""
        k = self._knot(t)
        fall = self.fall[k]
        return self.total[k] + self.square[k] * torch.expm1(fall * (t - self.t[k])) / fall

    def _knot(self, t: Tensor) -> Tensor:
        """Number of the last knot before each time."""
        return (torch.searchsorted(self.t, t, right=True) - 1).clamp(0, len(self.t) - 1)

    @staticmethod
    def _segment(knots: Tensor, at: Tensor) -> Tensor:
        """Number of the segment that holds each value."""
        return (torch.searchsorted(knots, at, right=True) - 1).clamp(0, len(knots) - 2)


@lru_cache(maxsize=64)
def trajectory(
    knots: tuple[float, ...],
    steps: tuple[float, ...],
    spreads: tuple[float, ...],
    device: torch.device,
) -> Trajectory:
    """The course over knots [S], rising, with steps and spreads [S] there."""
    d, step, spread = (
        torch.tensor(x, dtype=torch.float64, device=device) for x in (knots, steps, spreads)
    )
    d = d - d[0]
    ratio = torch.log(step[1:] / step[:-1])
    ratio = ratio.where(ratio.abs() > _EVEN, _EVEN)
    # a segment of width w takes w ln(r) / (s (r - 1)) pulses, r = exp(ratio)
    pulses = d.diff() / step[:-1] * ratio / torch.expm1(ratio)
    square = (spread / step) ** 2
    fall = torch.log(square[1:] / square[:-1]) if spread.any() else torch.zeros_like(ratio)
    fall = fall.where(fall.abs() > _EVEN, _EVEN)
    last = d.new_full((1,), _EVEN)
    total = (square[:-1] * pulses * torch.expm1(fall) / fall).cumsum(0)
    zero = d.new_zeros(1)
    return Trajectory(
        d,
        torch.cat([zero, pulses.cumsum(0)]),
        step,
        torch.cat([ratio / pulses, last]),
        square,
        torch.cat([fall / pulses, last / pulses[-1]]),
        torch.cat([zero, total]),
    )
