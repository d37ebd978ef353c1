"""Converters between digital numbers and currents: a symmetric grid with a range."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mho.errors import NotReady, Said, invalid
from mho.hardware.converter_errors import ConverterErrors
from mho.hardware.tally import Tally
from mho.kernels import native
from mho.kernels.sense import quantize, stop

ALL = slice(None)
"""All chips."""


class Converter:
    """The DACs or ADCs of one layer: a range for each chip, or for each of its columns.

    Values are rounded to `2^bits - 1` even steps in [-range, range] and saturate beyond, infinite
    ones too; nan stays nan. Of 1 bit they are -range and range, by sign, and what is larger
    saturates (Hubara et al. 2016, arXiv:1602.02830). Without sign they are `2^bits` steps in
    [0, range], of values of 0 or more. The gradient passes straight through, and is 0 where the
    converter saturates.

    Args:
        kind: name for errors.
        bits: resolution, sign included; None: an exact converter.
        coverage: share of the magnitudes seen in calibration that the range covers.
        chips: number of chips.
        own: dimensions, counted from the end, along which each place of what is converted has a
            range of its own, and their sizes, first dimension first.
        fixed: whether the range is the designer's, which no calibration changes.
        growth: factor by which `follow` widens a range; 1: it does not.
        signed: whether values have a sign.
        errors: of the converters themselves; None: they have none. A step at the edge of a range
            is one of theirs.
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
        growth: float = 1.0,
        signed: bool = True,
        errors: ConverterErrors | None = None,
    ) -> None:
        self.kind, self.bits, self.coverage, self.chips = kind, bits, coverage, chips
        self.signed, self.by_sign = signed, signed and bits == 1
        """Whether a code has a sign; whether it is nothing else."""
        magnitudes = 1 if bits is None else 2 ** (bits - 1 if signed else bits)
        self.most = 1 if self.by_sign else magnitudes - 1
        """Largest code; 0 if exact."""
        self.own, self.fixed, self.growth = dict(own or {}), fixed, growth
        self.follows = bits is not None and not fixed and growth > 1.0
        """Whether `follow` may widen its ranges."""
        self.shape = (chips, *self.own.values())
        """Of its ranges."""
        self.errors = errors
        self._place = ALL
        """Which chips of `errors` it converts for, where it is that of some only."""
        self.calibrating = False
        self.tally: Tally | None = None
        """What counts the conversions, if anything does."""
        self.said = Said()
        """What its user was told of its present range."""
        self._seen: Tensor | None = None
        self._ranges: Tensor | None = None
        self._borrowed = torch.zeros(chips, dtype=torch.bool)
        """Which chips were not set yet where others were: theirs are the widest of those."""
        self._steps = self._inverse = torch.ones(0)
        self._grids: dict[int, Grids] = {}
        self._of_chips: dict[int, Converter] = {}
        """Those of one chip, as long as ranges stay."""

    @property
    def ranges(self) -> Tensor | None:
        """Largest value, float64 (chips, *own), set as a whole; None: there is none yet. One of 0
        converts to 0."""
        return self._ranges

    @ranges.setter
    def ranges(self, ranges: Tensor | Sequence[float] | None) -> None:
        self._grids, self._of_chips = {}, {}
        self._borrowed = torch.zeros(self.chips, dtype=torch.bool)
        if ranges is None:
            self._ranges = None
            return
        given = torch.as_tensor(ranges, dtype=torch.float64, device="cpu")
        self._ranges = given.reshape(self.shape)
        self._steps = self._ranges / (self.most or 1)
        self._inverse = torch.where(self._steps == 0, 0.0, 1 / self._steps)

    @property
    def steps(self) -> Tensor:
        """Distance between neighbouring values, float64 (chips, *own).

        Raises:
            RuntimeError: there is no range yet.
        """
        self.check_ready()
        return self._steps

    def fix(self, ranges: Tensor) -> None:
        """Set ranges, of any shape with as many places or one for all, that are kept from now on:
        nothing calibrates them and they follow nothing."""
        self.ranges = ranges.double().cpu().flatten().expand(math.prod(self.shape))
        self.fixed, self.follows = True, False

    @property
    def ready(self) -> bool:
        """Whether it can convert."""
        return self.bits is None or self.ranges is not None

    @property
    def unset(self) -> bool:
        """Whether no chip has a range that was set for it."""
        return self._ranges is None or bool(self._borrowed.all())

    @property
    def watched(self) -> bool:
        """Whether something looks at each value that is converted."""
        return self.calibrating or (self.tally is not None and self.tally.squares is not None)

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
        squares = self.tally is not None and self.tally.squares is not None
        plain = self.errors is None and not self.by_sign
        if plain and native(x) and not self.own and not squares:
            return self._quantized(x.detach(), chips, keep)
        folded, lsb, inverse = self._grid(x, chips)
        codes = folded.mul_(inverse) if overwrite else folded.mul(inverse)
        if self.by_sign:
            codes = signs(codes)
        elif self.errors is None:
            codes.round_()
        else:
            some = chips if self._place == ALL else self._place
            codes = self.errors.codes(codes.reshape(x.shape), some).view(folded.shape)
        if not keep and self.tally is None:
            return codes.clamp_(-self.most, self.most).mul_(lsb).reshape(x.shape), None
        edged = codes.clamp(-self.most, self.most)
        passes = (codes == edged).reshape(x.shape)  # (chips, n, ...) -> (chips * n, ...)
        if self.tally is not None:
            self.note(passes, passes, chips)
            self.tally.add_squares(edged.detach(), chips)
        return edged.mul_(lsb).reshape(x.shape), passes if keep else None

    def _quantized(self, x: Tensor, chips: slice, keep: bool) -> tuple[Tensor, Tensor | None]:
        """`keeping` in compiled code."""
        step, inverse = self.grids(1)
        if chips != ALL:
            step, inverse = step[chips], inverse[chips]
        marked = keep or self.tally is not None
        out, kept = torch.empty_like(x), np.empty(x.numel() if marked else 0, np.bool_)
        saturated = quantize(x.numpy(), inverse, step, self.most, out.numpy(), kept)
        passes = torch.from_numpy(kept).view(x.shape) if saturated else None
        if self.tally is not None:
            self.note(x, passes, chips)
        return out, passes if keep else None

    def note(self, x: Tensor, passes: Tensor | None, chips: slice) -> None:
        """Enter conversions of x (chips * n, ...) into the tally.

        Args:
            passes: which values did not saturate, shaped as x; None: all.
        """
        tally = self.tally
        assert tally is not None
        tally.conversions += x.numel()
        if passes is not None:
            count = len(self._steps[chips])
            tally.add(self._by_range(~passes.detach(), count).sum(-1), chips)

    def grids(self, columns: int) -> Grids:
        """What columns are rounded to, in the form that kernels take.

        Raises:
            RuntimeError: there is no range yet.
        """
        if columns not in self._grids:
            self.check_ready()
            groups = self.own.get(-3, 1) if -1 in self.own else 1
            # (chips, *own) -> (chips, groups, columns or 1)
            both = (t.float().view(self.chips, groups, -1) for t in (self._steps, self._inverse))
            # (chips, groups, columns)
            every = (t.expand(-1, -1, columns).contiguous().cpu().numpy() for t in both)
            self._grids[columns] = Grids(*every)
        return self._grids[columns]

    def planes(
        self, x: Float[Tensor, "*n"], chips: slice = ALL
    ) -> Iterator[tuple[float, Float[Tensor, "*n"]]]:
        """The bits of converted x (chips * n, ...), of all chips or some, each 0 or the range, with
        their factors.

        In two's complement: `x = sum factor * plane`, the last factor negative; of values without
        sign none is, and one that is nothing but a sign is one plane.
        """
        assert self.bits is not None
        if self.by_sign:
            yield 1.0, x
            return
        folded, lsb, inverse = self._grid(x, chips)
        codes = folded.mul(inverse).round_().to(torch.int32)
        edge = lsb * self.most
        for bit in range(self.bits):
            plane = codes.bitwise_and(1 << bit).ne_(0).to(x.dtype).mul_(edge).reshape(x.shape)
            sign = -1 if self.signed and bit == self.bits - 1 else 1
            if bit == 0:
                plane += x - x  # nan has no bits: it stays what it is
            yield sign * 2**bit / self.most, plane

    def _grid(self, x: Tensor, chips: slice) -> tuple[Tensor, float | Tensor, float | Tensor]:
        """Values folded by chip if there are several, the step of each, and its inverse."""
        self.check_ready()
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

    def hypot(self, deviations: Float[Tensor, "*n"], steps: float, chips: slice) -> Tensor:
        """Root of the sum of the squares of deviations of columns (chips * n, ...), of all chips or
        some, which broadcast to those, and of so many steps of their converters."""
        folded, lsb, _ = self._grid(deviations, chips)
        lsb = torch.as_tensor(lsb, dtype=folded.dtype, device=folded.device)
        both = folded.square() + (steps * lsb).square()
        both = both if folded.dim() == deviations.dim() else both.flatten(0, 1)
        return both.sqrt()

    def check_ready(self, where: str = "") -> None:
        """Refuse to convert without a range.

        Args:
            where: what the error begins with.

        Raises:
            RuntimeError: there is none.
        """
        if not self.ready:
            raise NotReady(
                f"{where}the {self.kind} has {self.bits} bits and no range yet: "
                "call mho.calibrate(net, batch) first"
            )

    # ---------------------------------------------------------------- ranges from what is seen

    def begin(self) -> None:
        """From now on let each range cover what it sees; `accept` ends this."""
        self.calibrating, self._seen, self.ranges = True, None, None

    def accept(self, name: str) -> bool:
        """Keep the ranges that cover what was seen.

        Args:
            name: of the layer, for errors.

        Returns:
            Whether anything was seen.

        Raises:
            ValueError: what was seen gives no range.
        """
        if self._seen is None:
            return False
        allowed = "inputs for which all values that reach it are finite"
        if not torch.isfinite(self._seen).all():
            raise invalid(f"values at the {self.kind} of {name}", "nan or inf", allowed)
        if not self._seen.any():
            share = "all" if self.coverage == 1.0 else f"{self.coverage:.4g} (coverage)"
            allowed = "inputs that give it a signal to set its range by"
            raise invalid(f"values at the {self.kind} of {name}", f"zero, {share} of them", allowed)
        self.said = Said()
        return True

    def _widen(self, x: Tensor) -> None:
        """Let each range cover what it sees."""
        if x.numel() == 0:
            return
        size = self._by_range(x.detach().abs(), self.chips)
        seen = size.amax(-1)  # (chips, *own); nan if there is one
        if self.coverage < 1.0:
            rank = max(1, math.ceil(self.coverage * size.shape[-1]))
            covered = size.kthvalue(rank, dim=-1).values
            seen = torch.where(seen.isfinite(), covered, seen)
        seen = seen.to("cpu", torch.float64)
        self._seen = seen if self._seen is None else torch.maximum(self._seen, seen)
        self.ranges = _filled(self._seen)

    def _by_range(self, x: Tensor, chips: int) -> Tensor:
        """Values (chips * n, ...) by the range that they fall into: (chips, *own, the rest)."""
        # (chips * n, ...) -> (chips, n, ...) -> (chips, *own, n, ...)
        x = x.unflatten(0, (chips, -1))
        x = x.movedim(tuple(self.own), tuple(range(1, 1 + len(self.own))))
        return x.reshape(chips, *self.own.values(), -1)

    def follow(self, tally: Tally) -> None:
        """Widen each range of whose values a larger share saturated than `coverage` allows.

        Args:
            tally: of one batch.
        """
        if tally.saturated is None or self._ranges is None:
            return
        allowed = (1 - self.coverage) * tally.conversions / self._ranges.numel()
        over = tally.saturated.cpu() > allowed * (1 + 1e-9)
        if over.any():
            self.ranges = torch.where(over, self.growth * self._ranges, self._ranges)

    # ---------------------------------------------------------------- one of several chips

    @contextmanager
    def alone(self, chip: int) -> Iterator[Converter]:
        """The converter of one chip; what it has seen and counted inside is entered here after."""
        place, tally = slice(chip, chip + 1), self.tally
        one = self._of_chips.get(chip)
        if one is None:
            one = self._of_chips[chip] = self._of_chip(place)
        before, seen = one._ranges, None
        if self.calibrating and self._seen is not None:
            seen = self._seen[place]
        one.calibrating, one._seen, one.tally = self.calibrating, seen, None
        if tally is not None:
            one.tally = Tally(one.shape, squares=tally.squares is not None)
        try:
            yield one
        finally:
            if one._ranges is not before:
                self._of_chips.pop(chip, None)
            if self.calibrating and one._seen is not seen and one._seen is not None:
                if self._seen is None:
                    self._seen = torch.zeros(self.shape, dtype=torch.float64)
                self._seen[place] = one._seen
                self.ranges = _filled(self._seen)
            elif one._ranges is not None and one._ranges is not before:
                self._set_of_chip(chip, one._ranges)
            if tally is not None and one.tally is not None:
                tally.enter(one.tally, place)

    def _set_of_chip(self, chip: int, ranges: Float[Tensor, "*n"]) -> None:
        """Set the ranges of one chip; chips that were not set yet get the widest that there is."""
        if self._ranges is None:
            borrowed = torch.ones(self.chips, dtype=torch.bool)
            every = torch.zeros(self.shape, dtype=torch.float64)
        else:
            borrowed, every = self._borrowed.clone(), self._ranges.clone()
        borrowed[chip], every[chip] = False, ranges[0]
        every[borrowed] = every[~borrowed].max()
        self.ranges, self._borrowed = every, borrowed

    def _of_chip(self, place: slice) -> Converter:
        """The converter of one chip, as it is now."""
        one = copy.copy(self)
        one.chips, one.shape, one._of_chips = 1, (1, *self.own.values()), {}
        one._place = place
        one.ranges = None if self._ranges is None else self._ranges[place]
        one._borrowed = self._borrowed[place]
        return one

    # ---------------------------------------------------------------- state

    def state(self) -> Tensor:
        """Ranges (n,), float64; nan if there are none."""
        none = torch.full(self.shape, math.nan, dtype=torch.float64)
        return (none if self.ranges is None else self.ranges).flatten()

    def load(self, state: Tensor) -> None:
        """Take the ranges back.

        Raises:
            ValueError: they are not as many as here.
        """
        expected = self.chips * math.prod(self.own.values())
        if state.numel() != expected:
            allowed = f"{expected}, as Hardware.{self.kind.lower()}_range and the chips say here"
            raise invalid(f"saved ranges of the {self.kind}", state.numel(), allowed)
        self.ranges = None if state.isnan().any() else _filled(state.double().cpu())


def signs(u: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """Codes of 1 bit and a sign of values u in ranges: -1 or 1, twice that where one saturates; nan
    stays."""
    codes = torch.where(u < 0, -1.0, 1.0).to(u.dtype)
    codes = torch.where(u.abs() > 1, 2 * codes, codes)
    return torch.where(u.isnan(), u, codes)


def check_not_negative(x: Tensor, name: str) -> None:
    """Refuse inputs of converters without sign that have one; `name`: of the layer."""
    if x.numel() and bool((x < 0).any()):
        allowed = "0 or more where Hardware.signed_inputs is False, as behind a ReLU"
        raise invalid(f"input of {name}", x.detach().min().item(), allowed)


def _filled(ranges: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """Ranges of what saw only zeros, replaced by the widest of the layer."""
    return torch.where(ranges == 0, ranges.max(), ranges)


@contextmanager
def calibration(layers: Mapping[str, Sequence[Converter]]) -> Iterator[None]:
    """Inside, ranges of converters that are not fixed are set by what they see.

    Those that see nothing keep theirs, and all do if an error ends it.

    Args:
        layers: the converters of each layer, by its name; fixed ones too, whose range follows from
            that of another.

    Raises:
        ValueError: a converter saw nan or inf, or nothing but zeros.
    """
    every = [(name, converter) for name, some in layers.items() for converter in some]
    former = [converter.ranges for _, converter in every]
    free = [(*each, old) for each, old in zip(every, former, strict=True) if not each[1].fixed]
    try:
        for _, converter, _ in free:
            converter.begin()
        yield
        seen = [converter.accept(name) for name, converter, _ in free]
        for (_, converter, old), any_value in zip(free, seen, strict=True):
            if not any_value:
                converter.ranges = old
    except BaseException:
        for (_, converter), old in zip(every, former, strict=True):
            converter.ranges = old
        raise
    finally:
        for _, converter, _ in free:
            converter.calibrating = False


class Grids(NamedTuple):
    """What converters round to, float32 (chips, groups of rows, columns)."""

    step: np.ndarray
    """Distance between neighbouring values."""
    inverse: np.ndarray
    """1 / step."""


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
