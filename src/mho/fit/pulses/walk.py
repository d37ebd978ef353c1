"""Likelihood of a cell that walks by pulses and is read after them.

The step of `Walk` is that of `mho.physics.PulseResponse`; conductances are in units of a window of
reference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from scipy.special import log_ndtr, ndtr

_STRAIGHT = 1e-7
_LOG_2PI = float(np.log(2 * np.pi))


class Course(Protocol):
    """How pulses move a cell, for a batch of parameters."""

    @property
    def low(self) -> np.ndarray:
        """Lower end of the window (batch, devices)."""
        ...

    @property
    def high(self) -> np.ndarray:
        """Upper end."""
        ...

    @property
    def log_read(self) -> np.ndarray:
        """ln of the standard deviation of one read."""
        ...

    def of(self, device: np.ndarray) -> Self:
        """That of the devices (n,)."""
        ...

    def step(
        self, g: np.ndarray, pulses: np.ndarray, up: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mean after a burst, what is left of a deviation before it, variance that it adds."""
        ...


@dataclass(frozen=True)
class Walk:
    """The exponential course; parameters, each broadcastable to (batch, devices)."""

    low: np.ndarray
    high: np.ndarray
    set_curve: np.ndarray
    """Non-linearity of SET; below 0: steps that grow."""
    reset_curve: np.ndarray
    log_ratio: np.ndarray
    """ln of the mean RESET step over the mean SET step."""
    log_noise: np.ndarray
    """ln of the standard deviation of one pulse."""
    log_read: np.ndarray
    """ln of the standard deviation of one read."""
    log_pulses: np.ndarray
    """ln of the SET pulses that cross the window."""

    def of(self, device: np.ndarray) -> Walk:
        """Parameters (batch, n) of the devices (n,)."""
        pick = [np.broadcast_to(v, self._shape)[:, device] for v in vars(self).values()]
        return Walk(*pick)

    @property
    def _shape(self) -> tuple[int, ...]:
        return np.broadcast_shapes(*(v.shape for v in vars(self).values()))

    def step(
        self, g: np.ndarray, pulses: np.ndarray, up: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Mean after a burst, what is left of a deviation before it, variance that it adds."""
        curve = np.where(up, self.set_curve, self.reset_curve)
        curve = np.where(np.abs(curve) < _STRAIGHT, _STRAIGHT, curve)
        rate = curve * np.exp(np.where(up, 0.0, self.log_ratio) - self.log_pulses)
        share = -np.expm1(-rate * pulses)
        width = self.high - self.low
        goal = np.where(up, self.low, self.high)
        goal = goal + np.where(up, 1.0, -1.0) * width / -np.expm1(-curve)
        count = np.expm1(-2 * rate * pulses) / np.expm1(-2 * rate)
        return g + share * (goal - g), 1 - share, np.exp(2 * self.log_noise) * count


def exact_reads(
    walk: Course,
    before: np.ndarray,
    after: np.ndarray,
    pulses: np.ndarray,
    up: np.ndarray,
    bounded: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log-density of each transition (batch, n), its mean and deviation; reads without error.

    Bounded: what would step over an end of the window stops there (Tobin 1958).
    """
    mean, _, variance = walk.step(before, pulses, up)
    sd = np.sqrt(variance)
    z = (after - mean) / sd
    inside = -0.5 * z**2 - np.log(sd) - 0.5 * _LOG_2PI
    if not bounded:
        return inside, mean, sd
    near = 1e-9
    log = np.where(after >= walk.high - near, log_ndtr((mean - walk.high) / sd), inside)
    log = np.where(after <= walk.low + near, log_ndtr((walk.low - mean) / sd), log)
    return log, mean, sd


def noisy_reads(
    walk: Course, g: np.ndarray, pulses: np.ndarray, up: np.ndarray, bounded: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log-density of each read (batch, chains, reads), its prediction and its deviation; 0 where
    there is no read.

    Kalman's filter. Bounded: before it is read the state is a normal that was cut at the ends of
    the window, its tails heaped there; the state after the read is such a mixture and is carried
    on as the normal of the same mean and variance (Maybeck 1979, assumed density).

    Args:
        walk: parameters (batch, chains).
        g, pulses, up: (chains, reads), as in `Trains`.
    """
    noise = np.exp(2 * walk.log_read)
    shape = np.broadcast_shapes(noise.shape, (len(g),))
    mean = np.broadcast_to(np.nan_to_num(g[:, 0], nan=0.5), shape)
    variance = np.where(np.isfinite(g[:, 0]), noise, 1.0) * np.ones(shape)
    logs = np.zeros((*shape, g.shape[1]))
    predicted, deviation = (np.full(logs.shape, np.nan) for _ in range(2))
    for k in range(1, g.shape[1]):
        moved, left, added = walk.step(mean, pulses[:, k], up[:, k])
        variance = left**2 * variance + added + 1e-16
        seen = np.isfinite(g[:, k])
        read = np.nan_to_num(g[:, k])
        spread = variance + noise
        predicted[..., k] = np.clip(moved, walk.low, walk.high) if bounded else moved
        deviation[..., k] = np.sqrt(spread)
        gain = variance / spread
        after, kept = moved + gain * (read - moved), (1 - gain) * variance
        log = -0.5 * (read - moved) ** 2 / spread - 0.5 * np.log(spread) - 0.5 * _LOG_2PI
        if bounded:
            log, after, kept = _cut(walk, moved, variance, read, noise, log, after, kept)
            moved = np.clip(moved, walk.low, walk.high)
        logs[..., k] = np.where(seen, log, 0.0)
        mean = np.where(seen, after, moved)
        variance = np.where(seen, kept, variance)
    return logs, predicted, deviation


def _cut(
    walk: Course,
    moved: np.ndarray,
    variance: np.ndarray,
    read: np.ndarray,
    noise: np.ndarray,
    log: np.ndarray,
    after: np.ndarray,
    kept: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log-density of a read of a normal cut at both ends, and the moments of the state after it."""
    sd, width = np.sqrt(variance), np.sqrt(kept)
    ends = (walk.low, walk.high)
    outside = (ndtr((walk.low - moved) / sd), ndtr((moved - walk.high) / sd))
    heaps = [
        share * np.exp(np.maximum(-0.5 * (read - end) ** 2 / noise, -700.0))
        / np.sqrt(2 * np.pi * noise)
        for share, end in zip(outside, ends, strict=True)
    ]  # fmt: skip
    a, b = ((end - after) / width for end in ends)
    inside = np.maximum(ndtr(b) - ndtr(a), 1e-100)
    pa, pb = (np.exp(-0.5 * np.minimum(x**2, 1400.0)) / np.sqrt(2 * np.pi) for x in (a, b))
    tilt = (pa - pb) / inside
    middle = np.clip(after + width * tilt, walk.low, walk.high)
    bulk = kept * np.clip(1 + (a * pa - b * pb) / inside - tilt**2, 0.0, 1.0)
    body = np.exp(np.maximum(log, -700.0)) * inside
    whole = body + heaps[0] + heaps[1] + 1e-300
    mean = (body * middle + heaps[0] * walk.low + heaps[1] * walk.high) / whole
    square = body * (bulk + middle**2) + heaps[0] * walk.low**2 + heaps[1] * walk.high**2
    return np.log(whole), mean, np.maximum(square / whole - mean**2, 1e-16)
