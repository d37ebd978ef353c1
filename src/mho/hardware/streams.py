"""Random numbers keyed by what they are for, so that no simulation order can change them.

Each draw has a stream of its own, made of (seed, chip, purpose, event): there is no generator state
to carry, chip 7 is the same chip whether 8 or 800 are simulated, on CPU and CUDA, and resuming
needs only counters.
"""

from __future__ import annotations

import hashlib
import math
import operator
from collections.abc import Callable, Sequence
from typing import SupportsIndex

import numpy as np
import torch
from torch import Tensor

from mho.hardware.philox import normals, uniforms

_NOTHING = hashlib.blake2b(digest_size=8)
"""A digest of no words yet: a copy of it is cheaper than a new one."""


def key(*words: SupportsIndex | str) -> int:
    """Mix words into 64 bits that name a stream; different words give unrelated streams.

    An integer counts by its value, whoever made it: Python, NumPy or torch; True is 1.

    Raises:
        TypeError: a word is neither an integer nor a string.
    """
    for word in words:
        if type(word) is not int and type(word) is not str:
            words = tuple(map(_plain, words))
            break
    mixed = _NOTHING.copy()
    mixed.update(ascii(words).encode())
    return int.from_bytes(mixed.digest(), "little")


def derived_seed(*words: SupportsIndex | str) -> int:
    """A seed made of words: 63 bits, as far as int64 and torch's and NumPy's generators take it."""
    return key(*words) >> 1


def seed_of(generator: torch.Generator | None) -> int:
    """Draw a seed of 62 bits from a generator; None: torch's default one."""
    generator = generator or torch.default_generator
    device = generator.device
    return int(torch.randint(2**62, (1,), generator=generator, device=device).item())


def _plain(word: SupportsIndex | str) -> int | str:
    """A word as Python's own integer or string."""
    if isinstance(word, str):
        return str.__str__(word)
    return int(word) if isinstance(word, np.bool_) else operator.index(word)


class ChipNoise:
    """Noise for one event on `shape` cells of each chip: results are (chips, *shape), float32.

    Numbers are made on `device`, and are the same on all of them.
    """

    def __init__(
        self,
        seed: int,
        chips: range,
        words: tuple[int | str, ...],
        shape: tuple[int, ...],
        device: torch.device | str = "cpu",
    ) -> None:
        self._seed, self._chips, self._words = seed, chips, words
        self._shape, self._device = shape, device
        self._draws = 0

    def normal(self) -> Tensor:
        """Standard normal numbers (chips, *shape)."""
        return self._draw(normals)

    def uniform(self) -> Tensor:
        """Uniform numbers in (0, 1), (chips, *shape)."""
        return self._draw(uniforms)

    def _draw(self, numbers: Callable[[Sequence[int], int, torch.device | str], Tensor]) -> Tensor:
        keys = [key(self._seed, chip, *self._words, self._draws) for chip in self._chips]
        self._draws += 1
        shape = self._shape
        drawn = numbers(keys, math.prod(shape), self._device)
        return drawn if len(shape) == 1 else drawn.view(len(keys), *shape)


class JoinedNoise:
    """Several events side by side, each with its own noise: results are (chips, n1 + n2 + ...)."""

    def __init__(self, parts: Sequence[ChipNoise]) -> None:
        self._parts = parts

    def normal(self) -> Tensor:
        """Standard normal numbers."""
        parts = [part.normal() for part in self._parts]
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)

    def uniform(self) -> Tensor:
        """Uniform numbers in (0, 1)."""
        return torch.cat([part.uniform() for part in self._parts], dim=1)
