"""Products of maps: convolutions in one to three dimensions, transposed or not.

Each output pixel is a read of the unrolled kernel: the matrix has the channels of one group times
the kernel's size as rows, and all output channels as columns.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from mho.kernels import native
from mho.kernels.inputs import cut_patches, patch_sizes
from mho.learning.layers.product import Product, wide_sum

_CONVOLUTIONS = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_TRANSPOSED = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}

_IN_TURN = 1 << 22
"""Multiplications of a chip above which chips are faster one after another than as groups."""


@dataclass(frozen=True, kw_only=True)
class MapProduct(Product):
    """Maps (n, channels, ...) with a kernel; what both kinds share."""

    kernel: tuple[int, ...]
    """Channels of one group, then the size along each dimension of the maps."""
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int = 1

    @property
    def column_dim(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The second one, after the batch."""
        return -len(self.kernel)

    @abstractmethod
    def _applied(self, x: Tensor, w: Tensor, groups: int) -> Tensor:
        """Of maps (n, groups * channels, ...) and weights (groups * out, in)."""

    @abstractmethod
    def _back(
        self, grad: Tensor, x: Tensor, w: Tensor, groups: int, needed: tuple[bool, bool]
    ) -> tuple[Tensor | None, Tensor | None]:
        """Gradients of `_applied`, to weights as they are given."""

    @abstractmethod
    def map_size(self, size: tuple[int, ...]) -> tuple[int, ...]:
        """Size of the outputs of prepared inputs of a size."""

    @abstractmethod
    def _windowed(self, x: Tensor) -> Tensor:
        """Maps (n, channels, ...) of which the input vectors are windows, `_apart` apart."""

    @property
    def _apart(self) -> tuple[int, ...]:
        return self.stride

    def columns(self, x: Tensor, w: Tensor, chips: int) -> Tensor:
        """One convolution for each chip, or one with chips as groups."""
        if chips == 1:
            return self._applied(x, w, self.groups)
        if not self._in_turn(x, w, chips):
            return _ungrouped(self._applied(_grouped(x, chips), w, chips * self.groups), chips)
        every = None
        for chip, (one, own) in enumerate(zip(_each(x, chips), _each(w, chips), strict=True)):
            y = self._applied(one, own, self.groups)
            if every is None:
                every = y.new_empty((chips, *y.shape))
            every[chip] = y
        assert every is not None
        return every.flatten(0, 1)

    def gradients(
        self, grad: Tensor, x: Tensor, w: Tensor, chips: int, needed: tuple[bool, bool]
    ) -> tuple[Tensor | None, Tensor | None]:
        if chips == 1:
            return self._back(grad, x, w, self.groups, needed)
        if not self._in_turn(x, w, chips):
            folded = _grouped(grad, chips), _grouped(x, chips)
            to_x, to_w = self._back(*folded, w, chips * self.groups, needed)
            if to_w is not None:
                to_w = to_w.unflatten(0, (chips, -1)).sum(0)  # (chips * out, ...) -> (out, ...)
            return None if to_x is None else _ungrouped(to_x, chips), to_w
        every = total = None
        given = zip(_each(grad, chips), _each(x, chips), _each(w, chips), strict=True)
        for chip, (back, one, own) in enumerate(given):
            to_x, to_w = self._back(back, one, own, self.groups, needed)
            if to_x is not None:
                if every is None:
                    every = to_x.new_empty((chips, *to_x.shape))
                every[chip] = to_x
            if to_w is not None:
                total = to_w if total is None else total.add_(to_w)
        return None if every is None else every.flatten(0, 1), total

    def _in_turn(self, x: Tensor, w: Tensor, chips: int) -> bool:
        """Whether chips are better run one after another: as groups all of their maps are laid out
        anew, which pays for small ones. Chips times groups are always slower."""
        if self.groups > 1:
            return True
        pixels = x.numel() // (x.shape[1] * chips * math.prod(self._apart))
        return pixels * (w.numel() // chips) > _IN_TURN

    def rows(self, x: Tensor) -> Tensor:
        return _windows(self._windowed(x), self.kernel[1:], self._apart, self.dilation)

    def from_rows(self, y: Tensor, x: Tensor) -> Tensor:
        # (n * pixels, out) -> (n, *size, out) -> (n, out, *size)
        return y.unflatten(0, (x.shape[0], *self.map_size(x.shape[2:]))).movedim(-1, 1)

    def input_size(self, x: Tensor) -> Tensor:
        """Of each patch (n, groups, ...)."""
        return self._patch_sums(self._by_group(x).square().sum(1, keepdim=True), len(x)).sqrt()

    def input_sum(self, x: Tensor) -> Tensor:
        """Of each patch (n, groups, ...)."""
        return self._patch_sums(wide_sum(self._by_group(x), 1), len(x))

    def _by_group(self, x: Tensor) -> Tensor:
        """(n, groups * channels, ...) to (n * groups, channels, ...)."""
        return x if self.groups == 1 else x.unflatten(1, (self.groups, -1)).flatten(0, 1)

    def _patch_sums(self, x: Tensor, n: int) -> Tensor:
        """Sums of each patch (n, groups, ...) of maps x (n * groups, 1, ...), one dimension after
        another."""
        x = self._windowed(x)
        each = zip(self.kernel[1:], self._apart, self.dilation, strict=True)
        for dim, (size, apart, dilation) in enumerate(each, 2):
            x = _every(_window_sums(x, dim, size, dilation), dim, apart)
        return x if self.groups == 1 else x.view(n, self.groups, *x.shape[2:])


@dataclass(frozen=True, kw_only=True)
class Convolution(MapProduct):
    """Maps (n, channels, ...) with a kernel: each output pixel is a read of the unrolled one."""

    pad: tuple[int, ...] | None
    """Zeros that the convolution adds on each side; None: the input comes padded."""
    edges: tuple[int, ...]
    """What is padded on all sides, as `F.pad` takes it."""
    padding_mode: str

    @classmethod
    def of(cls, conv: _ConvNd) -> Convolution:
        """The product of a torch layer."""
        plain = conv.padding_mode == "zeros" and not isinstance(conv.padding, str)
        return cls(
            kernel=(conv.in_channels // conv.groups, *conv.kernel_size),
            stride=conv.stride,
            dilation=conv.dilation,
            groups=conv.groups,
            pad=conv.padding if plain else None,  # type: ignore[arg-type]
            edges=tuple(conv._reversed_padding_repeated_twice),
            padding_mode="constant" if conv.padding_mode == "zeros" else conv.padding_mode,
        )

    @property
    def prepares(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        """What convolutions cannot pad themselves, they are given padded."""
        return self.pad is None

    def prepared(self, x: Tensor) -> Tensor:
        return x if self.pad is not None else self._padded(x)

    def _padded(self, x: Tensor) -> Tensor:
        return F.pad(x, self.edges, mode=self.padding_mode) if any(self.edges) else x

    def _windowed(self, x: Tensor) -> Tensor:
        return x if self.pad is None else self._padded(x)

    def _applied(self, x: Tensor, w: Tensor, groups: int) -> Tensor:
        # (groups * out, in) -> (groups * out, channels, ...)
        w, pad = w.unflatten(1, self.kernel), self.pad or 0
        convolved = _CONVOLUTIONS[len(self.stride)]
        return convolved(x, w, None, self.stride, pad, self.dilation, groups)  # type: ignore[arg-type]

    def _back(
        self, grad: Tensor, x: Tensor, w: Tensor, groups: int, needed: tuple[bool, bool]
    ) -> tuple[Tensor | None, Tensor | None]:
        none = (0,) * len(self.stride)
        w, how = w.unflatten(1, self.kernel), (self.stride, self.pad or none, self.dilation)
        to_x, to_w, _ = torch.ops.aten.convolution_backward(
            grad, x, w, None, *how, False, none, groups, (*needed, False)
        )
        return to_x, to_w

    def map_size(self, size: tuple[int, ...]) -> tuple[int, ...]:
        pads = self.pad or (0,) * len(size)
        each = zip(size, pads, self.kernel[1:], self.stride, self.dilation, strict=True)
        return tuple(
            (given + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1
            for given, pad, kernel, stride, dilation in each
        )

    def input_size(self, x: Tensor) -> Tensor:
        if len(self.stride) > 2 or not native(x):
            return super().input_size(x)
        size = x.new_empty(len(x), self.groups, *self.map_size(x.shape[2:]))
        kernel, stride, dilation, pad = self._of_images
        n, ones = len(x) * self.groups, (1,) * (2 - len(self.stride))
        given = x.numpy().reshape(n, self.kernel[0], *ones, *x.shape[2:])
        into = size.numpy().reshape(n, *ones, *size.shape[2:])
        patch_sizes(given, kernel, stride, dilation, pad, into)
        return size

    @cached_property
    def _of_images(self) -> tuple[tuple[int, int], ...]:
        """Kernel, stride, dilation and zeros of maps of one or two dimensions, as of images."""
        one = len(self.stride) == 1
        each = self.kernel[1:], self.stride, self.dilation, self.pad or (0,) * len(self.stride)
        before = ((1,), (1,), (1,), (0,)) if one else ((),) * 4
        return tuple((*a, *b) for a, b in zip(before, each, strict=True))  # type: ignore[misc]


@dataclass(frozen=True, kw_only=True)
class TransposedConvolution(MapProduct):
    """Maps (n, channels, ...) with zeros between their pixels, convolved: each output pixel is a
    read of the unrolled kernel.

    Most of the inputs of a read are zeros. Arrays that are read once for each input pixel instead,
    with kernel times as many columns whose overlapping outputs are added digitally, are the other
    published way (RED, Z. Fan et al., DATE 2019, arXiv:1907.02987).
    """

    pad: tuple[int, ...]
    """What is cut off of the outputs on each side."""
    further: tuple[int, ...]
    """What is not cut off of it at the end of each dimension, `output_padding` in torch."""

    @classmethod
    def of(
        cls, conv: _ConvTransposeNd, output_padding: tuple[int, ...] | None = None
    ) -> TransposedConvolution:
        """The product of a torch layer, for outputs of another size if need be."""
        further = conv.output_padding if output_padding is None else output_padding
        return cls(
            kernel=(conv.in_channels // conv.groups, *conv.kernel_size),
            stride=conv.stride,
            dilation=conv.dilation,
            groups=conv.groups,
            pad=conv.padding,  # type: ignore[arg-type]
            further=further,
        )

    def giving(self, x: Tensor, size: tuple[int, ...]) -> TransposedConvolution:
        least = replace(self, further=(0,) * len(size)).map_size(tuple(x.shape[2:]))
        further = tuple(n - m for n, m in zip(size, least, strict=True))
        return self if further == self.further else replace(self, further=further)

    @property
    def _apart(self) -> tuple[int, ...]:
        return (1,) * len(self.stride)

    def _windowed(self, x: Tensor) -> Tensor:
        # zeros between the pixels
        size = [stride * (n - 1) + 1 for n, stride in zip(x.shape[2:], self.stride, strict=True)]
        stuffed = x.new_zeros(*x.shape[:2], *size)
        stuffed[(..., *(slice(None, None, stride) for stride in self.stride))] = x
        edges: list[int] = []
        each = zip(self.kernel[1:], self.dilation, self.pad, self.further, strict=True)
        for kernel, dilation, pad, further in each:
            outside = dilation * (kernel - 1) - pad
            edges = [outside, outside + further, *edges]
        return F.pad(stuffed, edges)

    def rows(self, x: Tensor) -> Tensor:
        # windows are met from their end: (n, channels * size) -> (n, channels, size)
        pixels = math.prod(self.kernel[1:])
        return super().rows(x).unflatten(1, (-1, pixels)).flip(2).flatten(1)

    def _applied(self, x: Tensor, w: Tensor, groups: int) -> Tensor:
        convolved = _TRANSPOSED[len(self.stride)]
        w = inputs_first(w.unflatten(1, self.kernel), groups)
        how = (self.stride, self.pad, self.further, groups, self.dilation)
        return convolved(x, w, None, *how)  # type: ignore[arg-type]

    def _back(
        self, grad: Tensor, x: Tensor, w: Tensor, groups: int, needed: tuple[bool, bool]
    ) -> tuple[Tensor | None, Tensor | None]:
        to_x, to_w, _ = torch.ops.aten.convolution_backward(
            *(grad, x, inputs_first(w.unflatten(1, self.kernel), groups), None),
            *(self.stride, self.pad, self.dilation, True, self.further, groups, (*needed, False)),
        )
        return to_x, None if to_w is None else outputs_first(to_w, groups)

    def map_size(self, size: tuple[int, ...]) -> tuple[int, ...]:
        how = (self.kernel[1:], self.stride, self.dilation, self.pad, self.further)
        return tuple(
            stride * (given - 1) + dilation * (kernel - 1) + 1 - 2 * pad + further
            for given, kernel, stride, dilation, pad, further in zip(size, *how, strict=True)
        )


def inputs_first(w: Tensor, groups: int) -> Tensor:
    """Weights (out, in of a group, ...) as torch's transposed convolutions have them:
    (in, out of a group, ...)."""
    return w.unflatten(0, (groups, -1)).transpose(1, 2).flatten(0, 1)


outputs_first = inputs_first
"""Its inverse, which is the same exchange."""


def _each(x: Tensor, chips: int) -> tuple[Tensor, ...]:
    """What each chip has of (chips * n, ...)."""
    return x.unflatten(0, (chips, -1)).unbind()


def _grouped(x: Tensor, chips: int) -> Tensor:
    """(chips * n, c, ...) to (n, chips * c, ...)."""
    # Channels last: grouped convolutions run several times faster so.
    sizes = range(1, x.dim() - 1)
    folded = x.unflatten(0, (chips, -1))  # (chips, n, c, ...)
    # (n, ..., chips * c), then the channels to the front, memory as it is
    folded = folded.permute(1, *(2 + i for i in sizes), 0, 2).flatten(-2)
    return folded.permute(0, x.dim() - 1, *sizes)


def _ungrouped(x: Tensor, chips: int) -> Tensor:
    """(n, chips * c, ...) to (chips * n, c, ...)."""
    d, sizes = x.dim(), range(1, x.dim() - 1)
    # (n, ..., chips, c)
    x = x.permute(0, *(1 + i for i in sizes), 1).unflatten(d - 1, (chips, -1))
    # (chips * n, ..., c), then the channels to the front
    return x.permute(d - 1, 0, *sizes, d).flatten(0, 1).permute(0, d - 1, *sizes)


def _windows(
    x: Tensor, size: tuple[int, ...], apart: tuple[int, ...], dilation: tuple[int, ...]
) -> Tensor:
    """Windows (n * positions, channels * size) of maps x (n, channels, ...)."""
    if x.dim() == 3:
        x, size, apart, dilation = x.unsqueeze(2), (1, *size), (1, *apart), (1, *dilation)
    elif x.dim() == 5:
        across = dilation[0] * (size[0] - 1) + 1
        # (n, channels, d', h, w, windows) -> (n, d', channels, windows, h, w)
        deep = x.unfold(2, across, apart[0])[..., :: dilation[0]].permute(0, 2, 1, 5, 3, 4)
        x = deep.flatten(2, 3).flatten(0, 1)  # (n * d', channels * windows, h, w)
    size, apart, dilation = ((t[-2], t[-1]) for t in (size, apart, dilation))
    each = zip(x.shape[2:], size, apart, dilation, strict=True)
    count = [(n - d * (kernel - 1) - 1) // stride + 1 for n, kernel, stride, d in each]
    differentiated = torch.is_grad_enabled() and x.requires_grad
    if native(x) and not differentiated and min(count) > 0:
        cut = x.new_empty(len(x), *count, x.shape[1], *size)
        cut_patches(x.detach().numpy(), apart, dilation, cut.numpy())
        return cut.flatten(0, 2).flatten(1)
    # (n, in, positions) -> (n, positions, in)
    return F.unfold(x, size, dilation, 0, apart).transpose(1, 2).flatten(0, 1)


def _window_sums(x: Tensor, dim: int, size: int, dilation: int) -> Tensor:
    """Sums over every window of `size` values, `dilation` apart, along one dimension."""
    length = x.shape[dim] - dilation * (size - 1)
    total = x.narrow(dim, 0, length).clone()
    for k in range(1, size):
        total += x.narrow(dim, dilation * k, length)
    return total


def _every(x: Tensor, dim: int, apart: int) -> Tensor:
    """Every so many-th place along a dimension."""
    return x if apart == 1 else x[(slice(None),) * dim + (slice(None, None, apart),)]
