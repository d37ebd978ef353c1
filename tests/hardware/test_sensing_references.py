"""What a mapping subtracts: digitally after the ADC, or by reference columns that outputs share."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import mho
from builders.converting_layers import CELL, LAYERS, hardware, inputs, twin
from builders.networks import only_layer
from mho import kernels
from mho.hardware.mapping import MAPPINGS, Mapping
from mho.learning.layers.layer import ArrayLayer

which_layer = pytest.mark.parametrize("which", LAYERS)
per_tile = pytest.mark.parametrize("adc_per_tile", [True, False])
either_way = pytest.mark.parametrize("compiled", [True, False])
WAYS: dict[str, dict[str, Any]] = {
    "plain": {},
    "column": {"adc_range": "column"},
    "fixed": {"adc_range": 0.4, "dac_range": 3.0},
    "serial": {"serial_inputs": True, "dac_bits": 4},
    "sliced": {"slices": 2},
    "copies": {"copies": 2},
}


# ------------------------------------------------------------------ what is added digitally


def rows_of(x: Tensor) -> Tensor:
    """Input vectors (n, in)."""
    return x if x.dim() == 2 else F.unfold(x, 3).transpose(1, 2).flatten(0, 1)


def as_rows(y: Tensor) -> Tensor:
    """Outputs (chips, ...) as (chips, n, out)."""
    return y if y.dim() == 3 else y.flatten(3).transpose(2, 3).flatten(1, 2)


def written_out(layer: ArrayLayer, x: Tensor, chip: int) -> Tensor:
    """Outputs (n, out) of one chip, with converters that see the currents of bare columns."""
    hw, tiling, crossbar = layer.hardware, layer.crossbar.tiling, layer.crossbar
    cells, groups = hw.cells, hw.cells.groups
    lsb_in = layer.dac.ranges[chip].item() / layer.dac.most
    code = (rows_of(x).double() / lsb_in).round().clamp(-layer.dac.most, layer.dac.most)
    planes = {1.0: code * lsb_in}
    if hw.serial_inputs:
        bits = [(code.long() >> b) % 2 for b in range(hw.dac_bits)]
        places = [2.0**b for b in range(hw.dac_bits - 1)] + [-(2.0 ** (hw.dac_bits - 1))]
        most = layer.dac.most
        planes = {
            place / most: bit.double() * lsb_in * most
            for place, bit in zip(places, bits, strict=True)
        }
    height = tiling.rows if hw.adc_per_tile else tiling.in_features
    out, total = tiling.out_features, torch.zeros(())
    lsb = layer.adc.ranges[chip] / layer.adc.most  # of all, or (tiles, columns), or (columns)
    parts = crossbar.conductance[chip].double().chunk(groups, -1)
    for digit, place in enumerate(cells.factors):
        copies = parts[digit * cells.copies : (digit + 1) * cells.copies]
        g = tiling.join(torch.stack(copies).mean(0)) * layer.scale  # (out, in)
        own = slice(digit * out, (digit + 1) * out)
        for factor, plane in planes.items():
            for tile, start in enumerate(range(0, tiling.in_features, height)):
                part = slice(start, start + height)
                column = plane[:, part] @ g[:, part].T
                step = lsb if lsb.dim() == 0 else lsb[(tile, own) if lsb.dim() == 2 else own]
                codes = (column / step).round().clamp(-layer.adc.most, layer.adc.most)
                total = total + factor * place * codes * step
    middle = sum(hw.device.window) / 2 * layer.scale
    bias = layer.bias.detach()
    return total - middle * (code * lsb_in).sum(1, keepdim=True) + bias


@either_way
@pytest.mark.parametrize("way", WAYS)
@per_tile
@which_layer
def test_an_adc_sees_the_bare_column_of_a_single_cell(
    which: str, adc_per_tile: bool, way: str, compiled: bool, generator: torch.Generator
) -> None:
    """The middle of the window, times the sum of the inputs, is subtracted after it."""
    x = inputs(which, generator)
    options = {"dac_bits": 6, "adc_bits": 8, "adc_per_tile": adc_per_tile} | WAYS[way]
    net = twin(which, hardware(mapping="single", **options), 2)
    layer = only_layer(net)
    mho.calibrate(net, x)
    with torch.no_grad():
        if compiled:
            y = as_rows(net(x))
        else:
            with kernels.off():
                y = as_rows(net(x))
    for chip in range(2):
        away = (y[chip] - written_out(layer, x, chip)).abs()
        assert (away < 1e-3).double().mean() > 0.95  # on the border of two codes either may come
        assert away.max() < 3 * layer.adc.ranges.max() / layer.adc.most


@per_tile
@which_layer
def test_bare_columns_take_ranges_of_their_size(
    which: str, adc_per_tile: bool, generator: torch.Generator
) -> None:
    x = inputs(which, generator).abs()
    for bits in (6, 8):
        made = {}
        for name in ("offset", "single"):
            hw = hardware(mapping=name, adc_bits=bits, dac_bits=10, adc_per_tile=adc_per_tile)
            made[name] = net = twin(which, hw)
            mho.calibrate(net, x)
        ranges = {name: only_layer(net).adc.ranges.item() for name, net in made.items()}
        assert ranges["single"] > 2 * ranges["offset"]
        (counts,) = mho.saturation(made["single"], x).values()
        assert counts.adc.saturated.item() == 0


@which_layer
def test_without_an_adc_a_single_cell_is_exact(which: str, generator: torch.Generator) -> None:
    x = inputs(which, generator)
    net = twin(which, hardware(mapping="single"))
    layer = only_layer(net)
    weight = layer.effective[0].view_as(layer.weight)
    plain = F.linear if which == "linear" else F.conv2d
    assert torch.equal(net(x), plain(x, weight, layer.bias))


@per_tile
@which_layer
def test_many_bits_give_the_signed_weight(
    which: str, adc_per_tile: bool, generator: torch.Generator
) -> None:
    """Of any mapping that adds something digitally."""
    x = inputs(which, generator)
    MAPPINGS["pair of unequal parts"] = Mapping(own=(1.0, -0.5), constant=-0.25)
    try:
        for name in ("single", "pair of unequal parts"):
            for serial in (True, False):
                hw = hardware(
                    mapping=name, adc_bits=16, dac_bits=8, adc_per_tile=adc_per_tile,
                    serial_inputs=serial, slices=2 if name == "single" else 1,
                )  # fmt: skip
                net = twin(which, hw)
                mho.calibrate(net, x)
                layer = only_layer(net)
                weight, driven = layer.effective[0].view_as(layer.weight), layer.dac(x)
                plain = F.linear if which == "linear" else F.conv2d
                wanted = plain(driven, weight, layer.bias)
                torch.testing.assert_close(net(x), wanted, rtol=0, atol=4e-3)
    finally:
        del MAPPINGS["pair of unequal parts"]


def test_gradients_of_a_single_cell_are_those_of_its_signed_weight(
    generator: torch.Generator,
) -> None:
    x = inputs("linear", generator)
    grads = []
    for bits in (None, 12):
        net = twin("linear", hardware(mapping="single", adc_bits=bits))
        if bits:
            mho.calibrate(net, 2 * x)
        ours = x.clone().requires_grad_()
        net(ours).sum().backward()
        grads.append((ours.grad, only_layer(net).weight.grad))
    for one, two in zip(*grads, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-4)


# ------------------------------------------------------------------ reference columns

NOISY = CELL.replace(read_noise=0.05, sigma=(0.0,), device_spread=0.0)
MADE = {"linear": lambda: nn.Linear(23, 9), "conv": lambda: nn.Conv2d(3, 9, 3)}
READS = 600


@either_way
@pytest.mark.parametrize("chips", [1, 2])
@pytest.mark.parametrize("way", ["exact", "whole", "by tile", "sliced", "copies"])
@which_layer
def test_outputs_share_the_noise_of_their_reference_columns(
    which: str, way: str, chips: int, compiled: bool
) -> None:
    """Variance of each output, and covariance of two: of one array, of two, of two vectors."""
    options: dict[str, Any] = {
        "exact": {},
        "whole": {"adc_bits": 16, "adc_per_tile": False},
        "by tile": {"adc_bits": 16},
        "sliced": {"adc_bits": 16, "slices": 2},
        "copies": {"adc_bits": 16, "copies": 2},
    }[way]
    groups = 2 if way in ("sliced", "copies") else 1
    hw = hardware(NOISY, mapping="offset", **options | {"tile": (7, groups * (4 + 2))})
    torch.manual_seed(5)
    net = mho.convert(MADE[which](), hw, chips, generator=torch.Generator().manual_seed(2)).eval()
    layer = only_layer(net)
    assert layer.crossbar.tiling.grid[1] == 3  # 9 columns, 3 an array
    x = torch.randn((2, 23) if which == "linear" else (1, 3, 4, 3))  # two vectors
    if hw.adc_bits:
        mho.calibrate(net, 2 * x)
    with torch.no_grad():
        reads = []
        for _ in range(READS):
            if compiled:
                reads.append(as_rows(net(x)))
            else:
                with kernels.off():
                    reads.append(as_rows(net(x)))
    y = torch.stack(reads).double()  # (reads, chips, 2, 9)
    size = rows_of(x).double().square().sum(1)  # (2,)
    unit = (0.05 * 80e-6 * layer.scale) ** 2 * size / (2 if way == "copies" else 1)
    unit = unit * sum(f**2 for f in hw.cells.factors)
    y = (y - y.mean(0)) / unit.sqrt().view(1, 1, 2, 1)
    flat = y.flatten(1)  # (reads, chips * 2 * 9)
    seen = flat.T @ flat / (READS - 1)
    of = torch.arange(flat.shape[1])
    column, vector = of % 9, of // 9  # and chip
    together = (vector[:, None] == vector) & (column[:, None] // 3 == column // 3)
    same = torch.eye(len(of), dtype=torch.bool)
    assert seen[same].mean().item() == pytest.approx(1.5, rel=0.05)
    assert seen[together & ~same].mean().item() == pytest.approx(0.5, rel=0.15)
    assert seen[~together].mean().item() == pytest.approx(0.0, abs=0.05)
    assert seen[~together].abs().max() < 0.4


@pytest.mark.parametrize("name", ["differential", "single"])
def test_columns_without_references_share_nothing(name: str) -> None:
    net = mho.convert(nn.Linear(23, 9), hardware(NOISY, mapping=name))
    x = torch.randn(1, 23)
    with torch.no_grad():
        y = torch.stack([net(x)[0] for _ in range(READS)]).double()
    seen = torch.corrcoef(y.T)
    assert seen[~torch.eye(9, dtype=torch.bool)].mean().abs() < 0.03


@which_layer
def test_shared_noise_is_each_chips_own(which: str, generator: torch.Generator) -> None:
    x = inputs(which, generator)
    hw = hardware(NOISY, mapping="offset", adc_bits=9, dac_bits=8)
    many = twin(which, hw, 3)
    alone = [twin(which, hw, first_chip=k) for k in range(3)]
    for net in (many, *alone):
        mho.calibrate(net, x)
    y = many(x)
    for k, net in enumerate(alone):
        away = (net(x) - y[k]).abs()
        assert (away < 1e-4).double().mean() > 0.97
