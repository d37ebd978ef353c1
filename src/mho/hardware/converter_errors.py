"""Errors that the converters of one layer are made with: drawn for each chip, always the same."""

from __future__ import annotations

import math
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from mho.hardware.adc import ADC
from mho.hardware.own_errors import OwnErrors
from mho.hardware.tiling import Tiling
from mho.kernels import native
from mho.kernels.thresholds import find_codes


class Errors(NamedTuple):
    """Errors of the converters of some chips, float32."""

    gain: Float[Tensor, "chips groups columns"]
    """Factor of what each column's converter sees [1]."""
    offset: Float[Tensor, "chips groups columns"]
    """What is added to that [LSB]."""
    tables: Float[Tensor, "chips tables thresholds"]
    """Thresholds, lowest first [LSB]; no table: evenly spaced ones."""
    which: Int64[Tensor, "groups columns"]
    """Table of each column's converter."""

    def of(self, chips: slice) -> Errors:
        """Those of some of the chips."""
        gain, offset, tables = (t[chips] for t in self[:3])
        return Errors(gain, offset, tables, self.which)


class Converters(NamedTuple):
    """Which converter each column of a layer goes to; groups are tiles one under the other with
    converters of their own, of all groups of a convolution, or one."""

    array: Int64[Tensor, "groups columns"]
    """Array of the column."""
    converter: Int64[Tensor, "groups columns"]
    """Its converter."""
    arrays: int
    converters: int

    @classmethod
    def of(cls, tiling: Tiling, *, by_tile: bool, digits: int, share: int) -> Converters:
        """Those of arrays of which each `share` neighbouring columns have one converter.

        Args:
            tiling: of the layer.
            by_tile: whether tiles along the inputs are converted apart.
            digits: digits of a weight that are converted apart.
            share: columns of a converter.
        """
        down = tiling.grid[0] if by_tile else 1
        # (convolution's groups, tiles down, digits, outputs of one group)
        shape = (tiling.groups, down, digits, tiling.outputs)
        group, tile, digit, out = torch.meshgrid(*map(torch.arange, shape), indexing="ij")
        array = (group * down + tile) * tiling.along + out // tiling.cols
        each = -(-digits * tiling.cols // share)
        own = (digit * tiling.cols + out % tiling.cols) // share
        arrays = tiling.groups * down * tiling.along
        both = array, array * each + own
        if by_tile:  # groups and tiles one after the other, columns of one group
            array, converter = (t.flatten(0, 1).flatten(1) for t in both)
        else:  # one, with the columns of all groups
            array, converter = (t.flatten().unsqueeze(0) for t in both)
        return cls(array, converter, arrays, arrays * each)


class ConverterErrors(OwnErrors[Errors]):
    """Errors of the ADCs of one layer.

    Args:
        adc: what they are.
        bits: resolution.
        where: which converter each column goes to.
        dims: dimensions of groups and columns, or of columns alone, of what is converted, counted
            from the end.
    """

    kind: ClassVar[str] = "adc"

    def __init__(self, adc: ADC, bits: int, where: Converters, dims: tuple[int, ...]) -> None:
        super().__init__()
        self.adc, self.bits, self.where, self.dims = adc, bits, where, dims
        self.most = 2 ** (bits - 1) - 1

    def _drawn(self) -> Errors:
        adc, where = self.adc, self.where
        sets = where.arrays if adc.whole_array else where.converters
        index = where.array if adc.whole_array else where.converter
        offset = adc.offset * self._normal("offset", where.converters)[:, where.converter]
        gain = 1 + adc.gain * self._normal("gain", sets)[:, index]
        numbers = adc.numbers(self.bits)
        tables = torch.empty(len(self._chips), 0, 2 * self.most)
        if numbers:
            z = self._normal("thresholds", sets * numbers).unflatten(1, (sets, numbers))
            tables = torch.stack([adc.thresholds(one, self.bits).float() for one in z])
        return Errors(gain.float(), offset.float(), tables, index)

    def codes(self, v: Float[Tensor, "*n"], chips: slice) -> Float[Tensor, "*n"]:
        """Codes of values v (chips * n, ...) of some chips [LSB], which may be overwritten; a step
        beyond the largest code where they saturate."""
        errors = self.on(v.device).of(chips)
        count = len(errors.gain)
        wide = v if v.element_size() >= 4 else v.float()
        groups, columns = errors.which.shape
        pixels = math.prod(wide.shape[self.dims[-1] :][1:])
        inner = wide.shape[-2] if len(self.dims) > 1 else 1
        sizes = (groups, inner, columns, pixels)
        # (chips * n, ...) -> (chips, outer, groups, inner, columns, pixels)
        outer = wide.numel() // max(1, count * math.prod(sizes))
        shaped = wide.reshape(count, outer, *sizes)
        if native(shaped):
            gain, offset, tables, which = (t.contiguous().numpy() for t in errors)
            find_codes(shaped.numpy(), gain, offset, tables, which, self.most)
            return shaped.view(v.shape).to(v.dtype)
        return self._in_torch(shaped, errors).reshape(v.shape).to(v.dtype)

    def _in_torch(self, v: Tensor, errors: Errors) -> Tensor:
        """As `find_codes`."""
        gain, offset = (t.to(v.dtype)[:, None, :, None, :, None] for t in errors[:2])
        u = (v * gain).add_(offset)
        if not errors.tables.shape[1]:
            return u.round_()
        # (chips, outer, groups, inner, columns, pixels) -> (chips, groups, columns, the rest)
        by_column = u.permute(0, 2, 4, 1, 3, 5)
        flat = by_column.flatten(3).contiguous()
        bounds = errors.tables.to(v.dtype)[:, errors.which]
        codes = torch.searchsorted(bounds, flat, right=True).to(v.dtype).sub_(self.most)
        codes = torch.where(flat >= bounds[..., -1:] + 1, self.most + 1.0, codes)
        codes = torch.where(flat < bounds[..., :1] - 1, -self.most - 1.0, codes)
        codes = torch.where(flat.isfinite(), codes, flat)
        return codes.view(by_column.shape).permute(0, 3, 1, 4, 2, 5)
