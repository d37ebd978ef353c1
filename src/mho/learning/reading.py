"""How arrays are read: drivers, converters, digital sums, read-out; the forward half of a layer."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from mho.errors import invalid
from mho.hardware import Crossbar, Hardware
from mho.hardware.converters import Converter
from mho.hardware.streams import key
from mho.learning.arithmetic import FixedPointArithmetic
from mho.learning.measured import measured

_CACHED = 1 << 21
"""Outputs of tiles that are converted in one go."""

ALL = slice(None)
"""All chips."""


class _Read(torch.autograd.Function):
    """`ReadArrays._converted` with its gradients, to the inputs and to the shadow weight.

    As if the conversions were one: the gradient goes through the product of the whole inputs and
    weights, less the share of the digits whose conversions saturated (a sign bit has none).
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, shadow: Tensor, layer: ReadArrays, by_tile: bool) -> Tensor:
        y, kept = layer._converted(x, by_tile, keep=True)
        ctx.layer, ctx.by_tile = layer, by_tile
        ctx.save_for_backward(x, layer.effective, kept)
        return y

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor | None, Tensor | None, None, None]:
        x, effective, kept = ctx.saved_tensors
        layer, needed = ctx.layer, ctx.needs_input_grad[:2]
        w = effective.flatten(0, 1) if layer.hardware.transposed else layer._twin()
        # Under autocast the input and the gradient may be of less precision than the weight.
        grad, x_ = grads[0], x.to(w.dtype)
        if ctx.by_tile:
            grad = layer._fold(grad).unsqueeze(1)
            grad = layer._stopped(grad.expand_as(kept), kept).to(w.dtype)
            to_x, to_w = layer._gradients_by_tile(grad, x_, w, needed)
        else:
            grad = layer._stopped(grad, kept).to(w.dtype)
            to_x, to_w = layer._gradients(grad, x_, w, needed)
        to_w = None if to_w is None else to_w.reshape(layer.weight.shape)
        return None if to_x is None else to_x.to(x.dtype), to_w, None, None


class ReadArrays(nn.Module):
    """Inputs through DACs, arrays and ADCs to the layer's outputs.

    A leaf says what the product is (`_product`, `_gradients`, `_input_size`); `ArrayLayer` holds,
    writes and documents what is read here.
    """

    column_dim: ClassVar[int]
    """Dimension of the outputs' columns."""

    hardware: Hardware
    chips: int
    crossbar: Crossbar
    full_scale: float
    tuned: bool
    weight: Tensor
    bias: Tensor | None
    gain: Tensor
    offset: Tensor
    effective: Tensor
    parts: Tensor | None
    arithmetic: FixedPointArithmetic | None

    def _make_converters(self) -> None:
        """DACs and ADCs, with the ranges that are fixed by design."""
        hardware, tiling = self.hardware, self.crossbar.tiling
        fixed = [not isinstance(r, str) for r in (hardware.dac_range, hardware.adc_range)]
        own: dict[int, int] = {}
        if hardware.adc_range == "column":
            columns = len(tiling.mapping.factors) * tiling.out_features
            by_tile = {-3: tiling.grid[0], -1: columns}
            own = by_tile if self._converts_tiles else {self.column_dim: columns}
        cover = hardware.coverage
        self.dac = Converter("DAC", hardware.dac_bits, cover, self.chips, fixed=fixed[0])
        self.adc = Converter("ADC", hardware.adc_bits, cover, self.chips, own=own, fixed=fixed[1])
        if not isinstance(hardware.dac_range, str):
            self.dac.ranges = (hardware.dac_range,) * self.chips
            self._fix_adc()

    def _fix_adc(self) -> None:
        """An ADC range that is a share of the largest current follows from the DAC's range."""
        share, tiling = self.hardware.adc_range, self.crossbar.tiling
        if not isinstance(share, str) and self.dac.ranges is not None:
            rows = tiling.rows if self._converts_tiles else tiling.in_features
            self.adc.ranges = share * rows * self.full_scale * self.dac.ranges

    @property
    def scale(self) -> float:
        """Weight per siemens of signed conductance."""
        low, high = self.hardware.device.window
        return self.full_scale / (self.hardware.cells.reach * (high - low))

    def _matrix(self) -> Tensor:
        """The shadow as (out, in)."""
        return self.weight.detach().flatten(1)

    def _check_written(self) -> None:
        """Refuse to read arrays that are not up to date."""
        raise NotImplementedError

    def _read(self, x: Tensor, by_tile: bool = False) -> Tensor:
        """Inputs x (chips * n, ...) through arrays and converters.

        `by_tile`: x (chips * n, in) through tiles with converters of their own.
        """
        if torch.is_grad_enabled() and (x.requires_grad or self.weight.requires_grad):
            return _Read.apply(x, self.weight, self, by_tile)  # type: ignore[return-value]
        return self._converted(x, by_tile, keep=False)[0]

    def _converted(self, x: Tensor, by_tile: bool, keep: bool) -> tuple[Tensor, Tensor | None]:
        """Digital sum of all conversions; and, to `keep`, what `_stopped` needs."""
        read = self._tiles_converted if by_tile else self._whole_converted
        if self._single:
            return read(x, keep)
        dim = -1 if by_tile else self.column_dim
        out = self.crossbar.tiling.out_features
        total = share = None
        whole = 0.0
        for factor, plane in self._planes(x):
            y, codes = read(plane, keep)
            passes = None if codes is None else self.adc.passes(codes)
            for part, digit in enumerate(self._factors):
                place, size = (dim, part * out, out), max(factor, 0.0) * digit
                whole += size
                total = _added(total, y.narrow(*place), factor * digit)
                if passes is not None:
                    share = _added(share, passes.narrow(*place).to(y.dtype), size)
        assert total is not None
        return total, None if share is None else share.div_(whole)

    @property
    def _single(self) -> bool:
        """Whether an output of an array, or of a tile, is converted at once."""
        return len(self._factors) == 1 and not self._serial

    @property
    def _factors(self) -> tuple[float, ...]:
        """Digital factors of what is converted apart: slices, if there is an ADC."""
        exact = self.hardware.adc_bits is None
        return (1.0,) if exact else self.crossbar.tiling.mapping.factors

    @property
    def _columns(self) -> Tensor:
        """Weights (chips, columns, in) of the columns that are converted."""
        if len(self._factors) == 1:
            return self.effective
        if self.parts is None:
            self.parts = self.crossbar.parts().mul_(self.scale).to(self.effective.dtype)
        return self.parts.flatten(1, 2)

    def _stopped(self, grad: Tensor, kept: Tensor | None) -> Tensor:
        """The gradient before the conversions: what saturated takes its share away."""
        if self._single or kept is None:
            return self.adc.masked(grad, kept)
        return grad * kept

    def _whole_converted(self, x: Tensor, keep: bool) -> tuple[Tensor, Tensor | None]:
        """Columns of x (chips * n, ...) through arrays all of whose rows share a converter."""
        y = self._currents(x)
        return self.adc.keeping_codes(y) if keep else (self.adc(y, overwrite=True), None)

    def _currents(self, x: Tensor) -> Tensor:
        """Columns before the converters, with read noise, in weight units; counted."""
        if self.crossbar.arrays is not None:
            rows = self._as_rows(x)
            self._count(len(rows))
            return self._from_rows(measured(self, rows).sum(1), x)
        y = self._product(x, self._columns.flatten(0, 1))
        self._count(y.numel() // y.shape[self.column_dim])
        return self._read_noise(y, x, self._input_size)

    def _product(self, x: Tensor, w: Tensor) -> Tensor:
        """Inputs (chips * n, ...) times weights (chips * out, in)."""
        raise NotImplementedError

    def _as_rows(self, x: Tensor) -> Tensor:
        """Input vectors (n, in) of inputs (chips * n, ...)."""
        raise NotImplementedError

    def _from_rows(self, y: Tensor, x: Tensor) -> Tensor:
        """Outputs, as `_product` gives them, of columns (n, out) of the vectors of x."""
        raise NotImplementedError

    def _gradients(
        self, grad: Tensor, x: Tensor, w: Tensor, needed: tuple[bool, bool]
    ) -> tuple[Tensor | None, Tensor | None]:
        """Of the product, to the inputs and to the shadow weight, the chips' gradients added."""
        raise NotImplementedError

    def _input_size(self, x: Tensor) -> Tensor:
        """Root of the sum of the squared inputs of each output."""
        raise NotImplementedError

    def _twin(self) -> Tensor:
        """The shadow weight for each chip, (chips * out, in)."""
        return self._matrix().repeat(self.chips, 1)

    def _read_noise(
        self, y: Tensor, x: Tensor, size: Callable[[Tensor], Tensor], chips: slice = ALL
    ) -> Tensor:
        """Add the noise of one read to y, of some chips, in place.

        `size(x)`: root of the sum of the squared inputs of each y.
        """
        device = self.hardware.device
        if device.read_noise == 0.0:
            return y
        low, high = device.window
        cell = device.read_noise * (high - low) * self.scale
        cells = self.crossbar.tiling.mapping
        apart = len(self._factors) > 1
        weight = cell * math.sqrt(cells.part_variance if apart else cells.read_variance)
        seed, vectors = self.crossbar.seed, self.crossbar.vectors
        generator = torch.Generator(y.device)
        z = torch.empty(y.shape, dtype=y.dtype, device=y.device)
        which = self.crossbar.chips[chips]
        for row, chip in zip(z.view(len(which), -1).unbind(), which, strict=True):
            row.normal_(generator=generator.manual_seed(key(seed, chip, "read", vectors)))
        return y.addcmul_(z, size(x.detach()), value=weight)

    @property
    def _converts_tiles(self) -> bool:
        """Whether each of several tiles along the inputs has converters of its own."""
        several = self.crossbar.tiling.grid[0] > 1
        return several and self.hardware.adc_bits is not None and self.hardware.adc_per_tile

    def _count(self, vectors: int) -> None:
        """Count a read of `vectors` vectors by all chips together."""
        hardware = self.hardware
        as_one = hardware.serial_inputs and not self._serial
        reads = (hardware.dac_bits or 1) if as_one else 1
        self.crossbar.count_reads(0, reads * (vectors // self.chips))

    def _tiles_converted(self, x: Tensor, keep: bool) -> tuple[Tensor, Tensor | None]:
        """Columns of x (chips * n, in) through arrays that are converted tile by tile."""
        self._count(len(x))
        if self.crossbar.arrays is not None:
            y = measured(self, x).transpose(0, 1).unsqueeze(0).contiguous()
            y, codes = self.adc.keeping_codes(y)
            return y.sum(1).flatten(0, 1), codes
        x, w = self._cut(x, self._columns)
        if keep or self.adc.calibrating:
            y, codes = self.adc.keeping_codes(self._read_noise(x @ w, x, row_size))
            return y.sum(1).flatten(0, 1), codes
        # On a CPU a few chips at a time, so that what the converters pass over stays in the cache.
        together = self.chips
        if x.device.type == "cpu":
            together = max(1, _CACHED // (w.shape[1] * x.shape[2] * w.shape[3]))
        parts = []
        for first in range(0, self.chips, together):
            chips = slice(first, first + together)
            y = self._read_noise(x[chips] @ w[chips], x[chips], row_size, chips)
            parts.append(self.adc(y, overwrite=True, chips=chips).sum(1))
        return torch.cat(parts).flatten(0, 1), None

    def _cut(self, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs (chips * n, in) and weights (chips, columns, in) by tiles of rows.

        To (chips, tiles, n, rows) and (chips, tiles, rows, columns).
        """
        tiling = self.crossbar.tiling
        tiles, rows = tiling.grid[0], tiling.rows
        short = tiles * rows - tiling.in_features
        if short:
            x, w = F.pad(x, (0, short)), F.pad(w, (0, short))
        x = self._fold(x).unflatten(2, (tiles, rows)).transpose(1, 2)
        return x, w.unflatten(2, (tiles, rows)).permute(0, 2, 3, 1)

    def _gradients_by_tile(
        self, grad: Tensor, x: Tensor, w: Tensor, needed: tuple[bool, bool]
    ) -> tuple[Tensor | None, Tensor | None]:
        """As `_gradients`, of the products of each tile: grad (chips, tiles, n, out)."""
        inputs = self.crossbar.tiling.in_features
        x, w = self._cut(x, self._fold(w))
        to_x = to_w = None
        if needed[0]:
            to_x = (grad @ w.mT).transpose(1, 2).flatten(2)[..., :inputs].flatten(0, 1)
        if needed[1]:
            to_w = (x.mT @ grad).sum(0).flatten(0, 1)[:inputs].T
        return to_x, to_w

    def _readout(self, y: Tensor) -> Tensor:
        """Digital gain, offset and bias of outputs (chips * batch, ...)."""
        y = self._corrected(y)
        if self.bias is not None:
            y = y + self.bias.view(-1, *(1,) * (-1 - self.column_dim))
        return y if self.arithmetic is None else self.arithmetic.result(y)

    def _corrected(self, y: Tensor) -> Tensor:
        """Digital gain and offset of outputs (chips * batch, ...)."""
        if not self.tuned:
            return y
        after = (1,) * (-1 - self.column_dim)
        y = self._fold(y)
        shape = (self.chips, *(1,) * (y.dim() - 2 - len(after)), -1, *after)
        return (y * self.gain.view(shape) + self.offset.view(shape)).flatten(0, 1)

    def _drive(self, x: Tensor) -> Tensor:
        """Inputs (chips * batch, ...) as the DACs apply them; counted."""
        self._check_written()
        if x.shape[0] % self.chips:
            allowed = f"a multiple of the {self.chips} chips (batch folded, chip-major)"
            raise invalid(f"{type(self).__name__} input rows", x.shape[0], allowed)
        x = self.dac(x)
        if self.dac.calibrating:
            self._fix_adc()
        self.crossbar.count_reads(x.shape[0] // self.chips if x.dim() > 1 else 1, 0)
        return x

    def _planes(self, x: Tensor) -> Iterable[tuple[float, Tensor]]:
        """What is read one after another for inputs x (chips * n, ...), with digital factors."""
        return self.dac.planes(x) if self._serial else ((1.0, x),)

    @property
    def _serial(self) -> bool:
        """Whether the bits of the inputs must be read apart: exact reads add up to one."""
        exact = self.hardware.adc_bits is None and self.hardware.device.read_noise == 0.0
        return self.hardware.serial_inputs and not exact

    def _fold(self, x: Tensor) -> Tensor:
        """(chips * n, ...) to (chips, n, ...)."""
        return x.unflatten(0, (self.chips, -1))


def row_size(x: Tensor) -> Tensor:
    """Root of the sum of squares of each row (..., 1)."""
    return torch.linalg.vector_norm(x, dim=-1, keepdim=True)


def _added(total: Tensor | None, part: Tensor, factor: float) -> Tensor:
    """`total + factor * part`, in place; None counts as 0."""
    return part * factor if total is None else total.add_(part, alpha=factor)
