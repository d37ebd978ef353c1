"""Ranges of converters follow what saturates, in training mode."""

import copy
import warnings
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import mho
from builders.converting_layers import CELL, LAYERS, WAYS, hardware, inputs, twin
from builders.networks import only_layer
from mho import kernels

which_layer = pytest.mark.parametrize("which", LAYERS)
per_tile = pytest.mark.parametrize("adc_per_tile", [True, False])
each_way = pytest.mark.parametrize("way", [way for way in WAYS if way != "fixed"])
some_chips = pytest.mark.parametrize("chips", [None, 3])
either = pytest.mark.parametrize("kind", ["dac", "adc"])
BITS = {"dac_bits": 6, "adc_bits": 6}


def made(
    which: str, way: str, chips: int | None, x: Tensor, adc_per_tile: bool = True, **options: Any
) -> nn.Module:
    """Calibrated with room for every bit, in training mode."""
    hw = hardware(**BITS | {"adc_per_tile": adc_per_tile} | WAYS[way] | options)
    net = mho.calibrate(twin(which, hw, chips), x).train()
    layer = only_layer(net)
    layer.adc.ranges = 2 * layer.adc.ranges
    return net


def ranges_of(net: nn.Module) -> list[Tensor]:
    layer = only_layer(net)
    return [layer.dac.ranges.clone(), layer.adc.ranges.clone()]


# ------------------------------------------------------------------ when they follow


@either
@some_chips
@per_tile
@each_way
@which_layer
def test_a_range_that_saturates_widens_for_the_next_batch(
    which: str, way: str, adc_per_tile: bool, chips: int | None, kind: str,
    generator: torch.Generator,
) -> None:  # fmt: skip
    """It alone, and not for the batch that saturated it."""
    x = inputs(which, generator)
    net = made(which, way, chips, x, adc_per_tile)
    layer = only_layer(net)
    converter = getattr(layer, kind)
    narrow = converter.ranges.clone()
    narrow.view(-1)[-1] *= 0.1
    converter.ranges = narrow
    before = ranges_of(net)
    still = copy.deepcopy(net).eval()
    assert torch.equal(net(x).detach(), still(x).detach())
    assert all(torch.equal(a, b) for a, b in zip(ranges_of(still), before, strict=True))
    wanted = [r.clone() for r in before]
    wanted[kind == "adc"].view(-1)[-1] *= 1.25
    assert all(torch.equal(a, b) for a, b in zip(ranges_of(net), wanted, strict=True))
    for _ in range(20):
        net(x)
    last = ranges_of(net)
    net(x)
    assert all(torch.equal(a, b) for a, b in zip(ranges_of(net), last, strict=True))
    (counts,) = mho.saturation(net, x).values()
    assert counts.dac.saturated.sum() == counts.adc.saturated.sum() == 0


@some_chips
@each_way
@which_layer
def test_ranges_stand_still_where_nothing_is_trained(
    which: str, way: str, chips: int | None, generator: torch.Generator
) -> None:
    x = inputs(which, generator)
    net = made(which, way, chips, x)
    before = ranges_of(net)
    net(x)  # nothing saturates
    with torch.no_grad():
        net(9 * x)
    net.eval()(9 * x)
    mho.saturation(net.train(), 9 * x)
    assert all(torch.equal(a, b) for a, b in zip(ranges_of(net), before, strict=True))


def test_what_is_fixed_by_design_stays(generator: torch.Generator) -> None:
    x = inputs("linear", generator)
    net = twin("linear", hardware(**BITS, **WAYS["fixed"])).train()
    before = ranges_of(net)
    net(100 * x)
    assert all(torch.equal(a, b) for a, b in zip(ranges_of(net), before, strict=True))
    # a share of what the DACs can drive follows these
    net = twin("linear", hardware(**BITS, adc_range=0.5)).train()
    mho.calibrate(net, x)
    before = ranges_of(net)
    net(100 * x)
    assert all(torch.equal(a, 1.25 * b) for a, b in zip(ranges_of(net), before, strict=True))


def test_a_growth_of_1_leaves_ranges_to_calibration(generator: torch.Generator) -> None:
    x = inputs("linear", generator)
    net = twin("linear", hardware(**BITS, range_growth=1.0)).train()
    with pytest.raises(RuntimeError, match="no range yet"):
        net(x)
    mho.calibrate(net, x)
    before = ranges_of(net)
    net(9 * x)
    assert all(torch.equal(a, b) for a, b in zip(ranges_of(net), before, strict=True))


def test_a_growth_is_the_hardwares(generator: torch.Generator) -> None:
    x = inputs("linear", generator)
    net = made("linear", "column", 2, x, range_growth=2.0)
    before = only_layer(net).dac.ranges.clone()
    net(9 * x)
    assert torch.equal(only_layer(net).dac.ranges, 2 * before)
    for growth in (0.9, 17.0):
        with pytest.raises(ValueError, match=f"range_growth = {growth}"):
            hardware(range_growth=growth)


@some_chips
@which_layer
def test_what_the_coverage_leaves_out_may_saturate(
    which: str, chips: int | None, generator: torch.Generator
) -> None:
    x = inputs(which, generator)
    hw = hardware(**BITS, coverage=0.8)
    net = mho.calibrate(twin(which, hw, chips), x).train()
    before = ranges_of(net)
    net(x)
    assert mho.saturation(net, x).popitem()[1].dac.share.min() > 0.05
    assert all(torch.equal(a, b) for a, b in zip(ranges_of(net), before, strict=True))
    net(1.2 * x)
    assert all((a == 1.25 * b).all() for a, b in zip(ranges_of(net), before, strict=True))


# ------------------------------------------------------------------ the first range


@some_chips
@per_tile
@each_way
@which_layer
def test_the_first_training_pass_sets_ranges_as_calibration_would(
    which: str, way: str, adc_per_tile: bool, chips: int | None, generator: torch.Generator
) -> None:
    x = inputs(which, generator)
    hw = hardware(**BITS | {"adc_per_tile": adc_per_tile} | WAYS[way])
    one, two = (twin(which, hw, chips).train() for _ in range(2))
    mho.calibrate(two, x)
    y = one(x)
    y.sum().backward()
    assert all(torch.equal(a, b) for a, b in zip(ranges_of(one), ranges_of(two), strict=True))
    if way in ("column", "sliced"):
        assert torch.equal(y, two(x))


def test_a_network_that_is_never_calibrated_trains_and_is_evaluated() -> None:
    torch.manual_seed(0)
    x, y = torch.randn(64, 12), torch.randint(3, (64,))
    net = mho.convert(nn.Sequential(nn.Linear(12, 3)), hardware(**BITS, adc_range="column"))
    step, optimizer = mho.WriteStep(net), torch.optim.SGD(net.parameters(), 0.5)
    for _ in range(40):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()
        step()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert mho.evaluate(net, [(x, y)]).item() > 0.5


@pytest.mark.parametrize("bad", ["nan", "inf", "zeros"])
@pytest.mark.parametrize("share", [0.5, "calibrated"])
def test_a_first_pass_that_gives_no_range_sets_none(
    bad: str, share: Any, generator: torch.Generator
) -> None:
    """Zeros alone need none; what is not finite is refused."""
    x = inputs("linear", generator)
    net = twin("linear", hardware(**BITS, adc_range=share), 2).train()
    layer = only_layer(net)
    if bad == "zeros":
        assert layer.bias is not None
        torch.testing.assert_close(net(x.zero_()), layer.bias.expand(2, len(x), -1))
    else:
        x[0, 0] = float(bad)
        with pytest.raises(ValueError, match=r"MemristiveLinear \(23 to 6\) = 'nan or inf'"):
            net(x)
    assert layer.dac.ranges is None
    assert layer.adc.ranges is None
    with pytest.raises(
        RuntimeError, match=r"MemristiveLinear \(23 to 6\): the DAC has .* no range"
    ):
        net.eval()(x)


@pytest.mark.parametrize("trains", [False, True])
@some_chips
@per_tile
@pytest.mark.parametrize("way", WAYS)
@which_layer
def test_inputs_without_rows_need_no_range_and_set_none(
    which: str, way: str, adc_per_tile: bool, chips: int | None, trains: bool,
    generator: torch.Generator,
) -> None:  # fmt: skip
    """As those of an expert of a mixture that the first batch leaves out."""
    x = inputs(which, generator)
    hw = hardware(**BITS | {"adc_per_tile": adc_per_tile} | WAYS[way])
    net = twin(which, hw, chips).train(trains)
    before = [converter.ranges for converter in only_layer(net).reading.converters]
    y = net(x[:0])
    after = [converter.ranges for converter in only_layer(net).reading.converters]
    assert all(one is other for one, other in zip(after, before, strict=True))
    whole = mho.calibrate(net, x)(x)
    first = 0 if chips is None else 1
    assert y.shape == (*whole.shape[:first], 0, *whole.shape[first + 1 :])


@pytest.mark.parametrize("bad", ["nan", "inf"])
@each_way
def test_ranges_do_not_follow_what_is_not_finite(
    way: str, bad: str, generator: torch.Generator
) -> None:
    x = inputs("linear", generator)
    net = made("linear", way, 2, x)
    before = ranges_of(net)
    x[0, 0] = float(bad)
    with pytest.raises(ValueError, match=r"input of MemristiveLinear \(23 to 6\) = 'nan or inf'"):
        net(x)
    assert all(torch.equal(a, b) for a, b in zip(ranges_of(net), before, strict=True))
    assert only_layer(net).dac.tally is None


# ------------------------------------------------------------------ they are the same


def trained(net: nn.Module, x: Tensor, steps: int) -> list[Tensor]:
    """Outputs of steps in which inputs grow, and of all ranges after each."""
    found = []
    optimizer = torch.optim.SGD(net.parameters(), 0.02)
    step = mho.WriteStep(net)
    for _ in range(steps):
        optimizer.zero_grad()
        y = net(x)
        y.square().mean().backward()
        optimizer.step()
        step()
        x = 1.1 * x
        found += [y.detach(), *ranges_of(net)]
    return found


@some_chips
@per_tile
@each_way
@which_layer
def test_they_are_the_same_compiled_and_in_torch(
    which: str, way: str, adc_per_tile: bool, chips: int | None, generator: torch.Generator
) -> None:
    x = inputs(which, generator)
    options = {"adc_per_tile": adc_per_tile} | WAYS[way]
    net = mho.calibrate(twin(which, hardware(**BITS | options), chips), x).train()
    other = copy.deepcopy(net)
    compiled = trained(net, x, 6)
    with kernels.off():
        in_torch = trained(other, x, 6)
    for one, two in zip(compiled, in_torch, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-5, atol=1e-5)
    assert (compiled[-2] > compiled[1]).all()


@each_way
@which_layer
def test_a_resumed_training_goes_on_to_the_bit(
    which: str, way: str, generator: torch.Generator
) -> None:
    x = inputs(which, generator)
    hw = hardware(CELL.replace(read_noise=0.02), **BITS | WAYS[way])
    net = twin(which, hw, 2).train()
    trained(net, x, 4)
    saved = copy.deepcopy(net.state_dict())
    other = twin(which, hw, 2).train()
    other.load_state_dict(saved)
    wanted, found = trained(net, 2 * x, 4), trained(other, 2 * x, 4)
    assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True))


def test_weights_that_grow_in_training_do_not_saturate_their_converters() -> None:
    """A range calibrated before them is behind them at every step otherwise."""
    torch.manual_seed(1)
    x = torch.randn(64, 16)
    share = {}
    for growth in (1.0, 1.25):
        hw = hardware(dac_bits=8, adc_bits=8, range_growth=growth, full_scale=20.0)
        net = mho.convert(nn.Linear(16, 4), hw, generator=torch.Generator())
        mho.calibrate(net, x)
        layer = only_layer(net)
        for _ in range(12):
            with torch.no_grad():
                layer.weight.mul_(1.2)
            mho.write(net)
            net(x)
        share[growth] = mho.saturation(net, x).popitem()[1].adc.share.item()
    assert share[1.0] > 0.3
    assert share[1.25] < 0.03
