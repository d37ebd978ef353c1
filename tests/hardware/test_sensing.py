"""What circuits convert apart, range by range, bit by bit and slice by slice, adds up."""

import copy
import io
from contextlib import nullcontext

import pytest
import torch
import torch.nn.functional as F

import mho
from builders.converting_layers import CELL, LAYERS, WAYS, exact, hardware, inputs, twin
from builders.networks import only_layer
from mho import kernels
from mho.cells import MultiLevel

which_layer = pytest.mark.parametrize("which", LAYERS)
per_tile = pytest.mark.parametrize("adc_per_tile", [True, False])
each_way = pytest.mark.parametrize("way", WAYS)


# ------------------------------------------------------------------ limits


@per_tile
@each_way
@which_layer
def test_many_bits_give_what_the_arrays_hold(
    which: str, way: str, adc_per_tile: bool, generator: torch.Generator
) -> None:
    x = inputs(which, generator)
    errors = []
    for bits in (8, 12, 16):
        options = {"dac_bits": bits, "adc_bits": bits, "adc_per_tile": adc_per_tile}
        net = twin(which, hardware(**options | WAYS[way]))
        mho.calibrate(net, x)
        errors.append((net(x) - exact(net, x)).abs().max().item())
    assert 0 < errors[2] < 1e-3
    assert errors[1] < errors[0] / 8  # a sixteenth for four bits more
    assert errors[2] < errors[1] / 4


@per_tile
@which_layer
def test_serial_inputs_without_adc_are_parallel_ones(
    which: str, adc_per_tile: bool, generator: torch.Generator
) -> None:
    x = inputs(which, generator)
    # Read noise too small to be seen keeps the bits apart.
    cell = CELL.replace(read_noise=1e-9)
    options = {"dac_bits": 7, "adc_per_tile": adc_per_tile}
    parallel, serial = (
        twin(which, hardware(cell, serial_inputs=s, **options), 2) for s in (False, True)
    )
    folded = twin(which, hardware(serial_inputs=True, **options), 2)
    for net in (parallel, serial, folded):
        mho.calibrate(net, x)
    assert only_layer(serial).reading.serial
    assert not only_layer(folded).reading.serial
    y = parallel(x)
    torch.testing.assert_close(serial(x), y, rtol=0, atol=1e-5)
    torch.testing.assert_close(folded(x), y, rtol=0, atol=1e-5)
    reads = [only_layer(net).crossbar.counts.vectors for net in (parallel, serial, folded)]
    assert reads[1] == reads[2] == 7 * reads[0]
    assert only_layer(serial).crossbar.counts.inputs == only_layer(parallel).crossbar.counts.inputs


@pytest.mark.parametrize("bits", [2, 3, 8, 16])
def test_planes_are_the_code_in_twos_complement(bits: int) -> None:
    layer = only_layer(twin("linear", hardware(dac_bits=bits, serial_inputs=True), 2))
    layer.dac.ranges = (1.0, 2.5)
    x = layer.dac(torch.linspace(-3, 3, 2 * 23 * 4).view(8, 23))
    factors, planes = zip(*layer.dac.planes(x), strict=True)
    assert len(planes) == bits
    edge = torch.tensor([1.0, 2.5]).repeat_interleave(4).unsqueeze(1)
    for plane in planes:
        assert ((plane == 0) | (plane == edge)).all()
    assert [f < 0 for f in factors] == [False] * (bits - 1) + [True]
    total = sum(f * p for f, p in zip(factors, planes, strict=True))
    torch.testing.assert_close(total, x, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["differential", "offset", "single"])
def test_slices_without_converters_hold_finer_levels(name: str, generator: torch.Generator) -> None:
    ideal = MultiLevel(g_min=10e-6, g_max=90e-6, levels=4)
    fine = ideal.replace(levels=64)
    x = inputs("linear", generator)
    sliced = twin("linear", hardware(ideal, mapping=name, slices=3))
    whole = twin("linear", hardware(fine, mapping=name))
    assert (
        sliced.hardware.levels == whole.hardware.levels == (127 if name == "differential" else 64)
    )
    torch.testing.assert_close(sliced.target, whole.target, rtol=0, atol=1e-6)
    torch.testing.assert_close(sliced(x), whole(x), rtol=0, atol=1e-5)


@per_tile
@which_layer
def test_each_slice_and_bit_is_converted_apart(
    which: str, adc_per_tile: bool, generator: torch.Generator
) -> None:
    """Against the sum written out: over bits, slices and tiles, each rounded and cut off."""
    x = inputs(which, generator)
    options = {"slices": 2, "serial_inputs": True, "dac_bits": 4, "adc_bits": 5}
    options |= {"adc_range": 0.2, "dac_range": 2.0}
    net = twin(which, hardware(**options, adc_per_tile=adc_per_tile))
    layer, crossbar = only_layer(net), only_layer(net).crossbar
    rows = x if x.dim() == 2 else F.unfold(x, 3).transpose(1, 2).flatten(0, 1)
    code = (rows * 7 / 2.0).round().clamp(-7, 7).long()
    tiling, (low, high) = crossbar.tiling, CELL.window
    height = tiling.rows if adc_per_tile else tiling.in_features
    lsb = 0.2 * height * 2.0 * layer.full_scale / 15
    total = 0.0
    for bit in range(4):
        plane = ((code % 16) // 2**bit % 2).float() * 2.0
        for s in range(2):
            pair = crossbar.conductance[0].chunk(2, -1)[s]
            g = tiling.join(pair[..., 0::2] - pair[..., 1::2])
            w = g * layer.full_scale / (high - low)
            for start in range(0, tiling.in_features, height):
                part = slice(start, start + height)
                y = plane[:, part] @ w[:, part].T
                place = 4**s / 5 * 2**bit / 7 * (-1 if bit == 3 else 1)
                total = total + place * (y / lsb).round().clamp(-15, 15) * lsb
    y = net(x) - (layer.bias if x.dim() == 2 else layer.bias.view(-1, 1, 1))
    y = y if x.dim() == 2 else y.flatten(2).transpose(1, 2).flatten(0, 1)
    away = (y - total).abs()
    assert (away < 1e-4).double().mean() > 0.97  # on the border of two codes either may come
    assert away.max() < 3 * lsb


def test_codes_are_monotone_in_the_input() -> None:
    for way in ("column", "fixed"):
        net = twin("linear", hardware(dac_bits=6, adc_bits=6, tile=(64, 64), **WAYS[way]), 2)
        x = torch.linspace(-4, 4, 301).unsqueeze(1) * torch.ones(23)
        mho.calibrate(net, x)
        steps = net(x).diff(dim=1)
        assert ((steps >= -1e-6).all(1) | (steps <= 1e-6).all(1)).all()


# ------------------------------------------------------------------ ranges


@per_tile
@which_layer
def test_a_range_of_its_own_is_what_a_column_saw(
    which: str, adc_per_tile: bool, generator: torch.Generator
) -> None:
    x = inputs(which, generator)
    options = {"adc_bits": 8, "adc_per_tile": adc_per_tile, "slices": 2}
    own, one = (twin(which, hardware(adc_range=r, **options), 3) for r in ("column", "calibrated"))
    mho.calibrate(own, x)
    mho.calibrate(one, x)
    ours, theirs = only_layer(own).adc.ranges, only_layer(one).adc.ranges
    tiles = only_layer(own).crossbar.tiling.grid[0]
    columns = 2 * only_layer(own).crossbar.tiling.out_features
    assert ours.shape == ((3, tiles, columns) if adc_per_tile else (3, columns))
    torch.testing.assert_close(ours.flatten(1).amax(1), theirs, rtol=1e-6, atol=0)
    assert ours.unique().numel() == ours.numel()
    counts = mho.saturation(own, x)
    assert all((layer.adc.saturated == 0).all() for layer in counts.values())
    rms = [((net(x) - twin(which, hardware(slices=2), 3)(x)) ** 2).mean() for net in (own, one)]
    assert rms[0] < rms[1]
    wide = mho.saturation(own, 2 * x)
    assert all((layer.adc.saturated > 0).all() for layer in wide.values())


def test_a_fixed_range_needs_no_calibration_and_keeps_it(generator: torch.Generator) -> None:
    x = inputs("linear", generator)
    bits = {"dac_bits": 8, "adc_bits": 8, "dac_range": 2.0, "adc_range": 0.25}
    for adc_per_tile, rows in ((True, 6), (False, 23)):
        net = twin("linear", hardware(**bits, adc_per_tile=adc_per_tile), 2)
        layer = only_layer(net)
        expected = 0.25 * rows * 2.0 * layer.full_scale
        before = net(x)
        mho.calibrate(net, 5 * x)
        assert layer.dac.ranges.tolist() == [2.0, 2.0]
        assert layer.adc.ranges.tolist() == pytest.approx([expected] * 2)
        assert torch.equal(net(x), before)


def test_a_fixed_share_follows_a_calibrated_dac(generator: torch.Generator) -> None:
    x = inputs("linear", generator)
    net = twin("linear", hardware(dac_bits=8, adc_bits=8, adc_range=0.5, tile=(64, 64)), 2)
    with pytest.raises(RuntimeError, match="no range yet"):
        net(x)
    mho.calibrate(net, x)
    layer = only_layer(net)
    expected = 0.5 * 23 * layer.full_scale * layer.dac.ranges
    torch.testing.assert_close(layer.adc.ranges, expected)
    largest = 23 * layer.full_scale * layer.dac.ranges[0]
    edge = layer.dac.ranges[0].float() * torch.ones(1, 23)
    with torch.no_grad():
        layer.weight.fill_(layer.full_scale)
    mho.write(net)
    held = layer.effective.flatten(0, 1)
    seen = layer.reading.product.columns(edge.repeat(2, 1), held, layer.chips)
    assert seen.max().item() == pytest.approx(largest.item(), rel=0.1)  # the spread of the cells


# ------------------------------------------------------------------ chips, state


@per_tile
@each_way
@which_layer
def test_a_chip_is_the_same_alone_and_among_many(
    which: str, way: str, adc_per_tile: bool, generator: torch.Generator
) -> None:
    x = inputs(which, generator)
    cell = CELL.replace(read_noise=0.02)
    hw = hardware(cell, dac_bits=6, adc_bits=9, adc_per_tile=adc_per_tile, **WAYS[way])
    many = twin(which, hw, 3)
    alone = [twin(which, hw, first_chip=k) for k in range(3)]
    for net in (many, *alone):
        mho.calibrate(net, x)
    y = many(x)
    for k, net in enumerate(alone):
        ranges = only_layer(many).adc.ranges[k : k + 1]
        torch.testing.assert_close(only_layer(net).adc.ranges, ranges, rtol=1e-4, atol=1e-6)
        away = (net(x) - y[k]).abs()
        assert (away < 1e-4).double().mean() > 0.97
        assert away.max() < 3 * ranges.max() / 255
    assert (y[0] - y[1]).abs().max() > 1e-3


@per_tile
@each_way
@which_layer
def test_permuting_chips_permutes_results(
    which: str, way: str, adc_per_tile: bool, generator: torch.Generator
) -> None:
    x = inputs(which, generator)
    options = {"dac_bits": 6, "adc_bits": 9, "adc_per_tile": adc_per_tile}
    net = twin(which, hardware(**options | WAYS[way]), 4)
    mho.calibrate(net, x)
    before, layer, order = net(x), only_layer(net), torch.tensor([2, 0, 3, 1])
    for name, buffer in layer.crossbar.named_buffers():
        if name != "level":
            buffer.copy_(buffer[order].clone())
    layer.adc.ranges = layer.adc.ranges[order]
    layer.refresh()
    away = (net(x) - before[order]).abs()
    assert (away < 1e-4).double().mean() > 0.97  # else on the border of two codes
    assert away.max() < 3 * layer.adc.ranges.max() / 255


@pytest.mark.parametrize("how", ["state", "deepcopy", "pickle"])
@each_way
@which_layer
def test_ranges_and_slices_are_saved(
    which: str, way: str, how: str, generator: torch.Generator
) -> None:
    x = inputs(which, generator)
    net = twin(which, hardware(dac_bits=6, adc_bits=6, **WAYS[way]), 2)
    mho.calibrate(net, x)
    net(x)
    if how == "state":
        other = twin(which, only_layer(net).hardware, 2, first_chip=5)
        other(x) if way == "fixed" else mho.calibrate(other, 3 * x)
        other.load_state_dict(net.state_dict())
    elif how == "deepcopy":
        other = copy.deepcopy(net)
    else:
        file = io.BytesIO()
        torch.save(net, file)
        other = torch.load(io.BytesIO(file.getvalue()), weights_only=False)
    assert torch.equal(only_layer(other).adc.ranges, only_layer(net).adc.ranges)
    assert torch.equal(other(x), net(x))


@pytest.mark.parametrize("name", ["differential", "offset"])
def test_what_is_written_is_what_is_converted(name: str, generator: torch.Generator) -> None:
    """A sparse write of digits leaves the layer as programming anew would."""
    hw = hardware(mapping=name, slices=3, adc_bits=8)
    net, x = twin("linear", hw, 2), inputs("linear", generator)
    layer = only_layer(net)
    mho.calibrate(net, x)
    before = net(x)
    with torch.no_grad():
        layer.weight[2:4].neg_()
    assert mho.write(net).weights > 0
    y = net(x)
    assert not torch.equal(y, before)
    parts, sparse = layer.store.digits.clone(), layer.effective.clone()
    layer.refresh()
    assert layer.store.digits is None
    assert torch.equal(sparse, layer.effective)
    assert torch.equal(net(x), y)
    assert torch.equal(layer.store.digits, parts)
    factors = torch.tensor(hw.cells.factors).view(-1, 1, 1)
    torch.testing.assert_close((parts * factors).sum(1), layer.effective)


def test_only_the_digits_that_change_are_written() -> None:
    ideal = MultiLevel(g_min=10e-6, g_max=90e-6, levels=4)
    net = twin("linear", hardware(ideal, mapping="single", slices=3))
    layer = only_layer(net)
    levels = 64
    index = ((layer.target / layer.full_scale + 1) * (levels - 1) / 2).round()
    up = index % 4 < 3  # the least digit alone goes up by one
    with torch.no_grad():
        layer.weight.copy_(layer.target + up * layer.step)
    before = mho.ledger(net).totals()["writes"]
    mho.write(net)
    assert mho.ledger(net).totals()["writes"] - before == int(up.sum())


# ------------------------------------------------------------------ gradients


@per_tile
@each_way
@which_layer
def test_gradients_are_those_of_the_folded_weight(
    which: str, way: str, adc_per_tile: bool, generator: torch.Generator
) -> None:
    x = inputs(which, generator)
    options = {"dac_bits": 14, "adc_bits": 14, "adc_per_tile": adc_per_tile} | WAYS[way]
    options |= {"dac_range": 9.0, "adc_range": 1.0} if way == "fixed" else {}
    net = twin(which, hardware(**options), 2)
    layer = only_layer(net)
    mho.calibrate(net, 3 * x)
    if way != "fixed":  # nothing saturates, whichever bits are lit
        layer.adc.ranges = 3 * layer.adc.ranges
    ours = x.clone().requires_grad_()
    y = net(ours)
    upstream = torch.randn(y.shape, generator=generator)
    y.backward(upstream)
    theirs = x.clone().requires_grad_()
    weights = [w.clone().view_as(layer.weight).requires_grad_() for w in layer.effective]
    for k, weight in enumerate(weights):
        z = F.linear(theirs, weight) if x.dim() == 2 else F.conv2d(theirs, weight)
        z.backward(upstream[k])
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-4)
    wanted = sum(w.grad for w in weights)
    torch.testing.assert_close(layer.weight.grad, wanted, rtol=5e-3, atol=2e-2)
    assert torch.equal(net(ours).detach(), net(x))  # reading with gradients is reading


@pytest.mark.parametrize("way", ["column", "serial", "sliced", "all"])
@per_tile
@which_layer
def test_no_gradient_passes_where_all_saturates(which: str, way: str, adc_per_tile: bool) -> None:
    options = {"dac_bits": 6, "adc_bits": 6, "adc_per_tile": adc_per_tile} | WAYS[way]
    net = twin(which, hardware(**options), 2)
    layer = only_layer(net)
    x = torch.ones(LAYERS[which][1], requires_grad=True)  # every bit is lit but the sign
    mho.calibrate(net, x.detach())
    net(x).sum().backward()
    assert min(x.grad.abs().max(), layer.weight.grad.abs().max()) > 0.1
    x.grad = layer.weight.grad = None
    layer.adc.ranges = 1e-9 * layer.adc.ranges
    net(x).sum().backward()
    assert (x.grad == 0).all()
    assert (layer.weight.grad == 0).all()


@which_layer
@per_tile
def test_a_saturated_column_alone_stops_its_gradient(
    which: str, adc_per_tile: bool, generator: torch.Generator
) -> None:
    x = inputs(which, generator)
    net = twin(which, hardware(adc_bits=8, adc_range="column", adc_per_tile=adc_per_tile), 2)
    mho.calibrate(net, x)
    layer = only_layer(net)
    ranges = layer.adc.ranges.clone()
    ranges[..., 1] = 1e-9
    layer.adc.ranges = ranges
    net(x).sum().backward()
    moved = layer.weight.grad.flatten(1).abs().amax(1)
    assert moved[1] == 0
    assert (moved[torch.arange(len(moved)) != 1] > 0).all()


def test_a_saturated_slice_takes_its_share_of_the_gradient(generator: torch.Generator) -> None:
    x = 0.5 + inputs("linear", generator).abs()
    hw = hardware(adc_bits=8, adc_range="column", slices=2, tile=(64, 64))
    net = twin("linear", hw)
    layer = only_layer(net)
    mho.calibrate(net, 2 * x)
    net(x).sum().backward()
    free, layer.weight.grad = layer.weight.grad, None
    ranges = layer.adc.ranges.clone()
    ranges[:, :6] = 1e-9  # of the lower digit
    layer.adc.ranges = ranges
    net(x).sum().backward()
    torch.testing.assert_close(layer.weight.grad, 0.8 * free)


@pytest.mark.parametrize("which", LAYERS)
@per_tile
def test_bits_added_before_one_conversion_are_as_parallel_inputs(
    which: str, adc_per_tile: bool, generator: torch.Generator
) -> None:
    """Without read noise: to the bit."""
    options = {"dac_bits": 6, "adc_bits": 7, "adc_per_tile": adc_per_tile}
    x = inputs(which, generator)
    ours, parallel = (
        mho.calibrate(twin(which, hardware(**options, **way), 2), x) for way in (WAYS["analog"], {})
    )
    assert torch.equal(ours(x), parallel(x))


def test_nothing_is_added_where_nothing_is_serial() -> None:
    with pytest.raises(ValueError, match="serial_sum = 'analog': expected 'digital' without ser"):
        hardware(dac_bits=6, serial_sum="analog")


# ------------------------------------------------------------------ counts


@each_way
def test_all_conversions_are_counted_and_priced(way: str, generator: torch.Generator) -> None:
    net, x = twin("linear", hardware(dac_bits=6, adc_bits=6, **WAYS[way]), 2), None
    x = inputs("linear", generator)
    mho.calibrate(net, x)
    before = mho.ledger(net).layers[0]
    (counts,) = mho.saturation(net, x).values()
    after = mho.ledger(net).layers[0]
    hw = only_layer(net).hardware
    vectors = 5 * (6 if hw.serial_inputs else 1)
    assert after.vectors - before.vectors == vectors
    assert after.inputs - before.inputs == 5
    assert after.conversions_per_vector == 6 * only_layer(net).crossbar.tiling.grid[0] * hw.slices
    conversions = (5 if hw.serial_sum == "analog" else vectors) * after.conversions_per_vector
    assert after.adc_conversions - before.adc_conversions == conversions
    assert counts.adc.conversions.tolist() == [after.adc_conversions - before.adc_conversions] * 2
    assert after.dac_conversions - before.dac_conversions == 23 * vectors
    assert after.cells == 2 * 23 * 6 * hw.slices * hw.copies


def test_exact_converters_convert_nothing(generator: torch.Generator) -> None:
    (counts,) = mho.saturation(twin("linear", hardware(), 2), inputs("linear", generator)).values()
    for kind in (counts.dac, counts.adc):
        assert kind.conversions.tolist() == kind.saturated.tolist() == [0, 0]
        assert kind.share.isnan().all()


@pytest.mark.parametrize("way", ["serial", "analog", "sliced"])
def test_read_noise_is_of_every_read(way: str, generator: torch.Generator) -> None:
    cell = CELL.replace(read_noise=0.05)
    bits = {"dac_bits": 4, "dac_range": 2.0}
    exact_ = twin("linear", hardware(cell, **bits, **WAYS[way]))
    converted = twin("linear", hardware(cell, adc_bits=16, **bits, **WAYS[way], tile=(64, 64)))
    layer = only_layer(exact_)
    x = inputs("linear", generator)
    mho.calibrate(converted, 2 * x)
    planes = dict(layer.dac.planes(layer.dac(x))) if way != "sliced" else {1.0: layer.dac(x)}
    size = sum(f**2 * p.square().sum(1, keepdim=True) for f, p in planes.items())
    spread = 0.05 * 80e-6 * layer.scale
    expected = (size * spread**2 * layer.hardware.cells.read_variance).expand(5, 6)
    for net in (exact_, converted):
        with torch.no_grad():
            reads = torch.stack([net(x) for _ in range(500)])
        assert (reads.var(0) / expected).mean().item() == pytest.approx(1.0, abs=0.1)


@per_tile
@each_way
@which_layer
@pytest.mark.parametrize("chips", [1, 3])
@pytest.mark.parametrize("bits", [None, 8])
def test_a_read_has_the_same_noise_without_kernels(
    which: str, way: str, adc_per_tile: bool, chips: int, bits: int | None,
    generator: torch.Generator,
) -> None:  # fmt: skip
    x = inputs(which, generator)
    cell = CELL.replace(read_noise=0.05)
    options = {"dac_bits": 6, "adc_bits": bits, "adc_per_tile": adc_per_tile} | WAYS[way]
    results = []
    for switch in (nullcontext, kernels.off):
        net = twin(which, hardware(cell, **options), chips)
        quiet = twin(which, hardware(CELL, **options), chips)
        mho.calibrate(net, x)
        mho.calibrate(quiet, x)
        with switch(), torch.no_grad():
            results.append((net(x), quiet(x)))
    (compiled, quiet), (plain, _) = results
    noise = (compiled - quiet).std()
    assert noise > 0
    # rounding of a norm may move a few numbers to another code
    near = (compiled - plain).abs() < 1e-4 * noise
    assert near.float().mean() > 0.97
