"""Convolutions of every kind, options drawn by seeds: in the ideal limit they are torch's."""

import copy
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import mho
from builders.convolutions import KINDS, sampled
from builders.networks import only_layer
from mho import Hardware, kernels
from mho.cells import MultiLevel, OpenLoop
from mho.learning.layers.convolution import MapProduct
from mho.learning.layers.layer import ArrayLayer, memristive_layers

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")

Case = tuple[str, int]

FINE = MultiLevel(g_min=1e-6, g_max=1e-4, levels=4096)
QUIET = MultiLevel(g_min=10e-6, g_max=90e-6, levels=4, sigma=(2e-6,), device_spread=0.02)
REAL = QUIET.replace(read_noise=0.03)
TILE = (7, 16)

every_case = pytest.mark.parametrize("case", [(k, s) for k in KINDS for s in range(8)], ids=str)
some_cases = pytest.mark.parametrize("case", [(k, s) for k in KINDS for s in (1, 5)], ids=str)

WHOLE = {"adc_per_tile": False}
WAYS: dict[str, dict[str, Any]] = {
    "by tile": {"dac_bits": 14},
    "whole": {"dac_bits": 14} | WHOLE,
    "own ranges": {"adc_range": "column"},
    "whole, own ranges": {"adc_range": "column"} | WHOLE,
    "serial": {"dac_bits": 6, "serial_inputs": True},
    "serial, whole": {"dac_bits": 6, "serial_inputs": True} | WHOLE,
    "sliced": {"slices": 2, "mapping": "single"},
    "sliced, whole": {"slices": 2, "copies": 2, "adc_range": "column"} | WHOLE,
    "single": {"mapping": "single"},
    "single, whole": {"mapping": "single"} | WHOLE,
    "offset": {"mapping": "offset"},
    "offset, sliced": {"mapping": "offset", "slices": 2} | WHOLE,
}
every_way = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


def hardware(cell: MultiLevel = REAL, **options: Any) -> Hardware:
    settings: dict[str, Any] = {"tile": TILE, "programming": OpenLoop()} | options
    return Hardware(device=cell, **settings)


def twin(
    plain: nn.Module, hw: Hardware, chips: int | None = None, first_chip: int = 0
) -> nn.Module:
    generator = torch.Generator().manual_seed(7)
    return mho.convert(plain, hw, chips, generator=generator, first_chip=first_chip).eval()


def product_of(layer: ArrayLayer) -> MapProduct:
    product = layer.reading.product
    assert isinstance(product, MapProduct)
    return product


def positions(plain: nn.Module, x: Tensor) -> int:
    """Output pixels of a batch."""
    y = plain(x)
    return y.numel() // y.shape[1]


def rows_of(plain: nn.Module) -> int:
    """Inputs of an output."""
    return plain.in_channels // plain.groups * math.prod(plain.kernel_size)


# ------------------------------------------------------------------ the ideal limit


@every_case
def test_ideal_cells_give_torchs_layer_and_gradients(
    case: Case, generator: torch.Generator
) -> None:
    plain, shape = sampled(*case)
    net = twin(plain, hardware(FINE)).double()
    layer, same = only_layer(net), mho.to_digital(net, chip=0)
    assert repr(same) == repr(plain)
    assert (same.weight - plain.weight).abs().max() <= 0.51 * layer.step
    ours, theirs = torch.randn(shape, generator=generator).double().expand(2, *shape).clone()
    y, wanted = net(ours.requires_grad_()), same(theirs.requires_grad_())
    torch.testing.assert_close(y, wanted)
    upstream = torch.randn(y.shape, generator=generator).double()
    y.backward(upstream)
    wanted.backward(upstream)
    torch.testing.assert_close(ours.grad, theirs.grad)
    torch.testing.assert_close(layer.to_torch(layer.weight.grad), same.weight.grad)
    if plain.bias is not None:
        torch.testing.assert_close(layer.bias.grad, same.bias.grad)


@every_way
@some_cases
def test_conversions_are_steps_of_each_converter(
    case: Case, way: dict[str, Any], generator: torch.Generator
) -> None:
    plain, shape = sampled(*case)
    net = twin(plain, hardware(QUIET, adc_bits=16, **way), 3)
    layer, x = only_layer(net), torch.randn(shape, generator=generator)
    mho.calibrate(net, x)
    ours = x.clone().requires_grad_()
    y = net(ours)
    upstream = torch.randn(y.shape, generator=generator)
    y.backward(upstream)
    tiles = layer.crossbar.tiling.grid[0] if layer.reading.by_tile else 1
    step = layer.adc.ranges.amax().item() / 32767
    driven = layer.dac(x.repeat(3, *(1,) * (x.dim() - 1))).unflatten(0, (3, -1))
    to_x = torch.zeros_like(x)
    to_weight = torch.zeros_like(plain.weight)
    for chip in range(3):
        same, given = mho.to_digital(net, chip), driven[chip].clone().requires_grad_()
        wanted = same(given)
        # factors of digits and bits add up to 2 at most
        torch.testing.assert_close(y[chip], wanted, rtol=0, atol=1.1 * tiles * step + 1e-5)
        wanted.backward(upstream[chip])
        to_x += given.grad
        to_weight += same.weight.grad
    torch.testing.assert_close(ours.grad, to_x, rtol=0, atol=1e-3)
    torch.testing.assert_close(layer.to_torch(layer.weight.grad), to_weight, rtol=0, atol=1e-3)


@every_way
@some_cases
def test_compiled_and_torch_code_are_the_same(
    case: Case, way: dict[str, Any], generator: torch.Generator
) -> None:
    plain, shape = sampled(*case)
    x, answers = torch.randn(shape, generator=generator), []
    for _ in range(2):
        net = twin(plain, hardware(adc_bits=9, **way), 3)
        mho.calibrate(net, x)
        given = x.clone().requires_grad_()
        y = net(given)
        y.backward(torch.linspace(-1, 2, y.numel()).view_as(y))
        answers.append([y, net(x), given.grad, *(p.grad for p in net.parameters())])
        with kernels.off():
            net = twin(plain, hardware(adc_bits=9, **way), 3)
            mho.calibrate(net, x)
            given = x.clone().requires_grad_()
            y = net(given)
            y.backward(torch.linspace(-1, 2, y.numel()).view_as(y))
            answers.append([y, net(x), given.grad, *(p.grad for p in net.parameters())])
    for one, other in zip(*answers[:2], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


# ------------------------------------------------------------------ chips


@pytest.mark.parametrize("read_noise", [0.0, 0.05])
@every_case
def test_many_chips_are_the_chips_one_by_one(
    case: Case, read_noise: float, generator: torch.Generator
) -> None:
    plain, shape = sampled(*case)
    hw, x = hardware(REAL.replace(read_noise=read_noise)), torch.randn(shape, generator=generator)
    y = twin(plain, hw, 3)(x)
    for chip in range(3):
        alone = twin(plain, hw, first_chip=chip)(x)
        torch.testing.assert_close(y[chip], alone, rtol=1e-5, atol=1e-5)
    assert (y[0] - y[1]).abs().max() > 1e-3


@some_cases
def test_a_network_that_is_no_chain_gives_each_chip_the_same(
    case: Case, generator: torch.Generator
) -> None:
    class Doubled(nn.Module):
        def __init__(self, layer: nn.Module) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x) * x.new_tensor(2.0)

    plain, shape = sampled(*case)
    x = torch.randn(shape, generator=generator)
    chain, other = (twin(model, hardware(), 3) for model in (plain, Doubled(plain)))
    only_layer(other).crossbar.load_state_dict(only_layer(chain).crossbar.state_dict())
    only_layer(other).refresh()
    torch.testing.assert_close(other(x), 2 * chain(x))
    torch.testing.assert_close(other(x[0]), other(x[:1]).squeeze(1), rtol=0, atol=10)


@pytest.mark.parametrize("chips", [3, 40])
def test_large_and_small_maps_are_convolved_alike(chips: int, generator: torch.Generator) -> None:
    plain = nn.Conv2d(16, 16, 3, padding=1)
    net = twin(plain, hardware(QUIET, tile=(256, 64)), chips)
    layer = only_layer(net)
    large = torch.randn(6, 16, 20, 20, generator=generator)
    small = large[:1, :, :5, :6].clone()
    product, weights = product_of(layer), layer.effective.flatten(0, 1)
    for x, in_turn in ((large, True), (small, False)):
        folded = x.repeat(chips, 1, 1, 1)
        assert product._in_turn(folded, weights, chips) == in_turn
        ours = x.clone().requires_grad_()
        y = net(ours)
        upstream = torch.randn(y.shape, generator=generator)
        y.backward(upstream)
        to_x = torch.zeros_like(x)
        for chip in (0, chips - 1):
            wanted = mho.to_digital(net, chip)(x)
            torch.testing.assert_close(y[chip], wanted, rtol=1e-4, atol=1e-4)
        for chip in range(chips):
            theirs = x.clone().requires_grad_()
            mho.to_digital(net, chip)(theirs).backward(upstream[chip])
            to_x += theirs.grad
        torch.testing.assert_close(ours.grad, to_x, rtol=1e-3, atol=1e-3)


# ------------------------------------------------------------------ input vectors and noise


@every_case
def test_outputs_are_input_vectors_times_the_matrix_of_their_group(
    case: Case, generator: torch.Generator
) -> None:
    plain, shape = sampled(*case)
    layer = only_layer(twin(plain, hardware(FINE)))
    product, x = product_of(layer), torch.randn(shape, generator=generator)
    rows = product.rows(product.prepared(x))
    assert rows.shape == (positions(plain, x), plain.groups * rows_of(plain))
    matrices = layer.effective[0].unflatten(0, (plain.groups, -1))
    by_group = rows.unflatten(1, (plain.groups, -1))
    y = torch.einsum("ngi,goi->ngo", by_group, matrices).flatten(1)
    y = product.from_rows(y, product.prepared(x))
    wanted = product.columns(product.prepared(x), layer.effective[0], 1)
    torch.testing.assert_close(y, wanted, rtol=1e-4, atol=1e-5)
    # sizes and sums of the vectors, by group
    sums = product.from_rows(by_group.sum(2), product.prepared(x))
    torch.testing.assert_close(product.input_sum(product.prepared(x)), sums)
    sizes = product.from_rows(by_group.norm(dim=2), product.prepared(x))
    for compiled in (True, False):
        if compiled:
            found = product.input_size(product.prepared(x))
        else:
            with kernels.off():
                found = product.input_size(product.prepared(x))
        torch.testing.assert_close(found, sizes)


@pytest.mark.parametrize("bits", [None, 16], ids=["whole", "by tile"])
@pytest.mark.parametrize("mapping", ["differential", "offset"])
@some_cases
def test_noise_of_a_read_grows_with_the_inputs_of_its_group(
    case: Case, mapping: str, bits: int | None, generator: torch.Generator
) -> None:
    plain, shape = sampled(*case)
    cell = FINE.replace(read_noise=0.02)
    net = twin(plain, hardware(cell, mapping=mapping, adc_bits=bits), 200)
    layer, x = only_layer(net), torch.randn(shape, generator=generator)
    mho.calibrate(net, x)
    if bits:
        layer.adc.ranges = 2 * layer.adc.ranges  # noise saturates nowhere
    with torch.no_grad():
        noise = net(x) - mho.to_digital(net, chip=0)(x)
    size = product_of(layer).input_size(product_of(layer).prepared(x))
    size = size.repeat_interleave(plain.out_channels // plain.groups, 1)
    cells = hardware(cell, mapping=mapping).cells
    unit = 0.02 * math.sqrt(cells.read_variance) / cells.span * layer.full_scale
    seen = (noise / (unit * size.clamp(min=1e-6)))[:, size > 1e-6]
    assert seen.square().mean().item() == pytest.approx(1.0, rel=0.1)


@some_cases
def test_vectors_cells_and_conversions_are_those_of_a_closed_form(
    case: Case, generator: torch.Generator
) -> None:
    plain, shape = sampled(*case)
    x, bits = torch.randn(shape, generator=generator), {"dac_bits": 8, "adc_bits": 8}
    rows, out = rows_of(plain), plain.out_channels
    for by_tile in (True, False):
        net = twin(plain, hardware(adc_per_tile=by_tile, **bits), 3)
        mho.calibrate(net, x)
        before = mho.ledger(net).layers[0].vectors
        net(x)
        counted = mho.ledger(net).layers[0]
        vectors, down = positions(plain, x), -(-rows // TILE[0])
        along = -(-(out // plain.groups) // (TILE[1] // 2))
        assert counted.vectors - before == vectors
        assert counted.weights == out * rows == plain.weight.numel()
        assert counted.cells == 2 * out * rows
        assert counted.tiles == (down, plain.groups * along)
        assert counted.rows == counted.drives_per_vector == plain.groups * rows
        assert counted.conversions_per_vector == out * (down if by_tile else 1)
        back = along if by_tile else 1
        assert counted.back_conversions_per_vector == plain.groups * rows * back
        assert counted.back_drives_per_vector == out


# ------------------------------------------------------------------ what else layers do


@some_cases
def test_inputs_with_channels_last_and_without_a_batch_are_torchs(
    case: Case, generator: torch.Generator
) -> None:
    plain, shape = sampled(*case)
    x = torch.randn(shape, generator=generator)
    for bits in (None, 12):
        net = twin(plain, hardware(QUIET, dac_bits=bits, adc_bits=bits))
        mho.calibrate(net, x)
        y = net(x)
        last = x.movedim(1, -1).contiguous().movedim(-1, 1)
        torch.testing.assert_close(net(last), y)
        torch.testing.assert_close(net(x[0]), y[0])
        assert net(x[:0]).shape == (0, *y.shape[1:])


@some_cases
def test_states_of_torchs_layer_and_of_arrays_are_loaded(
    case: Case, generator: torch.Generator
) -> None:
    plain, shape = sampled(*case)
    other = copy.deepcopy(plain)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.mul_(-0.7)
    net, x = twin(plain, hardware(QUIET), 2), torch.randn(shape, generator=generator)
    net.load_state_dict(other.state_dict(), strict=False)
    mho.write(net)
    assert torch.equal(mho.to_digital(net).weight, other.weight)
    torch.testing.assert_close(net(x), twin(other, hardware(FINE), 2)(x), rtol=0, atol=0.5)
    again = twin(plain, hardware(QUIET), 2)
    again.load_state_dict(net.state_dict())
    assert torch.equal(again(x), net(x))


@some_cases
def test_training_moves_weights_and_cells_alike(case: Case, generator: torch.Generator) -> None:
    plain, shape = sampled(*case)
    x = torch.randn(shape, generator=generator)
    net = twin(plain, hardware(FINE, full_scale=3.0)).train()
    optimizer, step = torch.optim.SGD(net.parameters(), lr=0.01), mho.WriteStep(net)
    same = mho.to_digital(net)
    theirs = torch.optim.SGD(same.parameters(), lr=0.01)
    for _ in range(3):
        for each, by in ((net, optimizer), (same, theirs)):
            by.zero_grad()
            each(x).square().mean().backward()
            by.step()
        step()
    (layer,) = memristive_layers(net).values()
    torch.testing.assert_close(layer.effective[0], layer.target, rtol=0, atol=1e-5)
    torch.testing.assert_close(mho.to_digital(net).weight, same.weight, rtol=0, atol=1e-3)
