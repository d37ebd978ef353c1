"""Random numbers keyed by what they are for, so that no simulation order can change them.

Each draw is seeded by (seed, chip, purpose, event): there is no generator state to carry, chip 7 is
the same chip whether 8 or 800 are simulated, on CPU and CUDA, and resuming needs only counters.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from mho.physics.noise import open_interval


def key(*words: int | str) -> int:
    """Mix words into a 63-bit seed; different words give unrelated seeds."""
    digest = hashlib.blake2b(repr(words).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def seed_of(generator: torch.Generator | None) -> int:
    """Draw a seed from a generator; without one, torch's initial seed, read and not consumed."""
    if generator is None:
        return torch.initial_seed() >> 1
    device = generator.device
    return int(torch.randint(2**62, (1,), generator=generator, device=device).item())


class ChipNoise:
    """Noise for one event on `shape` cells of each chip: results are (chips, *shape).

    Numbers are made on the CPU and moved to `device`.
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
        self._shape, self._device = shape, torch.device(device)
        self._draws = 0

    def normal(self) -> Tensor:
        """Standard normal numbers (chips, *shape)."""
        return self._fill(Tensor.normal_)

    def uniform(self) -> Tensor:
        """Uniform numbers in (0, 1), (chips, *shape)."""
        return open_interval(self._fill(Tensor.uniform_))

    def _fill(self, fill: Callable[..., Tensor]) -> Tensor:
        out = torch.empty((len(self._chips), *self._shape), dtype=torch.float32)
        rows = (out,) if len(self._chips) == 1 else out.unbind()
        for row, chip in zip(rows, self._chips, strict=True):
            seed = key(self._seed, chip, *self._words, self._draws)
            fill(row, generator=_OWN.generator.manual_seed(seed))
        self._draws += 1
        return out if self._device.type == "cpu" else out.to(self._device, non_blocking=True)


class _Own(threading.local):
    """Of each thread."""

    def __init__(self) -> None:
        self.generator = torch.Generator()
        """Seeded before each use: it costs as much to make as a few numbers to draw."""


_OWN = _Own()


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
