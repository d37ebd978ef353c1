"""Converters between digital numbers and currents: a symmetric grid with a range."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor


class Converter:
    """The DACs or ADCs of one layer: a range for each chip, or for each of its columns.

    Values are rounded to `2^bits - 1` even steps in [-range, range] and saturate beyond. The
    gradient passes straight through, and is 0 where the converter saturates.

    Args:
        kind: name for errors.
        bits: resolution, sign included; None: an exact converter.
        coverage: share of the magnitudes seen in calibration that the range covers.
        chips: number of chips.
        own: dimensions, counted from the end, along which each place of what is converted has a
            range of its own, and their sizes, first dimension first.
        fixed: whether the range is the designer's, which no calibration changes.
    """

    def __init__(
        self,
        kind: str,
        bits: int | None,
        coverage: float,
        chips: int,
        *,
        own: Mapping[int, int] | None = None,
        fixed: bool = False,
    ) -> None:
        self.kind, self.bits, self.coverage, self.chips = kind, bits, coverage, chips
        self.own, self.fixed = dict(own or {}), fixed
        self.calibrating = False
        self.tally: Tally | None = None
        """What counts the conversions, if anything does."""
        self._ranges: Tensor | None = None
        self._steps = torch.ones(0)

    @property
    def ranges(self) -> Tensor | None:
        """Largest value, float64 (chips, *own), set as a whole; None: there is none yet."""
        return self._ranges

    @ranges.setter
    def ranges(self, ranges: Tensor | Sequence[float] | None) -> None:
        if ranges is None:
            self._ranges = None
            return
        given = torch.as_tensor(ranges, dtype=torch.float64, device="cpu")
        self._ranges = given.reshape(self.chips, *self.own.values())
        steps = self._ranges / (self.most or 1)
        self._steps = steps.masked_fill(steps == 0, 1.0)

    @property
    def most(self) -> int:
        """Largest code; 0 if exact."""
        return 0 if self.bits is None else 2 ** (self.bits - 1) - 1

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
        folded, lsb = self._seen(x, chips)
        return convert(folded, lsb, self.most, overwrite).reshape(x.shape)

    def keeping_codes(self, x: Float[Tensor, "*n"]) -> tuple[Float[Tensor, "*n"], Tensor | None]:
        """Convert x (chips * n, ...), which is overwritten; also what `masked` needs."""
        if self.bits is None:
            return x, None
        folded, lsb = self._seen(x, slice(None))
        converted, codes = _converted(folded, lsb, self.most, overwrite=True)
        return converted.reshape(x.shape), codes.reshape(x.shape)

    def masked(self, grad: Float[Tensor, "*n"], codes: Tensor | None) -> Float[Tensor, "*n"]:
        """The gradient before the converter: 0 where it saturates."""
        return grad if codes is None else _masked(grad, codes, self.most)

    def passes(self, codes: Tensor) -> Tensor:
        """Where, of what gave `codes`, it did not saturate."""
        return codes.abs_() <= self.most

    def planes(self, x: Float[Tensor, "*n"]) -> Iterator[tuple[float, Float[Tensor, "*n"]]]:
        """The bits of converted x (chips * n, ...), each 0 or the range, with their factors.

        In two's complement: `x = sum factor * plane`, the last factor negative.
        """
        assert self.bits is not None
        folded, lsb = self._grid(x, slice(None))
        codes = folded.mul(1 / lsb).round_().to(torch.int32)
        edge = lsb * self.most
        for bit in range(self.bits):
            plane = codes.bitwise_and(1 << bit).ne_(0).to(x.dtype).mul_(edge).reshape(x.shape)
            sign = -1 if bit == self.bits - 1 else 1
            yield sign * 2**bit / self.most, plane

    def _seen(self, x: Tensor, chips: slice) -> tuple[Tensor, float | Tensor]:
        """`_grid`, of values that calibration and the count take note of if they are under way."""
        if self.calibrating:
            self._widen(x)
        folded, lsb = self._grid(x, chips)
        if self.tally is not None:
            self.tally.add(folded.detach() * (1 / lsb), self.most, chips)
        return folded, lsb

    def _grid(self, x: Tensor, chips: slice) -> tuple[Tensor, float | Tensor]:
        """Values folded by chip if there are several, and the step of each."""
        if self.ranges is None:
            raise RuntimeError(
                f"the {self.kind} has {self.bits} bits and no range yet: "
                "call mho.calibrate(net, batch) first"
            )
        steps = self._steps[chips]
        if len(steps) == 1 and not self.own:
            return x, steps.item()
        if self._steps.device != x.device:
            self._steps = self._steps.to(x.device)
        steps = self._steps[chips].to(x.dtype)
        folded = x if len(steps) == 1 else x.unflatten(0, (len(steps), -1))
        shape = [len(steps), *(1,) * (folded.dim() - 1)]
        for dim, size in self.own.items():
            shape[dim] = size
        return folded, steps.view(shape)

    def _widen(self, x: Tensor) -> None:
        """Let each range cover what it sees."""
        size = x.detach().abs().unflatten(0, (self.chips, -1))
        size = size.movedim(tuple(self.own), tuple(range(1, 1 + len(self.own))))
        size = size.reshape(self.chips, *self.own.values(), -1)
        if self.coverage == 1.0:
            seen = size.amax(-1)
        else:
            seen = size.kthvalue(max(1, math.ceil(self.coverage * size.shape[-1])), dim=-1).values
        seen = seen.to("cpu", torch.float64)
        self.ranges = seen if self.ranges is None else torch.maximum(self.ranges, seen)

    def state(self) -> Tensor:
        """Ranges (n,), float64; nan if there are none."""
        shape = (self.chips, *self.own.values())
        none = torch.full(shape, math.nan, dtype=torch.float64)
        return (none if self.ranges is None else self.ranges).flatten()

    def load(self, state: Tensor) -> None:
        """Take the ranges back."""
        self.ranges = None if state.isnan().any() else state


class Tally:
    """Counts conversions, chip by chip.

    Attributes:
        conversions (chips,): int64, values converted.
        saturated (chips,): int64, those that fell beyond the largest code.
        squares (chips,): int64, squares of the codes that came out, summed.
    """

    def __init__(self, chips: int) -> None:
        self.conversions, self.saturated, self.squares = torch.zeros(
            3, chips, dtype=torch.int64
        ).unbind()

    def add(self, steps: Float[Tensor, "*n"], most: int, chips: slice) -> None:
        """Count values given in steps of the converter (chips, ...), of the chips named."""
        saturated = self.saturated[chips]
        codes = steps.round_().reshape(len(saturated), -1)
        saturated += (codes.abs() > most).sum(1).cpu()
        self.conversions[chips] += codes.shape[1]
        self.squares[chips] += codes.clamp_(-most, most).long().square_().sum(1).cpu()


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
