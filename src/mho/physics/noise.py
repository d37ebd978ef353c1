"""Where the random numbers of an event come from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor


class Noise(Protocol):
    """Random numbers for one event on a set of cells; every call is a fresh draw."""

    def normal(self) -> Float[Tensor, "*n"]:
        """Standard normal numbers, one a cell."""
        ...

    def uniform(self) -> Float[Tensor, "*n"]:
        """Uniform numbers in the open interval (0, 1), one a cell."""
        ...


@dataclass(frozen=True)
class GeneratorNoise:
    """Noise of a given shape from one torch generator."""

    shape: tuple[int, ...]
    generator: torch.Generator
    dtype: torch.dtype = torch.float32

    def normal(self) -> Float[Tensor, "*n"]:
        """Standard normal numbers of `shape`."""
        return torch.randn(self.shape, generator=self.generator, dtype=self.dtype)

    def uniform(self) -> Float[Tensor, "*n"]:
        """Uniform numbers of `shape`, never 0 or 1."""
        return open_interval(torch.rand(self.shape, generator=self.generator, dtype=self.dtype))


_SOBOL_NUMBERS = 16
"""Calls that a set of Sobol' points serves; further ones are pseudo-random."""


class SobolNoise:
    """The same evenly spread numbers for each of n columns: averages over cells with little error.

    Each call takes the next coordinate of `points` scrambled Sobol' points, float64.
    """

    def __init__(self, points: int, n: int) -> None:
        engine = torch.quasirandom.SobolEngine(_SOBOL_NUMBERS, scramble=True, seed=0)
        self._coordinates = iter(engine.draw(points, dtype=torch.float64).unbind(1))
        self._generator = torch.Generator().manual_seed(0)
        self.shape = (points, n)

    def normal(self) -> Float[Tensor, "points n"]:
        """Standard normal numbers, alike along n."""
        return torch.special.ndtri(self.uniform())

    def uniform(self) -> Float[Tensor, "points n"]:
        """Uniform numbers in (0, 1), alike along n."""
        u = next(self._coordinates, None)
        if u is None:
            u = torch.rand(self.shape[0], generator=self._generator, dtype=torch.float64)
        return open_interval(u[:, None].repeat(1, self.shape[1]))


def open_interval(u: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """Move the end points of [0, 1] inside by half a float32 step, in place."""
    return u.clamp_(2.0**-25, 1.0 - 2.0**-24)
