"""From column currents to digital numbers: the noise of the read, then the converters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mho.hardware.converters import ALL, Converter
from mho.kernels import native
from mho.kernels.sense import sense_maps, sense_rows

_NO_KEYS = np.empty(0, np.uint64)


class ReadNoise(NamedTuple):
    """Noise of one read of the columns of some chips."""

    deviation: float
    """Standard deviation of a column whose inputs' squares add up to 1."""
    size: Float[Tensor, "*n"]
    """Root of that sum, of each column: shaped as the columns, 1 where it is the same for all."""
    keys: Sequence[int]
    """Of each chip's numbers."""


def sense(
    y: Float[Tensor, "*n"],
    noise: ReadNoise | None,
    adc: Converter,
    *,
    maps: bool,
    keep: bool,
    chips: slice = ALL,
) -> tuple[Float[Tensor, "*n"], Bool[Tensor, "*n"] | None]:
    """Convert noisy columns y, which are overwritten.

    Args:
        y: of some chips (chips, tiles, n, columns) or (chips * n, ..., columns); or maps
            (chips * n, columns, h, w).
        noise: of this read; None: there is none.
        adc: the converters; exact ones too.
        maps: whether y are maps.
        keep: whether the gradient will be asked for.
        chips: which chips of the converters they are.

    Returns:
        The converted columns; and, if kept, where the gradient passes, None if everywhere.

    Raises:
        RuntimeError: the converters have no range yet.
    """
    if y.is_cpu:  # a chip's noise is its own, however many chips' columns lie interleaved
        y = y.contiguous()
    converts = adc.bits is not None and not adc.watched
    if not native(y):
        y = y if noise is None else _add(y, noise)
    elif converts:
        return y, _sense(y, noise, adc, maps, keep, chips)
    elif noise is not None:
        _sense(y, noise, None, maps, False, chips)
    return adc.keeping(y, overwrite=True, chips=chips, keep=keep)


def _add(y: Tensor, noise: ReadNoise) -> Tensor:
    """Noisy columns, from numbers that torch draws where the columns are."""
    generator = torch.Generator(y.device)
    z = torch.empty(y.shape, dtype=y.dtype, device=y.device)
    for row, key in zip(z.view(len(noise.keys), -1).unbind(), noise.keys, strict=True):
        row.normal_(generator=generator.manual_seed(key))
    return y.addcmul_(z, noise.size, value=noise.deviation)


def _sense(
    y: Tensor, noise: ReadNoise | None, adc: Converter | None, maps: bool, keep: bool, chips: slice
) -> Tensor | None:
    """`sense` in compiled code; without `adc` only the noise is added."""
    most, deviation, size, keys = 0, 0.0, y, _NO_KEYS
    if noise is not None:
        deviation, size, keys = noise.deviation, noise.size, np.array(noise.keys, np.uint64)
    if adc is None:
        step = inverse = np.empty((len(keys), 1, 1), np.float32)
    else:
        most, (step, inverse) = adc.most, adc.grids(y.shape[-3] if maps else y.shape[-1])
        if chips != ALL:
            step, inverse = step[chips], inverse[chips]
    passes = np.empty(y.numel() if keep and most else 0, np.bool_)
    kernel = sense_maps if maps else sense_rows
    saturated = kernel(y.numpy(), size.numpy(), deviation, keys, inverse, step, most, passes)
    return torch.from_numpy(passes).view(y.shape) if saturated else None
