"""Converters between digital numbers and currents: a symmetric grid with a range."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mho.kernels import native
from mho.kernels.sense import quantize, stop

ALL = slice(None)
"""All chips."""


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
        self.most = 0 if bits is None else 2 ** (bits - 1) - 1
        """Largest code; 0 if exact."""
        self.own, self.fixed = dict(own or {}), fixed
        self.calibrating = False
        self.tally: Tally | None = None
        """What counts the conversions, if anything does."""
        self._ranges: Tensor | None = None
        self._steps = self._inverse = torch.ones(0)
        self._grids: dict[int, Grids] = {}

    @property
    def ranges(self) -> Tensor | None:
        """Largest value, float64 (chips, *own), set as a whole; None: there is none yet."""
        return self._ranges

    @ranges.setter
    def ranges(self, ranges: Tensor | Sequence[float] | None) -> None:
        self._grids = {}
        if ranges is None:
            self._ranges = None
            return
        given = torch.as_tensor(ranges, dtype=torch.float64, device="cpu")
        self._ranges = given.reshape(self.chips, *self.own.values())
        steps = self._ranges / (self.most or 1)
        self._steps = steps.masked_fill(steps == 0, 1.0)
        self._inverse = 1 / self._steps

    @property
    def ready(self) -> bool:
        """Whether it can convert."""
        return self.bits is None or self.ranges is not None

    @property
    def watched(self) -> bool:
        """Whether something takes note of what is converted."""
        return self.calibrating or self.tally is not None

    def __call__(
        self, x: Float[Tensor, "*n"], *, overwrite: bool = False, chips: slice = ALL
    ) -> Float[Tensor, "*n"]:
        """Convert x (chips * n, ...), of all chips or some; `overwrite`: x is not needed any more.

        Raises:
            RuntimeError: there is no range yet.
        """
        if self.bits is None:
            return x
        if torch.is_grad_enabled() and x.requires_grad:
            return _StraightThrough.apply(x, self)  # type: ignore[return-value]
        return self.keeping(x, overwrite=overwrite, chips=chips, keep=False)[0]

    def keeping(
        self,
        x: Float[Tensor, "*n"],
        *,
        overwrite: bool = False,
        chips: slice = ALL,
        keep: bool = True,
    ) -> tuple[Float[Tensor, "*n"], Bool[Tensor, "*n"] | None]:
        """Convert x as a call does; also where the gradient passes, None if everywhere."""
        if self.bits is None:
            return x, None
        if self.calibrating:
            self._widen(x)
        if self.tally is None and native(x) and not self.own:
            return self._quantized(x.detach(), chips, keep)
        folded, lsb, inverse = self._grid(x, chips)
        if self.tally is not None:
            self.tally.add(folded.detach() * inverse, self.most, chips)
        codes = (folded.mul_(inverse) if overwrite else folded.mul(inverse)).round_()
        if not keep:
            return codes.clamp_(-self.most, self.most).mul_(lsb).reshape(x.shape), None
        edged = codes.clamp(-self.most, self.most)
        passes = codes == edged
        # (chips, n, ...) -> (chips * n, ...)
        return edged.mul_(lsb).reshape(x.shape), passes.reshape(x.shape)

    def _quantized(self, x: Tensor, chips: slice, keep: bool) -> tuple[Tensor, Tensor | None]:
        """`keeping` in compiled code."""
        step, inverse = self.grids(1)
        if chips != ALL:
            step, inverse = step[chips], inverse[chips]
        out, passes = torch.empty_like(x), np.empty(x.numel() if keep else 0, np.bool_)
        saturated = quantize(x.numpy(), inverse, step, self.most, out.numpy(), passes)
        return out, torch.from_numpy(passes).view(x.shape) if saturated else None

    def grids(self, columns: int) -> Grids:
        """What columns are rounded to, in the form that kernels take.

        Raises:
            RuntimeError: there is no range yet.
        """
        if columns not in self._grids:
            self._check_ranges()
            groups = self.own.get(-3, 1) if -1 in self.own else 1
            # (chips, *own) -> (chips, groups, columns or 1)
            both = (t.float().view(self.chips, groups, -1) for t in (self._steps, self._inverse))
            # (chips, groups, columns)
            every = (t.expand(-1, -1, columns).contiguous().cpu().numpy() for t in both)
            self._grids[columns] = Grids(*every)
        return self._grids[columns]

    def planes(self, x: Float[Tensor, "*n"]) -> Iterator[tuple[float, Float[Tensor, "*n"]]]:
        """The bits of converted x (chips * n, ...), each 0 or the range, with their factors.

        In two's complement: `x = sum factor * plane`, the last factor negative.
        """
        assert self.bits is not None
        folded, lsb, inverse = self._grid(x, ALL)
        codes = folded.mul(inverse).round_().to(torch.int32)
        edge = lsb * self.most
        for bit in range(self.bits):
            plane = codes.bitwise_and(1 << bit).ne_(0).to(x.dtype).mul_(edge).reshape(x.shape)
            sign = -1 if bit == self.bits - 1 else 1
            yield sign * 2**bit / self.most, plane

    def _grid(self, x: Tensor, chips: slice) -> tuple[Tensor, float | Tensor, float | Tensor]:
        """Values folded by chip if there are several, the step of each, and its inverse."""
        self._check_ranges()
        if len(self._steps[chips]) == 1 and not self.own:
            return x, self._steps[chips].item(), self._inverse[chips].item()
        if self._steps.device != x.device:
            self._steps, self._inverse = self._steps.to(x.device), self._inverse.to(x.device)
        steps, inverse = (t[chips].to(x.dtype) for t in (self._steps, self._inverse))
        # (chips * n, ...) -> (chips, n, ...), and steps that broadcast over it
        folded = x if len(steps) == 1 else x.unflatten(0, (len(steps), -1))
        shape = [len(steps), *(1,) * (folded.dim() - 1)]
        for dim, size in self.own.items():
            shape[dim] = size
        return folded, steps.view(shape), inverse.view(shape)

    def _check_ranges(self) -> None:
        if self.ranges is None:
            raise RuntimeError(
                f"the {self.kind} has {self.bits} bits and no range yet: "
                "call mho.calibrate(net, batch) first"
            )

    def _widen(self, x: Tensor) -> None:
        """Let each range cover what it sees."""
        # (chips * n, ...) -> (chips, n, ...) -> (chips, *own, the rest)
        size = x.detach().abs().unflatten(0, (self.chips, -1))
        size = size.movedim(tuple(self.own), tuple(range(1, 1 + len(self.own))))
        size = size.reshape(self.chips, *self.own.values(), -1)
        if self.coverage == 1.0:
            seen = size.amax(-1)  # (chips, *own)
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


class Grids(NamedTuple):
    """What converters round to, float32 (chips, groups of rows, columns)."""

    step: np.ndarray
    """Distance between neighbouring values."""
    inverse: np.ndarray
    """1 / step."""


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
        # (chips, values)
        codes = steps.round_().reshape(len(saturated), -1)
        saturated += (codes.abs() > most).sum(1).cpu()
        self.conversions[chips] += codes.shape[1]
        self.squares[chips] += codes.clamp_(-most, most).long().square_().sum(1).cpu()


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, converter: Converter) -> Tensor:
        converted, passes = converter.keeping(x)
        ctx.save_for_backward(passes)
        return converted

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return passed(grads[0], *ctx.saved_tensors), None


def passed(grad: Float[Tensor, "*#n"], passes: Bool[Tensor, "*#n"] | None) -> Float[Tensor, "*#n"]:
    """The gradient before a conversion: 0 where it saturated; `passes` as `keeping` gives it."""
    if passes is None:
        return grad
    plain = native(grad) and passes.is_contiguous() and passes.shape == grad.shape
    if grad.requires_grad or not plain:
        return torch.where(passes, grad, 0.0)
    out = torch.empty_like(grad)
    stop(grad.numpy(), passes.numpy(), out.numpy())
    return out
