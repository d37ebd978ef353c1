"""Noise in double precision, so that rounding does not blur a property."""

import torch

from mho.physics import GeneratorNoise


def noise(seed: int, *shape: int) -> GeneratorNoise:
    """A source of normal scores of one shape."""
    return GeneratorNoise(shape, torch.Generator().manual_seed(seed), torch.float64)
