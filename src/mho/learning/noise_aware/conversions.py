"""Inputs and outputs of a layer as converters would pass them, in plain torch."""

from __future__ import annotations

from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from mho.errors import NotReady
from mho.hardware import Hardware
from mho.hardware.converters import Converter, calibration, passed
from mho.hardware.philox import normals
from mho.hardware.streams import key
from mho.hardware.tally import Tally
from mho.learning.layers.graphs import check_not_recomputed, uncompiled
from mho.learning.noise_aware.array_view import ArrayView
from mho.learning.noise_aware.recorded import check_plain

Ranges = Literal["learnt", "following"]

MOST_SATURATED = 0.05
"""Share of a batch that saturates at a learnt range before that is widened."""


class TrainedConverter(nn.Module):
    """A DAC or ADC whose range is found in training.

    The first batch in train mode sets the range, so that it covers `Hardware.coverage` of the
    magnitudes. Learnt, the range is then moved by its own gradient: its logarithm is a parameter,
    as in Jain et al. 2020 (TQT, arXiv:1903.08066), with the gradient through rounding and
    saturation, scaled by `1 / sqrt(values * codes)` as in Esser et al. 2020 (LSQ,
    arXiv:1902.08153). An optimizer moves it by a small part a step, while what it converts may
    grow manifold as a network learns; so it also widens, by `Hardware.range_growth`, after a batch
    of which more than `MOST_SATURATED` saturates. Following, it widens so after a batch of which
    more saturates than its coverage leaves out. In eval mode it stands still.

    Attributes:
        found (ranges): range that the first batch set, widened since; 0: there is none yet.
        log_factor (ranges): of the range to that one, a parameter; None unless learnt.

    Args:
        owner: what errors call the layer.
        kind: "DAC" or "ADC".
        bits: resolution, sign included.
        hardware: says coverage and growth.
        how: what moves the range; a number: nothing, it is that.
        own: dimension with a range for each place, and its size.
    """

    found: Tensor

    def __init__(
        self,
        owner: str,
        kind: str,
        bits: int,
        hardware: Hardware,
        how: Ranges | float,
        own: dict[int, int] | None = None,
    ) -> None:
        super().__init__()
        self.owner = owner
        growth = hardware.range_growth if isinstance(how, str) else 1.0
        self.converter = Converter(kind, bits, hardware.coverage, 1, own=own, growth=growth)
        self.allowed = 1 - hardware.coverage
        """Share of a batch that may saturate before the range widens."""
        if how == "learnt":
            self.allowed = max(self.allowed, MOST_SATURATED)
        shape = self.converter.shape
        start = 0.0 if isinstance(how, str) else how
        self.register_buffer("found", torch.full(shape, start))
        self.log_factor = nn.Parameter(torch.zeros(shape)) if how == "learnt" else None

    @property
    def ranges(self) -> Tensor | None:
        """Largest value of each range; None: there is none yet."""
        found = self.found.detach()
        if not found.any():
            return None
        return found if self.log_factor is None else found * self.log_factor.detach().exp()

    def forward(self, x: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Converted values, same shape and type.

        Raises:
            NotReady: there is no range yet, in eval mode.
            ValueError: the range was to be found from nan or inf.
        """
        converter, ranges = self.converter, self.ranges
        if ranges is None:
            ranges = self._first(x)
            if ranges is None:
                return x
        converter.ranges = ranges
        if not (self.training and converter.follows):
            return self._convert(x)
        converter.tally = tally = Tally(converter.shape)
        try:
            y = self._convert(x)
        finally:
            converter.tally = None
        if tally.saturated is not None and bool(torch.isfinite(x).all()):
            share = tally.saturated.to(self.found) * (ranges.numel() / max(1, tally.conversions))
            wider = converter.growth * self.found
            self.found.copy_(torch.where(share > self.allowed + 1e-9, wider, self.found))
        return y

    def _convert(self, x: Tensor) -> Tensor:
        if self.log_factor is None:
            return self.converter(x)
        return _Learnt.apply(x, self.log_factor, self.converter)  # type: ignore[return-value]

    def _first(self, x: Tensor) -> Tensor | None:
        """The range of a first batch; None where all of it is 0."""
        if not self.training:
            raise NotReady(
                f"{self.owner}: the {self.converter.kind} has {self.converter.bits} bits and no "
                "range yet: train, or run one batch in train mode"
            )
        x = x.detach()
        if not x.any():
            return None
        with calibration({self.owner: [self.converter]}):
            self.converter.keeping(x, keep=False)
        found = self.converter.ranges
        assert found is not None
        self.found.copy_(found)
        return self.ranges


class _Learnt(torch.autograd.Function):
    """Conversion with gradients to the values and to the logarithm of the range.

    With y the converted value of v, dy / d log(range) is y - v, and y where it saturates.
    """

    @staticmethod
    def forward(ctx: Any, v: Tensor, log_factor: Tensor, converter: Converter) -> Tensor:
        y, passes = converter.keeping(v)
        codes = (v[:1] if v.dim() > 1 else v).numel() * converter.most
        ctx.scale, ctx.over = max(codes, 1) ** -0.5, tuple(converter.own)
        ctx.save_for_backward(v, y, passes, log_factor)
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor | None, None]:
        v, y, passes, log_factor = ctx.saved_tensors
        (grad,) = grads
        to_v = passed(grad, passes)
        if not ctx.needs_input_grad[1]:
            return to_v, None, None
        if not ctx.over:
            flat = [t.reshape(-1).float() for t in (grad, y, to_v, v)]
            to_range = torch.dot(flat[0], flat[1]) - torch.dot(flat[2], flat[3])
        else:
            own = {d % v.dim() for d in ctx.over}
            others = [d for d in range(v.dim()) if d not in own]
            each = grad.float() * y - to_v.float() * v
            to_range = each.sum(others) if others else each
        return to_v, (to_range * ctx.scale).view_as(log_factor), None


class Conversions(nn.Module):
    """What stands before and behind the arrays of a layer: DACs, noise, ADCs.

    Attributes:
        dac, adc: the converters whose ranges are found; None: exact, of a range fixed by design, or
            where no such values are (inside of torch's recurrent layers and attention).
        step: passes in train mode so far, int64 ().

    Args:
        owner: what errors call the layer.
        view: of the layer.
        hardware: the kind of chip.
        ranges: what moves the ranges; None: nothing is converted.
        reads: factor of the noise of a read.
        output_noise: standard deviation of what is added to the outputs, in ranges of the ADC.
        seed: of the noise.
    """

    step: Tensor

    def __init__(
        self,
        owner: str,
        view: ArrayView,
        hardware: Hardware,
        ranges: Ranges | None,
        reads: float,
        output_noise: float,
        seed: int,
    ) -> None:
        super().__init__()
        self.owner, self.view, self.hardware, self.seed = owner, view, hardware, seed
        self.output_noise = output_noise
        cells = hardware.cells
        read = hardware.device.read_noise / cells.span * cells.read_variance**0.5
        self.read = reads * read if view.columns else 0.0
        """Standard deviation of a column's read for a single input of 1, in full scales."""
        low, high = hardware.device.window
        self.added = cells.constant * (low + high) / (cells.span * (high - low))
        """Weight that is added digitally behind the ADC, in full scales."""
        self.dac = self.adc = None
        if ranges is not None and hardware.dac_bits is not None and view.driven:
            how = ranges if isinstance(hardware.dac_range, str) else hardware.dac_range
            self.dac = TrainedConverter(owner, "DAC", hardware.dac_bits, hardware, how)
        if ranges is not None and hardware.adc_bits is not None and view.columns:
            own = {view.column_dim: view.columns} if hardware.adc_range == "column" else None
            share = not isinstance(hardware.adc_range, str)
            how = 1.0 if share else ranges
            self.adc = TrainedConverter(owner, "ADC", hardware.adc_bits, hardware, how, own)
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))

    # ---------------------------------------------------------------- before the arrays

    @uncompiled
    def drive(self, _layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Arguments of the forward pass, converted: a pre-hook."""
        check_plain(self.owner)
        if self.dac is None:
            return None
        self._check_moving(self.dac)
        converted: dict[int, Any] = {}  # what comes twice stays one

        def conversion(x: Any) -> Any:
            if id(x) not in converted:
                converted[id(x)] = self._driven(x)
            return converted[id(x)]

        names = self.view.inputs
        first = tuple(conversion(x) if k < len(names) else x for k, x in enumerate(args))
        return first, {k: conversion(x) if k in names else x for k, x in kwargs.items()}

    def _driven(self, x: Any) -> Any:
        assert self.dac is not None
        if isinstance(x, PackedSequence):
            return x._replace(data=self._driven(x.data))
        return self.dac(x) if isinstance(x, Tensor) and x.is_floating_point() else x

    # ---------------------------------------------------------------- behind them

    @uncompiled
    def sense(
        self, layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any
    ) -> Any:
        """Output of the layer with noise, converted: a hook."""
        drawn = self.training and (self.read > 0 or self.output_noise > 0)
        if not (drawn or self.adc):
            return None
        edge = self.view.of_columns(_weight(layer)[-1].edge, output)
        bias = None if layer.bias is None else _along_columns(layer.bias, self.view)
        names = enumerate(self.view.inputs)
        inputs = [args[k] if k < len(args) else kwargs[name] for k, name in names]
        y = output.float() if output.element_size() < 4 else output
        y = y if bias is None else y - bias
        if drawn:
            check_not_recomputed(self.owner, "what it draws")
            y = self._noisy(y, inputs, edge)
        y = y if self.adc is None else self._converted(y, layer, inputs, edge)
        return (y if bias is None else y + bias).to(output.dtype)

    @torch.no_grad()
    def _deviation(self, inputs: list[Tensor], y: Tensor, edge: Tensor) -> Tensor:
        """Standard deviation of the noise of each output, or what broadcasts to it."""
        variance = y.new_zeros(())
        if self.read > 0:
            squares = self.view.square_sums(inputs, y)
            variance = variance + squares * (self.read * edge).square()
        ranges = None if self.adc is None else self.adc.ranges
        if self.output_noise > 0 and ranges is not None:
            variance = variance + (self.output_noise * self.view.of_columns(ranges, y)).square()
        return variance.sqrt()

    def _noisy(self, y: Tensor, inputs: list[Tensor], edge: Tensor) -> Tensor:
        self.step += 1
        z = normals([key(self.seed, int(self.step))], y.numel(), y.device).view(y.shape)
        return y + z.to(y.dtype).mul_(self._deviation(inputs, y, edge))

    def _converted(self, y: Tensor, layer: nn.Module, inputs: list[Tensor], edge: Tensor) -> Tensor:
        """Outputs behind the ADC."""
        assert self.adc is not None
        self._check_moving(self.adc)
        share = self.hardware.adc_range
        if not isinstance(share, str) and self.dac is not None and self.dac.ranges is not None:
            largest = edge.max() * (1 + abs(self.added))
            rows = _weight(layer).original.numel() // self.view.columns
            self.adc.found.copy_(share * rows * largest * self.dac.ranges)
        if self.added == 0:
            return self.adc(y)
        added = self.view.sums(inputs, y) * (self.added * edge)
        return self.adc(y - added) + added

    def _check_moving(self, converter: TrainedConverter) -> None:
        if self.training and converter.converter.follows:
            check_not_recomputed(self.owner, "ranges that widen where much saturates")


def _weight(layer: Any) -> Any:
    """The parametrizations of a layer's weight."""
    return layer.parametrizations["weight"]


def _along_columns(bias: Any, view: ArrayView) -> Tensor:
    """Digital bias of each column, as it broadcasts over outputs."""
    return bias.view(-1, *(1,) * (-1 - view.column_dim))
