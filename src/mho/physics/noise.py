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


def open_interval(u: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """Move the end points of [0, 1] inside by half a float32 step, in place."""
    return u.clamp_(2.0**-25, 1.0 - 2.0**-24)
