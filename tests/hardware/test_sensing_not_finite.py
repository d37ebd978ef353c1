"""nan among the inputs: just the outputs that depend on it are nan; an infinite one saturates."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import mho
from builders.converting_layers import CELL, LAYERS, WAYS, hardware, inputs, twin
from builders.networks import only_layer
from mho import kernels

which_layer = pytest.mark.parametrize("which", LAYERS)
per_tile = pytest.mark.parametrize("adc_per_tile", [True, False])
WAYS_AND_EXACT = WAYS | {"plain": {}, "exact": {"dac_bits": None, "adc_bits": None}}
each_way = pytest.mark.parametrize("way", WAYS_AND_EXACT)
EDGE = (2, 7)
"""One of the inputs; of a convolution in the second channel."""


def spoiled(x: Tensor, value: float) -> tuple[Tensor, tuple[int, ...]]:
    at = EDGE if x.dim() == 2 else (2, 1, 4, 3)
    x = x.clone()
    x[at] = value
    return x, at


def depends(x: Tensor, at: tuple[int, ...]) -> Tensor:
    """Which output vectors or pixels an input enters."""
    lit = torch.zeros_like(x)
    lit[at] = 1.0
    if x.dim() == 2:
        return lit.sum(1, keepdim=True) > 0
    return F.conv2d(lit, torch.ones(1, 3, 3, 3)) > 0


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("chips", [None, 2])
@pytest.mark.parametrize("mapping", ["differential", "offset", "single"])
@per_tile
@each_way
@which_layer
def test_exactly_what_depends_on_nan_is_nan(
    which: str, way: str, adc_per_tile: bool, mapping: str, chips: int | None, compiled: bool,
    generator: torch.Generator,
) -> None:  # fmt: skip
    x = inputs(which, generator)
    options: dict[str, Any] = {"dac_bits": 6, "adc_bits": 7, "adc_per_tile": adc_per_tile}
    cell = CELL.replace(read_noise=0.02)
    net = twin(which, hardware(cell, mapping=mapping, **options | WAYS_AND_EXACT[way]), chips)
    mho.calibrate(net, x)
    bad, at = spoiled(x, float("nan"))
    for grad in (False, True):
        with torch.set_grad_enabled(grad):
            if compiled:
                y = net(bad)
            else:
                with kernels.off():
                    y = net(bad)
        wanted = depends(x, at).expand(y.shape)
        assert torch.equal(y.isnan(), wanted)
        assert y[~wanted].isfinite().all()


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("sign", [1, -1])
@per_tile
@pytest.mark.parametrize("way", [*WAYS, "plain"])
@which_layer
def test_what_is_infinite_saturates(
    which: str, way: str, adc_per_tile: bool, sign: int, compiled: bool,
    generator: torch.Generator,
) -> None:  # fmt: skip
    x = inputs(which, generator)
    options: dict[str, Any] = {"dac_bits": 6, "adc_bits": 7, "adc_per_tile": adc_per_tile}
    net = twin(which, hardware(**options | WAYS_AND_EXACT[way]), 2)
    mho.calibrate(net, x)
    largest = sign * only_layer(net).dac.ranges.max().item()
    bad, _ = spoiled(x, sign * float("inf"))
    edge, _ = spoiled(x, 2 * largest)
    with torch.no_grad():
        if compiled:
            assert torch.equal(net(bad), net(edge))
        else:
            with kernels.off():
                assert torch.equal(net(bad), net(edge))


@which_layer
def test_saturation_counts_nan_as_saturated(which: str, generator: torch.Generator) -> None:
    """Of an activation: nan among the inputs is refused."""
    x = inputs(which, generator)
    net = twin(which, hardware(dac_bits=6))
    mho.calibrate(net, x)

    def spoil(_module: object, given: tuple[Tensor, ...]) -> Tensor:
        return spoiled(given[0], float("nan"))[0]

    (plain,) = mho.saturation(net, x).values()
    handle = only_layer(net).register_forward_pre_hook(spoil)
    (counts,) = mho.saturation(net, x).values()
    handle.remove()
    assert counts.dac.saturated.item() == 1
    assert 0 < counts.dac.squares.item() <= plain.dac.squares.item()
