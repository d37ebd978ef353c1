"""Architectures of analog-to-digital converters, and the errors that each of them makes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from mho.config import Config, Range

Steps = Annotated[float, Range(least=0.0, most=1e3)]
"""An error in steps of the converter [LSB]."""
Mismatch = Annotated[float, Range(least=0.0, most=0.3)]
"""Standard deviation of a unit element over its mean [1]."""


class ADC(Config, ABC):
    """An architecture with its errors; leaves are final.

    A converter of a layer is made with errors of its own, which stay: what arrives at it as v steps
    (LSB, its range over 2^(bits - 1) - 1) becomes the code whose thresholds lie around

        (1 + gain) (v + noise) + offset.

    Without errors the thresholds of code c are c - 1/2 and c + 1/2.
    """

    whole_array: ClassVar[bool] = False
    """Whether gain and thresholds are those of an array; else each converter has its own."""

    offset: Steps = 0.0
    """Offset of a converter, standard deviation [LSB]."""
    gain: Annotated[float, Range(least=0.0, most=0.3)] = 0.0
    """Relative error of its gain, standard deviation [1]."""
    noise: Steps = 0.0
    """Noise of each conversion, at the input, root mean square [LSB]."""
    share: Annotated[int, Range(least=1, most=65536)] | None = None
    """Neighbouring columns of an array that one converter serves, one after another [1]; None: one
    has errors of its own, and `Prices.adc_share` says how many a converter costs."""

    @abstractmethod
    def numbers(self, bits: int) -> int:
        """Standard normal numbers that make one set of thresholds; 0: they are evenly spaced."""

    @abstractmethod
    def thresholds(
        self, z: Float[Tensor, "*n numbers"], bits: int
    ) -> Float[Tensor, "*n 2**{bits}-2"]:
        """Thresholds between neighbouring codes, lowest first, none below the one before [LSB].

        Args:
            z: standard normal numbers, as many as `numbers` says.
            bits: resolution.
        """

    @property
    def most_bits(self) -> int:
        """Largest resolution that it is simulated at [1]."""
        return 14

    @property
    def exact(self) -> bool:
        """Whether it has no errors that stay."""
        return not (self.offset or self.gain or self.numbers(2))


class IdealADC(ADC):
    """Evenly spaced thresholds."""

    family: ClassVar[str] = "ideal"

    @property
    def most_bits(self) -> int:
        return 16

    def numbers(self, bits: int) -> int:
        return 0

    def thresholds(self, z: Tensor, bits: int) -> Tensor:
        return _even(bits).expand(*z.shape[:-1], -1)


class SarADC(ADC):
    """Successive approximation by a charge-redistribution converter of binary-weighted capacitors.

    Bit b switches 2^b unit capacitors, whose sum is off by `mismatch * 2^(b / 2)` units; one more
    unit completes the array, over whose sum all is measured. The search takes a bit where what it
    has, that bit included, is not above the input: codes may be missed, none is out of order. The
    capacitors of code c are those of the offset-binary number c + 2^(bits - 1).

    At the middle, where all capacitors change places, the integral nonlinearity has a standard
    deviation of `mismatch * 2^(bits / 2 - 1)` and the differential one `mismatch * 2^(bits / 2)`.
    """

    family: ClassVar[str] = "sar"

    mismatch: Mismatch = 0.0
    """Of a unit capacitor, standard deviation over its mean [1]."""

    def numbers(self, bits: int) -> int:
        return bits + 1 if self.mismatch else 0

    def thresholds(self, z: Tensor, bits: int) -> Tensor:
        if not self.mismatch:
            return _even(bits).expand(*z.shape[:-1], -1)
        units = torch.tensor([1.0, *(2.0**bit for bit in range(bits))], dtype=torch.float64)
        capacitors = (units + self.mismatch * units.sqrt() * z.double()).clamp(min=0.0)
        codes = torch.arange(2, 2**bits).unsqueeze(-1)
        taken = codes.bitwise_right_shift(torch.arange(bits)).bitwise_and(1).double()
        # (..., bits) @ (bits, codes)
        levels = 2**bits * (capacitors[..., 1:] @ taken.T) / capacitors.sum(-1, keepdim=True)
        reached = levels.flip(-1).cummin(-1).values.flip(-1)
        return reached - 2 ** (bits - 1) - 0.5


class RampADC(ADC):
    """A ramp that all columns of an array are compared with, counted until each comparator trips.

    Its steps, unit elements between two references, and its bow are the same for all columns of an
    array, and so is `gain`, its slope; `offset` is of each column's comparator. The integral
    nonlinearity at the middle has a standard deviation of `mismatch * 2^(bits / 2 - 1)` from the
    steps, and `bow` from the bow.
    """

    family: ClassVar[str] = "ramp"
    whole_array: ClassVar[bool] = True

    mismatch: Mismatch = 0.0
    """Of a step of the ramp, standard deviation over its mean [1]."""
    bow: Steps = 0.0
    """Height of a parabola that the ramp is off by at its middle, 0 at its ends: standard deviation
    over arrays [LSB]."""

    def numbers(self, bits: int) -> int:
        return 2**bits if self.mismatch or self.bow else 0

    def thresholds(self, z: Tensor, bits: int) -> Tensor:
        even = _even(bits)
        if not self.numbers(bits):
            return even.expand(*z.shape[:-1], -1)
        z = z.double()
        arch = 1 - (even / 2 ** (bits - 1)).square()
        bowed = even + self.mismatch * string(z[..., 1:]) + self.bow * z[..., :1] * arch
        return bowed.cummax(-1).values


class FlashADC(ADC):
    """A comparator at each threshold, on the taps of a string of resistors; those that trip are
    counted."""

    family: ClassVar[str] = "flash"

    mismatch: Mismatch = 0.0
    """Of a resistor of the string, standard deviation over its mean [1]."""
    comparators: Steps = 0.0
    """Offset of each comparator, standard deviation [LSB]."""

    @property
    def most_bits(self) -> int:
        return 8

    def numbers(self, bits: int) -> int:
        return 2 * 2**bits - 3 if self.mismatch or self.comparators else 0

    def thresholds(self, z: Tensor, bits: int) -> Tensor:
        even = _even(bits)
        if not self.numbers(bits):
            return even.expand(*z.shape[:-1], -1)
        resistors, own = z.double().split([2**bits - 1, 2**bits - 2], -1)
        return (even + self.mismatch * string(resistors) + self.comparators * own).sort(-1).values


def _even(bits: int) -> Float[Tensor, " codes"]:
    """Thresholds without errors [LSB]."""
    most = 2 ** (bits - 1) - 1
    return torch.arange(-most, most, dtype=torch.float64) + 0.5


def string(z: Float[Tensor, "*n elements"]) -> Float[Tensor, "*n taps"]:
    """How far the taps of a string of elements with errors z are off between its two ends."""
    sums, elements = z.cumsum(-1), z.shape[-1]
    along = torch.arange(1, elements, dtype=z.dtype) / elements
    return sums[..., :-1] - along * sums[..., -1:]
