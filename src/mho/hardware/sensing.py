"""From column currents to digital numbers: the noise of the read, the converters, the bias; and
the way back of their gradient."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mho.hardware.converters import ALL, Converter, passed
from mho.hardware.philox import normals
from mho.kernels import native
from mho.kernels.inputs import row_sizes
from mho.kernels.sense import sense_maps, sense_rows, sense_rows_of, stop_sums

_NO_KEYS = np.empty(0, np.uint64)
_NO_BIAS = np.empty(0, np.float32)
_ALL_PASS = np.empty(0, np.bool_)


class ReadNoise(NamedTuple):
    """Noise of one read of the columns of some chips."""

    deviation: float
    """Standard deviation of a column whose inputs' squares add up to 1."""
    inputs: Tensor
    """What was read."""
    size: Callable[[Tensor], Tensor]
    """Root of that sum of inputs, of each column: shaped as the columns, 1 where it is the same for
    all, or one for each of several equal blocks of them."""
    keys: Sequence[int]
    """Of each chip's numbers."""
    references: ReferenceNoise | None = None
    """Noise that several columns share; None: they share none."""
    part: NumbersOfPart | None = None
    """Which of the numbers of each key, where a part of a batch is read; None: the first ones."""
    of_columns: bool = False
    """Whether each column has a size of its own."""


class NumbersOfPart(NamedTuple):
    """Which numbers of a stream the samples of a part of a batch have: those that they would have
    in a read of the whole batch."""

    first: int
    """First sample."""
    samples: int
    """How many."""
    total: int
    """Samples of the batch."""
    blocks: int = 1
    """Stretches of numbers one after another, each of the whole batch: one for each tile that is
    converted apart."""


class ReferenceNoise(NamedTuple):
    """Noise of reference columns, each subtracted from a block of columns side by side: the same in
    all of them, drawn once for each input vector and array."""

    deviation: float
    """As in `ReadNoise`."""
    blocks: Sequence[tuple[int, int]]
    """First column of each block, and how many it has."""
    keys: Sequence[int]
    """Of each chip's numbers."""
    size: Callable[[Tensor], Tensor] | None = None
    """As in `ReadNoise`, one for each block; None: that of the columns."""


def sense(
    y: Float[Tensor, "*n"],
    noise: ReadNoise | None,
    adc: Converter,
    *,
    maps: bool,
    keep: bool,
    bias: Float[Tensor, " columns"] | None = None,
    chips: slice = ALL,
) -> tuple[Float[Tensor, "*n"], Bool[Tensor, "*n"] | None]:
    """Convert noisy columns y, which are overwritten, and add a digital bias.

    Args:
        y: of some chips (chips, tiles, n, columns) or (chips * n, ..., columns); or maps
            (chips * n, columns, ...).
        noise: of this read; None: there is none.
        adc: the converters; exact ones too.
        maps: whether y are maps.
        keep: whether the gradient will be asked for.
        bias: one and the same for all chips; its gradient is not this function's.
        chips: which chips of the converters they are.

    Returns:
        The converted columns; and, if kept, where the gradient passes, None if everywhere.

    Raises:
        RuntimeError: the converters have no range yet.
    """
    if y.is_cpu and not y.is_contiguous():
        y = y.contiguous()  # a chip's noise is its own, even where chips' columns lie interleaved
    dim = 1 if maps else y.dim() - 1
    if noise is not None and noise.references is not None:
        size = noise.size(noise.inputs)
        theirs = noise.references.size
        shared = size if theirs is None else theirs(noise.inputs)
        _add_references(y, shared, noise.references, dim, noise.part)
        noise = noise._replace(size=lambda _: size)
    if noise is not None and (noise.part is not None or noise.of_columns):
        y, noise = _add(y, noise, dim), None
    fused = adc.bits is not None and adc.errors is None and not adc.watched
    if fused and native(y, bias):
        return y, _sense(y, noise, adc, bias, maps=maps, keep=keep, chips=chips)
    if noise is not None and native(y):
        _sense(y, noise, None, None, maps=maps, keep=False, chips=chips)
    elif noise is not None:
        y = _add(y, noise, dim)
    y, passes = adc.keeping(y, overwrite=True, chips=chips, keep=keep)
    return biased(y, bias, maps=maps), passes


def biased(
    y: Float[Tensor, "*n"], bias: Float[Tensor, " columns"] | None, *, maps: bool
) -> Float[Tensor, "*n"]:
    """Columns y (n, ..., columns), or maps (n, columns, ...), which may be overwritten, and a bias
    in the precision of the latter."""
    if bias is None:
        return y
    y = y if y.dtype == bias.dtype else y.to(bias.dtype)
    return y.add_(bias.view(-1, *(1,) * (y.dim() - 2)) if maps else bias)


def unsensed(
    grad: Float[Tensor, "*n"], passes: Tensor | None, *, maps: bool, bias: bool
) -> tuple[Float[Tensor, "*n"], Float[Tensor, " columns"] | None]:
    """The gradient before the conversions; and that of the bias, if asked for.

    Args:
        grad: of what `sense` gave.
        passes: as in `stopped`.
        maps: as in `sense`.
    """
    if not bias:
        return stopped(grad, passes), None
    shape = grad.shape
    dim = 1 if maps else len(shape) - 1
    whole = passes is None or (passes.dtype == torch.bool and passes.is_contiguous())
    if not (whole and native(grad) and grad.numel()):
        # all but the columns: -> (columns,)
        others = [d for d in range(grad.dim()) if d != dim]
        return stopped(grad, passes), grad.sum(others) if others else grad
    given, sums = grad.numpy(), np.empty(shape[dim], np.float32)
    pixels = shape[2:].numel() if maps else 1
    if passes is None:
        stop_sums(given, _ALL_PASS, given, sums, pixels)
    else:
        left = np.empty_like(given)
        stop_sums(given, passes.numpy(), left, sums, pixels)
        grad = torch.from_numpy(left)
    return grad, torch.from_numpy(sums)


def stopped(grad: Float[Tensor, "*#n"], passes: Tensor | None) -> Float[Tensor, "*#n"]:
    """The gradient before the conversions, which take away what saturated.

    Args:
        passes: where it passes, bool, or the share that does; None: everywhere.
    """
    return passed(grad, passes) if passes is None or passes.dtype == torch.bool else grad * passes


def row_size(x: Tensor) -> Tensor:
    """Root of the sum of squares of each row (..., 1)."""
    if not native(x):
        return torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    size = np.empty((*x.shape[:-1], 1), np.float32)
    row_sizes(x.numpy(), size)
    return torch.from_numpy(size)


def _add_references(
    y: Tensor, size: Tensor, references: ReferenceNoise, dim: int, part: NumbersOfPart | None
) -> None:
    """Add the noise of reference columns to columns y along `dim`, in place.

    Args:
        size: as from `ReadNoise.size`.
    """
    shape = list(y.shape)
    shape[dim] = len(references.blocks)
    # as y, but with one column a block
    keys, size = references.keys, _spread(size, len(references.blocks), dim)
    z = _numbers(keys, shape, y.device, part).to(y.dtype).mul_(size)
    for block, (first, count) in enumerate(references.blocks):
        columns = y.narrow(dim, first, count)
        columns.add_(z.narrow(dim, block, 1), alpha=references.deviation)


def _add(y: Tensor, noise: ReadNoise, dim: int) -> Tensor:
    """Noisy columns along a dimension, as `kernels/sense.py` has them; their numbers are made where
    they are."""
    z = _numbers(noise.keys, y.shape, y.device, noise.part)
    # the product is rounded before it is added, as in the kernels
    size = _spread(noise.size(noise.inputs), y.shape[dim], dim)
    return y.add_((size * noise.deviation * z).to(y.dtype))


def _numbers(
    keys: Sequence[int], shape: Sequence[int], device: torch.device, part: NumbersOfPart | None
) -> Tensor:
    """Normal numbers of columns of a shape, of all chips together."""
    each = math.prod(shape) // len(keys)
    if part is None:
        return normals(keys, each, device).view(*shape)
    of_block = each // part.blocks
    of_sample = of_block // part.samples
    starts = [(b * part.total + part.first) * of_sample for b in range(part.blocks)]
    made = [normals(keys, of_block, device, start) for start in starts]
    return (made[0] if len(made) == 1 else torch.cat(made, 1)).reshape(*shape)


def _spread(size: Tensor, count: int, dim: int) -> Tensor:
    """Sizes along a dimension, each for an equal share of `count` columns there."""
    blocks = size.shape[dim]
    return size if blocks == 1 else size.repeat_interleave(count // blocks, dim)


def _sense(
    y: Tensor,
    noise: ReadNoise | None,
    adc: Converter | None,
    bias: Tensor | None,
    *,
    maps: bool,
    keep: bool,
    chips: slice,
) -> Tensor | None:
    """`sense` in compiled code; without `adc` only the noise is added."""
    kernel, most, deviation, size, keys = sense_maps if maps else sense_rows, 0, 0.0, y, _NO_KEYS
    if noise is not None:
        deviation, keys = noise.deviation, np.array(noise.keys, np.uint64)
        if noise.size is row_size and noise.inputs.is_contiguous():
            kernel, size = sense_rows_of, noise.inputs
        else:
            size = noise.size(noise.inputs)
    if adc is None:
        # nothing is converted: only the number of chips is looked at
        step = inverse = np.empty((len(keys), 1, 1), np.float32)
    else:
        most, (step, inverse) = adc.most, adc.grids(y.shape[1] if maps else y.shape[-1])
        if chips != ALL:
            step, inverse = step[chips], inverse[chips]
    plus = _NO_BIAS if bias is None else bias.detach().numpy()
    counted = adc is not None and adc.tally is not None
    kept = np.empty(y.numel(), np.bool_) if (keep or counted) and most else _ALL_PASS
    columns, sizes = y.numpy(), size.numpy()
    if maps:
        columns, sizes = _as_images(columns), _as_images(sizes)
    saturated = kernel(columns, sizes, deviation, keys, inverse, step, most, plus, kept)
    passes = torch.from_numpy(kept).view(y.shape) if saturated else None
    if adc is not None and adc.tally is not None:
        adc.note(y, passes, chips)
    return passes if keep else None


def _as_images(maps: np.ndarray) -> np.ndarray:
    """Maps (n, columns, ...) of any number of dimensions as (n, columns, h, w)."""
    if maps.ndim == 4:
        return maps
    return maps.reshape(*maps.shape[:2], 1, math.prod(maps.shape[2:]))
