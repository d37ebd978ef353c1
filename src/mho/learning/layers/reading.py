"""How arrays are read: drivers, converters, digital sums, read-out; the forward half of a layer."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from mho.errors import invalid
from mho.hardware import Crossbar, Hardware
from mho.hardware.converters import ALL, Converter, passed
from mho.hardware.sensing import ReadNoise, biased, row_size, sense, stopped, unsensed
from mho.hardware.streams import key
from mho.learning.layers.arithmetic import FixedPointArithmetic
from mho.learning.measured import measured

_CACHED = 1 << 21
"""Outputs of tiles that are converted in one go."""


_Gradients = tuple[Tensor | None, Tensor | None, Tensor | None, None, None, None]


class _Read(torch.autograd.Function):
    """`ReadArrays._read` with its gradients, to the inputs, the shadow weight and the bias.

    As if the conversions were one: the gradient goes through the product of the whole inputs and
    weights, less the share of the digits whose conversions saturated (a sign bit has none).
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        shadow: Tensor,
        bias: Tensor | None,
        layer: ReadArrays,
        driven: bool = False,
        by_tile: bool = False,
    ) -> Tensor:
        drives = None
        if not driven:
            x, drives = layer.dac.keeping(x, keep=ctx.needs_input_grad[0])
        y, kept = layer._converted(x, bias, by_tile, keep=True)
        ctx.layer, ctx.by_tile = layer, by_tile
        ctx.save_for_backward(x, layer._realized, drives, kept)
        return y

    @staticmethod
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grads: Tensor
    ) -> _Gradients:
        # Torch's check costs a fifth of a small layer's way back; it finds nothing without a graph.
        return _Read._once(ctx, *grads) if torch.is_grad_enabled() else _Read._back(ctx, *grads)

    @staticmethod
    def _back(ctx: Any, *grads: Tensor) -> _Gradients:
        x, realized, drives, kept = ctx.saved_tensors
        layer, by_tile, needed = ctx.layer, ctx.by_tile, ctx.needs_input_grad
        maps = layer._maps and not by_tile
        grad, to_bias = unsensed(grads[0], None if by_tile else kept, maps=maps, bias=needed[2])
        if by_tile:
            grad = stopped(layer._fold(grad).unsqueeze(1), kept)
        w = realized if layer.hardware.transposed else layer._twin()
        driven = x
        if not x.dtype == grad.dtype == w.dtype:  # of less precision than the weight: autocast
            driven, grad = x.to(w.dtype), grad.to(w.dtype)
        gradients = layer._gradients_by_tile if by_tile else layer._gradients
        to_x, to_w = gradients(grad, driven, w, needed[:2])
        if to_x is not None:
            to_x = passed(to_x.to(x.dtype), drives)
        return to_x, to_w, to_bias, None, None, None

    _once = staticmethod(once_differentiable(_back))


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
        return self.full_scale / self._reach

    @cached_property
    def _reach(self) -> float:
        """Signed conductance at full scale [S]."""
        low, high = self.hardware.device.window
        return self.crossbar.tiling.mapping.reach * (high - low)

    def _matrix(self) -> Tensor:
        """The shadow as (out, in)."""
        return self.weight.detach().flatten(1)

    def _check_written(self) -> None:
        """Refuse to read arrays that are not up to date."""
        raise NotImplementedError

    def _read(self, x: Tensor, *, driven: bool = False, by_tile: bool = False) -> Tensor:
        """Inputs x (chips * n, ...) through converters and arrays.

        Args:
            driven: whether x went through the DACs already.
            by_tile: whether x are driven rows (chips * n, in) for tiles with ADCs of their own.
        """
        weight, bias = self.weight, self.bias if self._adds_bias else None
        if torch.is_grad_enabled() and (
            x.requires_grad or weight.requires_grad or (bias is not None and bias.requires_grad)
        ):
            how = (driven, by_tile) if driven else ()
            return _Read.apply(x, weight, bias, self, *how)  # type: ignore[return-value]
        x = x if driven else self.dac(x)
        return self._converted(x, bias, by_tile, keep=False)[0]

    @property
    def _adds_bias(self) -> bool:
        """Whether nothing is done to the columns but that the bias is added."""
        return not self.tuned and self.arithmetic is None

    def _along_columns(self, values: Tensor) -> Tensor:
        """Values (out,) shaped to act on outputs."""
        return values if self.column_dim == -1 else values.view(-1, *(1,) * (-1 - self.column_dim))

    def _converted(
        self, x: Tensor, bias: Tensor | None, by_tile: bool, keep: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Digital sum of all conversions and the bias; and, to `keep`, the share of each gradient
        that passes: where it does if there is one conversion, None if everywhere."""
        if self.dac.calibrating:
            self._fix_adc()
        read = self._tiles_converted if by_tile else self._whole_converted
        if self._single:
            return read(x, bias, keep)
        dim = -1 if by_tile else self.column_dim
        out = self.crossbar.tiling.out_features
        total = lost = None
        whole = 0.0
        for factor, plane in self._planes(x):
            y, passes = read(plane, None, keep)
            for part, digit in enumerate(self._factors):
                place, size = (dim, part * out, out), max(factor, 0.0) * digit
                whole += size
                total = _added(total, y.narrow(*place), factor * digit)
                if passes is not None:
                    lost = _added(lost, (~passes.narrow(*place)).to(y.dtype), size)
        assert total is not None
        total = biased(total, bias, maps=not by_tile and self._maps)
        return total, None if lost is None else lost.div_(-whole).add_(1)

    @cached_property
    def _single(self) -> bool:
        """Whether an output of an array, or of a tile, is converted at once."""
        return len(self._factors) == 1 and not self._serial

    @cached_property
    def _factors(self) -> tuple[float, ...]:
        """Digital factors of what is converted apart: slices, if there is an ADC."""
        exact = self.hardware.adc_bits is None
        return (1.0,) if exact else self.crossbar.tiling.mapping.factors

    @property
    def _realized(self) -> Tensor:
        """`effective` as (chips * out, in); a view that is kept."""
        effective, kept = self._buffers["effective"], self.__dict__.get("_flat")
        assert effective is not None
        if kept is None or kept[0] is not effective:
            kept = self.__dict__["_flat"] = effective, effective.flatten(0, 1)
        return kept[1]

    @property
    def _columns(self) -> Tensor:
        """Weights (chips * columns, in) of the columns that are converted."""
        if len(self._factors) == 1:
            return self._realized
        if self.parts is None:
            self.parts = self.crossbar.parts().mul_(self.scale).to(self.effective.dtype)
        return self.parts.flatten(0, 2)

    def _whole_converted(
        self, x: Tensor, bias: Tensor | None, keep: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Columns of x (chips * n, ...) through arrays all of whose rows share a converter."""
        if self.crossbar.arrays is not None:
            rows = self._as_rows(x)
            self._count(len(rows))
            y = self._from_rows(measured(self, rows).sum(1), x)
            y, passes = self.adc.keeping(y, overwrite=True, keep=keep)
            return biased(y, bias, maps=self._maps), passes
        y = self._product(x, self._columns)
        self._count(y.numel() // y.shape[self.column_dim])
        noise = self._read_noise(x, self._input_size)
        return sense(y, noise, self.adc, maps=self._maps, keep=keep, bias=bias)

    @property
    def _maps(self) -> bool:
        """Whether outputs are maps (n, columns, h, w)."""
        return self.column_dim == -3

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
        return self._matrix() if self.chips == 1 else self._matrix().repeat(self.chips, 1)

    def _read_noise(
        self, x: Tensor, size: Callable[[Tensor], Tensor], chips: slice = ALL
    ) -> ReadNoise | None:
        """Noise of one read of inputs x by some chips.

        `size(x)`: root of the sum of the squared inputs of each column.
        """
        if self._noise == 0.0:
            return None
        crossbar = self.crossbar
        seed, vectors = crossbar.seed, crossbar.vectors
        keys = [key(seed, chip, "read", vectors) for chip in crossbar.chips[chips]]
        return ReadNoise(self._noise * self.full_scale, x.detach(), size, keys)

    @cached_property
    def _noise(self) -> float:
        """Standard deviation of a column's read for a single input of 1, in full scales."""
        cells = self.crossbar.tiling.mapping
        apart = len(self._factors) > 1
        variance = cells.part_variance if apart else cells.read_variance
        return self.hardware.device.read_noise * math.sqrt(variance) / cells.reach

    @cached_property
    def _converts_tiles(self) -> bool:
        """Whether each of several tiles along the inputs has converters of its own."""
        several = self.crossbar.tiling.grid[0] > 1
        return several and self.hardware.adc_bits is not None and self.hardware.adc_per_tile

    def _count(self, vectors: int) -> None:
        """Count a read of `vectors` vectors by all chips together."""
        self.crossbar.count_reads(0, self._reads_as_one * (vectors // self.chips))

    @cached_property
    def _reads_as_one(self) -> int:
        """Vectors that the arrays see for each that is read here: serial bits that add up to it."""
        as_one = self.hardware.serial_inputs and not self._serial
        return (self.hardware.dac_bits or 1) if as_one else 1

    def _tiles_converted(
        self, x: Tensor, bias: Tensor | None, keep: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Columns of x (chips * n, in) through arrays that are converted tile by tile."""
        self._count(len(x))
        if self.crossbar.arrays is not None:
            y = measured(self, x).transpose(0, 1).unsqueeze(0).contiguous()
            y, passes = self.adc.keeping(y, overwrite=True, keep=keep)
            return biased(y.sum(1).flatten(0, 1), bias, maps=False), passes
        x, w = self._cut(x, self._columns)
        if keep or self.adc.calibrating:
            noise = self._read_noise(x, row_size)
            y, passes = sense(x @ w, noise, self.adc, maps=False, keep=keep)
            return biased(y.sum(1).flatten(0, 1), bias, maps=False), passes
        # On a CPU a few chips at a time, so that what the converters pass over stays in the cache.
        together = self.chips
        if x.device.type == "cpu":
            together = max(1, _CACHED // max(1, w.shape[1] * x.shape[2] * w.shape[3]))
        parts = []
        for first in range(0, self.chips, together):
            chips = slice(first, first + together)
            noise = self._read_noise(x[chips], row_size, chips)
            y = x[chips] @ w[chips]
            y, _ = sense(y, noise, self.adc, maps=False, keep=False, chips=chips)
            parts.append(y.sum(1))
        return biased(torch.cat(parts).flatten(0, 1), bias, maps=False), None

    def _cut(self, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        """Inputs (chips * n, in) and weights (chips * columns, in) by tiles of rows.

        To (chips, tiles, n, rows) and (chips, tiles, rows, columns).
        """
        tiling = self.crossbar.tiling
        tiles, rows = tiling.grid[0], tiling.rows
        short = tiles * rows - tiling.in_features
        if short:
            x, w = F.pad(x, (0, short)), F.pad(w, (0, short))
        x, w = (self._fold(each).unflatten(2, (tiles, rows)) for each in (x, w))
        return x.transpose(1, 2), w.permute(0, 2, 3, 1)

    def _gradients_by_tile(
        self, grad: Tensor, x: Tensor, w: Tensor, needed: tuple[bool, bool]
    ) -> tuple[Tensor | None, Tensor | None]:
        """As `_gradients`, of the products of each tile: grad (chips, tiles, n, out)."""
        inputs = self.crossbar.tiling.in_features
        x, w = self._cut(x, w)
        to_x = to_w = None
        if needed[0]:
            to_x = (grad @ w.mT).transpose(1, 2).flatten(2)[..., :inputs].flatten(0, 1)
        if needed[1]:
            to_w = (x.mT @ grad).sum(0).flatten(0, 1)[:inputs].T.reshape(self.weight.shape)
        return to_x, to_w

    def _readout(self, y: Tensor) -> Tensor:
        """Digital gain, offset and bias of outputs (chips * batch, ...)."""
        if self._adds_bias:
            return y
        y = self._corrected(y)
        if self.bias is not None:
            y = y + self._along_columns(self.bias)
        return y if self.arithmetic is None else self.arithmetic.result(y)

    def _corrected(self, y: Tensor) -> Tensor:
        """Digital gain and offset of outputs (chips * batch, ...)."""
        if not self.tuned:
            return y
        after = (1,) * (-1 - self.column_dim)
        y = self._fold(y)
        shape = (self.chips, *(1,) * (y.dim() - 2 - len(after)), -1, *after)
        return (y * self.gain.view(shape) + self.offset.view(shape)).flatten(0, 1)

    def _begin(self, x: Tensor) -> None:
        """Check that inputs (chips * batch, ...) can be read, and count them."""
        self._check_written()
        if x.shape[0] % self.chips:
            allowed = f"a multiple of the {self.chips} chips (batch folded, chip-major)"
            raise invalid(f"{type(self).__name__} input rows", x.shape[0], allowed)
        self.crossbar.count_reads(x.shape[0] // self.chips if x.dim() > 1 else 1, 0)

    def _planes(self, x: Tensor) -> Iterable[tuple[float, Tensor]]:
        """What is read one after another for inputs x (chips * n, ...), with digital factors."""
        return self.dac.planes(x) if self._serial else ((1.0, x),)

    @cached_property
    def _serial(self) -> bool:
        """Whether the bits of the inputs must be read apart: exact reads add up to one."""
        exact = self.hardware.adc_bits is None and self.hardware.device.read_noise == 0.0
        return self.hardware.serial_inputs and not exact

    def _fold(self, x: Tensor) -> Tensor:
        """(chips * n, ...) to (chips, n, ...)."""
        return x.unflatten(0, (self.chips, -1))


def _added(total: Tensor | None, part: Tensor, factor: float) -> Tensor:
    """`total + factor * part`, in place; None counts as 0."""
    return part * factor if total is None else total.add_(part, alpha=factor)
