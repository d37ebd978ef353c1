"""Random numbers in double precision that depend on a seed and a shape alone."""

import math

import torch
from torch import Tensor


def uniform(*shape: int, seed: int = 0, low: float = 0.0, high: float = 1.0) -> Tensor:
    """Numbers between two limits."""
    random = torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return low + (high - low) * random


def cells(*shape: int, seed: int = 0, low: float = 1e-6, high: float = 1e-3) -> Tensor:
    """Log-uniform conductances [S]."""
    return uniform(*shape, seed=seed, low=math.log(low), high=math.log(high)).exp()
