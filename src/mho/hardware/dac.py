"""Architectures of digital-to-analog converters, and the errors that each of them makes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from mho.config import Config, Range
from mho.hardware.adc import Mismatch, Steps, string


class DAC(Config, ABC):
    """An architecture with its errors; leaves are final.

    Each row is driven by a converter with errors of its own, which stay: code c is applied as

        (1 + gain) (c + INL(c)) + offset

    steps (LSB, the DACs' range over the largest code). INL is 0 at both ends of the range.
    """

    offset: Steps = 0.0
    """Offset of a driver, standard deviation [LSB]."""
    gain: Annotated[float, Range(least=0.0, most=0.3)] = 0.0
    """Relative error of its gain, standard deviation [1]."""

    @abstractmethod
    def numbers(self, bits: int) -> int:
        """Standard normal numbers that make the levels of one driver; 0: they are evenly spaced."""

    @abstractmethod
    def nonlinearity(
        self, z: Float[Tensor, "*n numbers"], bits: int
    ) -> Float[Tensor, "*n 2**{bits}"]:
        """How far the levels of all words are off, from the lowest word up [LSB].

        Args:
            z: standard normal numbers, as many as `numbers` says.
            bits: resolution.
        """

    @property
    def most_bits(self) -> int:
        """Largest resolution that it is simulated at with these errors [1]."""
        return 16

    @property
    def exact(self) -> bool:
        """Whether it has no errors."""
        return not (self.offset or self.gain or self.numbers(2))


class IdealDAC(DAC):
    """Evenly spaced levels."""

    family: ClassVar[str] = "ideal"

    def numbers(self, bits: int) -> int:
        return 0

    def nonlinearity(self, z: Tensor, bits: int) -> Tensor:
        return z.new_zeros(()).expand(*z.shape[:-1], 2**bits)


class StringDAC(DAC):
    """Taps of a string of equal resistors, one for each step.

    The integral nonlinearity in the middle has a standard deviation of
    `mismatch * 2^(bits / 2 - 1)`; levels keep their order.
    """

    family: ClassVar[str] = "string"

    mismatch: Mismatch = 0.0
    """Of a resistor of the string, standard deviation over its mean [1]."""

    @property
    def most_bits(self) -> int:
        return 10 if self.mismatch else 16

    def numbers(self, bits: int) -> int:
        return 2**bits - 1 if self.mismatch else 0

    def nonlinearity(self, z: Tensor, bits: int) -> Tensor:
        between = self.mismatch * string(z.double())  # (..., words - 2)
        return torch.nn.functional.pad(between, (1, 1))


class BinaryDAC(DAC):
    """Binary-weighted sources that the bits of the word switch, such as currents or capacitors.

    Bit b switches 2^b units, whose sum is off by `mismatch * 2^(b / 2)` units. In the middle, where
    all sources change places, the integral nonlinearity has a standard deviation of
    `mismatch * 2^(bits / 2 - 1)` and the step is off by twice that: levels may change their order.
    """

    family: ClassVar[str] = "binary"

    mismatch: Mismatch = 0.0
    """Of a unit source, standard deviation over its mean [1]."""

    @property
    def most_bits(self) -> int:
        return 12 if self.mismatch else 16

    def numbers(self, bits: int) -> int:
        return bits if self.mismatch and bits > 1 else 0

    def nonlinearity(self, z: Tensor, bits: int) -> Tensor:
        units = 2.0 ** torch.arange(bits, dtype=torch.float64)
        sources = self.mismatch * units.sqrt() * z.double()
        words = torch.arange(2**bits)
        taken = words.unsqueeze(-1).bitwise_right_shift(torch.arange(bits)).bitwise_and(1).double()
        off = sources @ taken.T  # (..., bits) @ (bits, words)
        return off - off[..., -1:] * words.double() / (2**bits - 1)
