"""Voltages over time: a sine, a triangle, a train of pulses, or samples.

All are continuous and start at t = 0. `corners` are the times between which a voltage is smooth
and keeps its sign; no step of a solver may lie across one.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Annotated, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from mho.config import Config, Range, Taken
from mho.errors import invalid
from mho.quantities import Hertz, PositiveSeconds, SignedVolts

Volts = Callable[[Float[Tensor, "*n"]], Float[Tensor, "*n"]]
"""Voltage [V] a time [s] after the start of a piece."""


class Waveform(Config, ABC):
    """Voltage over time; leaves are final."""

    @property
    @abstractmethod
    def duration(self) -> float:
        """When it ends [s]."""

    @property
    @abstractmethod
    def peak(self) -> float:
        """Largest voltage of either sign [V]."""

    @abstractmethod
    def corners(self) -> Float64[Tensor, " n"]:
        """Times at which it bends or crosses 0 V, its start and end among them [s], rising."""

    @abstractmethod
    def at(self, t: Float64[Tensor, " n"]) -> Float64[Tensor, " n"]:
        """Voltage [V] at times t [s] within the duration."""

    def piece(self, begin: float, end: float, ends: tuple[float, float]) -> Volts:
        """Voltage between two times with no corner between them, where it is `ends`."""
        first, last = ends
        slope = (last - first) / (end - begin)
        return lambda s: first + slope * s


class Periodic(Waveform):
    """Whole periods of both polarities."""

    amplitude: SignedVolts
    """Peak voltage [V]; negative: the negative half comes first."""
    frequency: Hertz
    """Frequency [Hz]."""
    cycles: Annotated[int, Range(least=1, most=1_000_000)] = 1
    """Number of periods [1]."""

    @property
    def duration(self) -> float:
        """cycles / frequency."""
        return self.cycles / self.frequency

    @property
    def peak(self) -> float:
        """Of the amplitude."""
        return abs(self.amplitude)


class Sine(Periodic):
    """v = amplitude sin(2 pi frequency t)."""

    family: ClassVar[str] = "sine"

    def corners(self) -> Float64[Tensor, " n"]:
        """Crossings of 0 V."""
        return torch.arange(2 * self.cycles + 1, dtype=torch.float64) / (2 * self.frequency)

    def at(self, t: Float64[Tensor, " n"]) -> Float64[Tensor, " n"]:
        """The sine."""
        return self.amplitude * torch.sin(2 * math.pi * self.frequency * t)

    def piece(self, begin: float, end: float, ends: tuple[float, float]) -> Volts:
        """The sine, its phase at the beginning taken in double precision."""
        omega = 2 * math.pi * self.frequency
        phase = math.fmod(omega * begin, 2 * math.pi)
        return lambda s: self.amplitude * torch.sin(phase + omega * s)


class Samples(Waveform):
    """Straight lines between samples, as an instrument recorded them."""

    family: ClassVar[str] = "samples"

    times: Taken[Sequence[float], Annotated[tuple[float, ...], Range(least=0.0, most=1e12)]]
    """Times of the samples [s]: the first 0, then rising."""
    volts: Taken[Sequence[float], Annotated[tuple[float, ...], Range(least=-1e3, most=1e3)]]
    """Their voltages [V]."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.times) < 2 or self.times[0] != 0.0:
            raise invalid("Samples.times", self.times[:2], "two or more times, the first 0")
        for a, b in pairwise(self.times):
            if b <= a:
                raise invalid("Samples.times", (a, b), "rising")
        if len(self.volts) != len(self.times):
            raise invalid("Samples.volts", len(self.volts), f"{len(self.times)} values")

    @property
    def duration(self) -> float:
        """The last time."""
        return self.times[-1]

    @property
    def peak(self) -> float:
        """Of the samples."""
        return max(map(abs, self.volts))

    def corners(self) -> Float64[Tensor, " n"]:
        """The times, and where a line crosses 0 V."""
        t, v = np.array(self.times), np.array(self.volts)
        k = np.flatnonzero(v[:-1] * v[1:] < 0)
        crossings = t[k] + (t[k + 1] - t[k]) * v[k] / (v[k] - v[k + 1])
        return torch.from_numpy(np.union1d(t, crossings))

    def at(self, t: Float64[Tensor, " n"]) -> Float64[Tensor, " n"]:
        """The lines."""
        return torch.from_numpy(np.interp(t.numpy(), self.times, self.volts))


class Triangle(Periodic):
    """Straight sweeps 0, amplitude, 0, -amplitude, 0."""

    family: ClassVar[str] = "triangle"

    def corners(self) -> Float64[Tensor, " n"]:
        """Peaks and crossings of 0 V."""
        return torch.arange(4 * self.cycles + 1, dtype=torch.float64) / (4 * self.frequency)

    def at(self, t: Float64[Tensor, " n"]) -> Float64[Tensor, " n"]:
        """The sweeps."""
        quarter = torch.remainder(4 * self.frequency * t + 1, 4)  # 0 at the negative peak
        return self.amplitude * (1 - (quarter - 2).abs())


class PulseTrain(Waveform):
    """Equal pulses, each a rise, a flat top, a fall of the same length and a rest at 0 V."""

    family: ClassVar[str] = "pulse-train"

    amplitude: SignedVolts
    """Voltage of the flat top [V]."""
    width: PositiveSeconds
    """Length of the flat top [s]."""
    rise: PositiveSeconds
    """Length of the rise and of the fall [s]."""
    rest: PositiveSeconds
    """Length of the rest after each pulse [s]."""
    count: Annotated[int, Range(least=1, most=1_000_000)] = 1
    """Number of pulses [1]."""

    @property
    def period(self) -> float:
        """From one pulse to the next [s]."""
        return self.width + 2 * self.rise + self.rest

    @property
    def duration(self) -> float:
        """count periods."""
        return self.count * self.period

    @property
    def peak(self) -> float:
        """Of the amplitude."""
        return abs(self.amplitude)

    def ends(self) -> Float64[Tensor, " n"]:
        """When each pulse and the rest after it are over [s]."""
        return torch.arange(1, self.count + 1, dtype=torch.float64) * self.period

    def corners(self) -> Float64[Tensor, " n"]:
        """Four a pulse."""
        start = torch.arange(self.count, dtype=torch.float64)[:, None] * self.period
        inside = (0.0, self.rise, self.rise + self.width, 2 * self.rise + self.width)
        inner = (start + torch.tensor(inside, dtype=torch.float64)).flatten()
        return torch.cat([inner, inner.new_tensor([self.duration])])

    def at(self, t: Float64[Tensor, " n"]) -> Float64[Tensor, " n"]:
        """The pulses."""
        begin = torch.floor(t / self.period) * self.period
        off_top = (t - begin - self.rise - self.width / 2).abs() - self.width / 2
        return self.amplitude * (1 - off_top / self.rise).clamp(0.0, 1.0)
