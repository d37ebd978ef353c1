"""Layers compute the same in compiled code and in torch."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import mho
from builders.small_layers import CELL, LAYERS
from mho import kernels
from mho.hardware.converters import Converter
from mho.hardware.streams import key
from mho.kernels.normal import normals
from mho.learning.layers.layer import memristive_layers

WAYS: dict[str, dict[str, Any]] = {
    "plain": {},
    "by column": {"adc_range": "column"},
    "saturating": {"coverage": 0.9},
    "serial": {"serial_inputs": True},
    "sliced": {"slices": 3, "coverage": 0.9},
    "exact": {"dac_bits": None, "adc_bits": None},
}


def passes(which: str, hardware: mho.Hardware, chips: int | None) -> list[Tensor]:
    """Output of a fresh network of one layer after another, and all gradients."""
    make, shape = LAYERS[which]
    torch.manual_seed(3)
    net = mho.convert(nn.Sequential(make()), hardware, chips, generator=torch.Generator())
    x = torch.randn(shape, generator=torch.Generator().manual_seed(5)).requires_grad_()
    mho.calibrate(net, x.detach())
    y = net(x)
    y.backward(torch.linspace(-1, 2, y.numel()).view_as(y))
    with torch.no_grad():
        alone = net(x)
    return [y.detach(), alone, x.grad, *(p.grad for p in net.parameters())]  # type: ignore[list-item]


@pytest.mark.parametrize("chips", [None, 3])
@pytest.mark.parametrize("adc_per_tile", [True, False])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("which", LAYERS)
def test_a_layer_is_the_same_compiled_and_in_torch(
    which: str, way: str, adc_per_tile: bool, chips: int | None
) -> None:
    options = {"dac_bits": 5, "adc_bits": 5, "adc_per_tile": adc_per_tile} | WAYS[way]
    hardware = mho.Hardware(device=CELL, tile=(7, 24), programming=mho.cells.OpenLoop(), **options)
    compiled = passes(which, hardware, chips)
    with kernels.off():
        in_torch = passes(which, hardware, chips)
    for one, two in zip(compiled, in_torch, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("own", [{}, {-1: 7}])
def test_not_a_number_stays_so_and_stops_the_gradient(own: dict[int, int]) -> None:
    converter = Converter("ADC", 4, 1.0, chips=1, own=own)
    converter.ranges = [1.0] * (7 if own else 1)
    x = torch.linspace(-2, 2, 21).view(3, 7)
    x[1, 2] = torch.nan
    x.requires_grad_()
    y = converter(x)
    y.backward(torch.ones_like(y))
    assert y.isnan().nonzero().tolist() == [[1, 2]]
    assert torch.equal(x.grad, (x.detach().abs() < 15 / 14).float())


def test_a_network_passes_not_a_number_on() -> None:
    hardware = mho.Hardware(device=CELL.replace(read_noise=0.01), dac_bits=4, adc_bits=4)
    net = mho.convert(nn.Sequential(nn.Linear(5, 3)), hardware).eval()
    x = torch.ones(2, 5)
    mho.calibrate(net, x)
    x[1, 0] = torch.nan
    assert net(x).isnan().all(1).tolist() == [False, True]


@pytest.mark.parametrize("which", ["linear", "conv"])
def test_noise_of_a_read_is_the_stream_of_its_chip(which: str) -> None:
    make, shape = LAYERS[which]
    hardware = mho.Hardware(device=CELL.replace(read_noise=0.05))
    net = mho.convert(make(), hardware, generator=torch.Generator())
    (layer,) = memristive_layers(net).values()
    x = torch.randn(shape)
    with torch.no_grad():
        product = layer.reading.product
        bias = layer.bias.view(-1, *(1,) * (-1 - product.column_dim))
        z = net(x) - product.columns(x, layer.effective[0], 1) - bias
        z /= product.input_size(x) * layer.full_scale * 0.05 * 2**0.5
    expected = np.empty(z.numel(), np.float32)
    crossbar = layer.crossbar
    normals(expected, np.uint64(key(crossbar.seed, 0, "read", crossbar.counts.vectors)), 0)
    torch.testing.assert_close(z.flatten(), torch.from_numpy(expected), rtol=1e-3, atol=1e-4)
