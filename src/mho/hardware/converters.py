"""Converters between digital numbers and currents: a symmetric grid with a range for each chip."""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor


class Converter:
    """The DACs or ADCs of one layer: all alike on a chip, each chip with a range of its own.

    Values are rounded to `2^bits - 1` even steps in [-range, range] and saturate beyond. The
    gradient passes straight through, and is 0 where the converter saturates.

    Args:
        kind: name for errors.
        bits: resolution, sign included; None: an exact converter.
        coverage: share of the magnitudes seen in calibration that the range covers.
        chips: number of chips.
    """

    def __init__(self, kind: str, bits: int | None, coverage: float, chips: int) -> None:
        self.kind, self.bits, self.coverage, self.chips = kind, bits, coverage, chips
        self.ranges: tuple[float, ...] | None = None
        """Largest value of each chip; None: not calibrated yet."""
        self.calibrating = False

    @property
    def ready(self) -> bool:
        """Whether it can convert."""
        return self.bits is None or self.ranges is not None

    def __call__(
        self, x: Float[Tensor, "*n"], *, overwrite: bool = False, chips: slice = slice(None)
    ) -> Float[Tensor, "*n"]:
        """Convert x (chips * n, ...), of all chips or some; `overwrite`: x is not needed any more.

        Raises:
            RuntimeError: there is no range yet.
        """
        if self.bits is None:
            return x
        folded, lsb, most = self._grid(x, chips)
        return convert(folded, lsb, most, overwrite).reshape(x.shape)

    def keeping_codes(self, x: Float[Tensor, "*n"]) -> tuple[Float[Tensor, "*n"], Tensor | None]:
        """Convert x (chips * n, ...), which is overwritten; also what `masked` needs."""
        if self.bits is None:
            return x, None
        folded, lsb, most = self._grid(x, slice(None))
        converted, codes = _converted(folded, lsb, most, overwrite=True)
        return converted.reshape(x.shape), codes.reshape(x.shape)

    def masked(self, grad: Float[Tensor, "*n"], codes: Tensor | None) -> Float[Tensor, "*n"]:
        """The gradient before the converter: 0 where it saturates."""
        if codes is None or self.bits is None:
            return grad
        return _masked(grad, codes, 2 ** (self.bits - 1) - 1)

    def _grid(self, x: Tensor, chips: slice) -> tuple[Tensor, float | Tensor, int]:
        """Values folded by chip if there are several, the step of each chip, steps to a side."""
        assert self.bits is not None
        if self.calibrating:
            self._widen(x)
        if self.ranges is None:
            raise RuntimeError(
                f"the {self.kind} has {self.bits} bits and no range yet: "
                "call mho.calibrate(net, batch) first"
            )
        most = 2 ** (self.bits - 1) - 1
        steps = [full_scale / most or 1.0 for full_scale in self.ranges[chips]]
        if len(steps) == 1:
            return x, steps[0], most
        folded = x.unflatten(0, (len(steps), -1))
        return folded, folded.new_tensor(steps).view(-1, *(1,) * (folded.dim() - 1)), most

    def _widen(self, x: Tensor) -> None:
        """Let each chip's range cover what it sees."""
        size = x.detach().reshape(self.chips, -1).abs()
        if self.coverage == 1.0:
            seen = size.amax(1)
        else:
            seen = size.kthvalue(max(1, math.ceil(self.coverage * size.shape[1])), dim=1).values
        before = self.ranges or (0.0,) * self.chips
        self.ranges = tuple(max(a, b) for a, b in zip(before, seen.tolist(), strict=True))

    def state(self) -> list[float]:
        """Ranges as numbers, nan if there are none."""
        return list(self.ranges or (math.nan,) * self.chips)

    def load(self, state: list[float]) -> None:
        """Take the ranges back."""
        self.ranges = None if any(map(math.isnan, state)) else tuple(state)


def convert(
    x: Float[Tensor, "*n"],
    lsb: float | Float[Tensor, "*_"],
    most: int,
    overwrite: bool = False,
) -> Float[Tensor, "*n"]:
    """Round to multiples of `lsb` (broadcast against x), at most `most` of them to either side."""
    if torch.is_grad_enabled() and x.requires_grad:
        return _StraightThrough.apply(x, lsb, most)  # type: ignore[return-value]
    # In place, pass by pass: faster than a fused operator that also makes a mask.
    codes = x.mul_(1 / lsb) if overwrite else x.mul(1 / lsb)
    return codes.round_().clamp_(-most, most).mul_(lsb)


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, lsb: float | Tensor, most: int) -> Tensor:
        converted, codes = _converted(x, lsb, most)
        ctx.save_for_backward(codes)
        ctx.most = most
        return converted

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (codes,) = ctx.saved_tensors
        return _masked(grads[0], codes, ctx.most), None, None


def _converted(
    x: Tensor, lsb: float | Tensor, most: int, overwrite: bool = False
) -> tuple[Tensor, Tensor]:
    """Converted values, and their codes before they saturate."""
    codes = (x.mul_(1 / lsb) if overwrite else x.mul(1 / lsb)).round_()
    return codes.clamp(-most, most).mul_(lsb), codes


def _masked(grad: Tensor, codes: Tensor, most: int) -> Tensor:
    return torch.ops.aten.hardtanh_backward(grad, codes, -most - 0.5, most + 0.5)
