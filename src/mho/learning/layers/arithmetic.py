"""Fixed-point numbers: two's complement, one binary point a tensor."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from mho.arguments import checked
from mho.errors import invalid
from mho.learning.layers.inputs import check_input

_FAR = 64
"""Integer bits reach from -64 to 64: 2^64 and its inverse, and the scales between, are floats."""


class QFormat(NamedTuple):
    """Qm.n: one sign bit, m integer bits, n fraction bits; either may be negative.

    The numbers are `k 2^-n` with integer k in `[-2^(m + n), 2^(m + n) - 1]`.
    """

    integer: int
    fraction: int

    def __str__(self) -> str:
        return f"Q{self.integer}.{self.fraction}"


class FixedPoint(nn.Module):
    """Rounds to fixed point with a straight-through gradient: a parametrization or an activation.

    `quantize(layer, FixedPoint(8))` makes the layer's weight 8-bit while its float weight trains.
    Ties go to even and what lies beyond the range saturates; the gradient is 0 there, else 1. The
    result has the input's dtype: above 25 bits float32 holds the upper part of the grid only.

    Args:
        bits: of a number, sign included, 2 to 32.
        integer_bits: m of Qm.n, -64 to 64; None: for each tensor the least that holds its largest
            magnitude without saturation.
    """

    @checked
    def __init__(self, bits: int, integer_bits: int | None = None) -> None:
        super().__init__()
        if not 2 <= bits <= 32:
            raise invalid("FixedPoint.bits", bits, "2 to 32")
        if integer_bits is not None and not -_FAR <= integer_bits <= _FAR:
            raise invalid("FixedPoint.integer_bits", integer_bits, f"None or {-_FAR} to {_FAR}")
        self.bits, self.integer_bits = bits, integer_bits

    def format(self, x: Float[Tensor, "*n"]) -> QFormat:
        """The format that x is rounded to.

        Raises:
            ValueError: the format depends on x, and x is not finite.
        """
        m = self.integer_bits
        if m is None:
            m = integer_bits_for(largest(x), self.bits)
        return QFormat(m, self.bits - 1 - m)

    def forward(self, x: Tensor) -> Float[Tensor, "*n"]:
        """Rounded numbers, same shape and dtype.

        Raises:
            ValueError: as `format`.
        """
        if not isinstance(x, Tensor) or not x.is_floating_point():
            check_input("FixedPoint", x)
        n = self.format(x).fraction
        low, high = _codes(self.bits, x.dtype)
        wide = x.detach().to(torch.promote_types(x.dtype, torch.float32))
        codes = wide.mul(2.0**n).round_()
        if not (torch.is_grad_enabled() and x.requires_grad):
            return codes.clamp_(low, high).mul_(2.0**-n).to(x.dtype)
        inside = (codes >= low) & (codes <= high)
        hard = codes.clamp_(low, high).mul_(2.0**-n).to(x.dtype)
        soft = torch.where(inside, x, 0.0)
        return hard + (soft - soft.detach())

    def extra_repr(self) -> str:
        """Qm.n, or the bits if m follows the tensor."""
        m = self.integer_bits
        return f"bits={self.bits}" if m is None else str(QFormat(m, self.bits - 1 - m))


class FixedPointArithmetic(nn.Module):
    """How one digital part computes: constants and results in fixed point, sums exact between.

    The format of a constant follows its present values, that of results is set by calibration.

    Attributes:
        constant: rounds a constant.
        output: rounds results.
        observing: whether results pass unrounded, and their size is noted.
        seen: largest magnitude noted; None: no result yet.
    """

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.constant, self.output = FixedPoint(bits), FixedPoint(bits)
        self.observing = False
        self.seen: float | None = None

    def result(self, y: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Results, rounded or noted."""
        if not self.observing:
            return self.output(y)
        self.seen = max(self.seen or 0.0, largest(y))
        return y

    def settle(self) -> None:
        """Stop observing: results have the format of the largest one noted from now on."""
        assert self.seen is not None
        self.output.integer_bits = integer_bits_for(self.seen, self.output.bits)
        self.observing = False

    def result_format(self) -> QFormat:
        """Format of the results."""
        assert self.output.integer_bits is not None
        return QFormat(self.output.integer_bits, self.output.bits - 1 - self.output.integer_bits)

    def get_extra_state(self) -> Tensor:
        """Bits, and integer bits of the results."""
        return torch.tensor([self.output.bits, self.output.integer_bits or 0])

    def set_extra_state(self, state: Tensor) -> None:
        """Take them back."""
        self.constant.bits = self.output.bits = int(state[0])
        self.output.integer_bits = int(state[1])


def largest(x: Tensor) -> float:
    """Largest magnitude; 0 if there is no number.

    Raises:
        ValueError: nan or inf.
    """
    if x.numel() == 0:
        return 0.0
    low, high = (edge.item() for edge in torch.aminmax(x.detach()))
    if not (math.isfinite(low) and math.isfinite(high)):
        raise invalid("fixed-point input", "nan or inf", "finite numbers only")
    return max(-low, high)


def integer_bits_for(magnitude: float, bits: int) -> int:
    """The least m, -64 to 64, with `round(magnitude 2^(bits - 1 - m)) <= 2^(bits - 1) - 1`.

    0 for a magnitude of 0.
    """
    m = math.frexp(magnitude)[1]
    if round(math.ldexp(magnitude, bits - 1 - m)) == 2 ** (bits - 1):
        m += 1
    return min(max(m, -_FAR), _FAR)


def _codes(bits: int, dtype: torch.dtype) -> tuple[float, float]:
    """Least and largest k that a tensor of the dtype can hold."""
    digits = 1 - round(math.log2(torch.finfo(dtype).eps))
    beyond = max(0, bits - 1 - digits)
    return -(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 2.0**beyond
