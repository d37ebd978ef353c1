"""Sizes of the inputs of an output: norms of rows and of patches."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import mho
from builders.small_layers import CELL, LAYERS
from mho.hardware.sensing import row_size
from mho.kernels.inputs import cut_patches, patch_sizes
from mho.learning.layers.conv import MemristiveConv2d
from mho.learning.layers.layer import memristive_layers


@pytest.mark.parametrize("which", [name for name in LAYERS if name.startswith("conv")])
def test_sizes_of_patches_are_those_of_a_convolution(which: str) -> None:
    make, shape = LAYERS[which]
    torch.manual_seed(0)
    plain = make()
    assert isinstance(plain, nn.Conv2d)
    (layer,) = memristive_layers(mho.convert(plain, mho.Hardware(device=CELL))).values()
    assert isinstance(layer, MemristiveConv2d)
    x = torch.randn(shape)
    ones = torch.ones(1, *plain.weight.shape[1:])
    pad = plain.padding if plain.padding_mode == "zeros" else 1
    expected = F.conv2d(x.square(), ones, None, plain.stride, pad, plain.dilation).sqrt()  # type: ignore[call-overload]
    if plain.padding_mode != "zeros":
        x = F.pad(x, (1, 1, 1, 1), mode=plain.padding_mode)
        expected = F.conv2d(x.square(), ones, None, plain.stride, 0, plain.dilation).sqrt()
    torch.testing.assert_close(layer.reading.product.input_size(x), expected)


@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize("kernel", [1, 2, 3, 5])
@pytest.mark.parametrize(
    ("stride", "dilation", "pad"), [(1, 1, 0), (1, 1, 2), (2, 1, 1), (3, 2, 4)]
)
@pytest.mark.parametrize(("n", "high", "wide"), [(0, 9, 9), (3, 9, 12), (70, 10, 9), (2, 70, 70)])
def test_sizes_of_patches_of_one_image_or_of_many(
    channels: int, kernel: int, stride: int, dilation: int, pad: int, n: int, high: int, wide: int
) -> None:
    """Small images are summed together, and the last ones of them alone."""
    x = torch.randn(n, channels, high, wide)
    ones = torch.ones(1, channels, kernel, kernel)
    expected = F.conv2d(x.square(), ones, None, stride, pad, dilation).sqrt().squeeze(1)
    size = torch.empty_like(expected)
    both = lambda number: (number, number)  # noqa: E731
    how = (both(kernel), both(stride), both(dilation), both(pad))
    patch_sizes(x.numpy(), *how, size.numpy())
    torch.testing.assert_close(size, expected)


@pytest.mark.parametrize("kernel", [(1, 1), (3, 2), (2, 5)])
@pytest.mark.parametrize("stride", [(1, 1), (2, 3)])
@pytest.mark.parametrize("dilation", [(1, 1), (3, 2)])
@pytest.mark.parametrize("n", [0, 3])
def test_patches_are_those_of_torch(
    kernel: tuple[int, int], stride: tuple[int, int], dilation: tuple[int, int], n: int
) -> None:
    x = torch.randn(n, 2, 12, 13)
    each = zip(x.shape[2:], kernel, stride, dilation, strict=True)
    count = [(size - d * (k - 1) - 1) // apart + 1 for size, k, apart, d in each]
    cut = torch.empty(n, *count, 2, *kernel)
    cut_patches(x.numpy(), stride, dilation, cut.numpy())
    if n:
        expected = F.unfold(x, kernel, dilation, 0, stride)
        assert torch.equal(cut.flatten(3).flatten(1, 2).mT, expected)


def test_sizes_of_rows_are_their_norms() -> None:
    x = torch.randn(2, 3, 101)
    torch.testing.assert_close(row_size(x), x.norm(dim=-1, keepdim=True))
