"""Sizes of the inputs of an output: norms of rows and of patches."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import mho
from builders.small_layers import CELL, LAYERS
from mho.hardware.sensing import row_size
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


def test_sizes_of_rows_are_their_norms() -> None:
    x = torch.randn(2, 3, 101)
    torch.testing.assert_close(row_size(x), x.norm(dim=-1, keepdim=True))
