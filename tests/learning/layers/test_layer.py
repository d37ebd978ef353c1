"""Memristive layers: on ideal cells they are torch's, and with spread each chip is one network."""

import copy
import io
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import mho
from builders.networks import only_layer
from mho import Hardware
from mho.cells import MultiLevel, OpenLoop, Verify
from mho.hardware import MAPPINGS
from mho.learning.layers.layer import ArrayLayer, memristive_layers

FINE = MultiLevel(g_min=1e-6, g_max=1e-4, levels=4096)
"""No spread, and levels so fine that a weight fits almost exactly."""
REAL = MultiLevel(
    g_min=10e-6, g_max=90e-6, levels=9, sigma=(3e-6,), device_spread=0.02, stuck_off=0.02
)
TILE = (7, 10)

Make = Callable[[], nn.Module]
LAYERS: dict[str, tuple[Make, tuple[int, ...]]] = {
    "linear": (lambda: nn.Linear(23, 6), (5, 23)),
    "linear, sequence": (lambda: nn.Linear(12, 9, bias=False), (4, 3, 12)),
    "linear, 1x1": (lambda: nn.Linear(1, 1), (3, 1)),
    "conv": (lambda: nn.Conv2d(3, 4, 3), (5, 3, 8, 7)),
    "conv, strided": (
        lambda: nn.Conv2d(2, 5, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2)),
        (4, 2, 9, 8),
    ),
    "conv, same": (lambda: nn.Conv2d(2, 3, 3, padding="same", bias=False), (2, 2, 5, 5)),
    "conv, circular": (
        lambda: nn.Conv2d(2, 3, 3, padding=1, padding_mode="circular"),
        (2, 2, 5, 6),
    ),
}
every_layer = pytest.mark.parametrize(("make", "shape"), LAYERS.values(), ids=LAYERS.keys())
every_mapping = pytest.mark.parametrize("name", MAPPINGS)


def hardware(device: MultiLevel = REAL, **options: Any) -> Hardware:
    settings: dict[str, Any] = {"tile": TILE, "programming": OpenLoop()} | options
    return Hardware(device=device, **settings)


def built(make: Make) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return make()


def twin(
    make: Make, hw: Hardware, chips: int | None = None, *, seed: int = 7, first_chip: int = 0
) -> nn.Module:
    generator = torch.Generator().manual_seed(seed)
    return mho.convert(built(make), hw, chips, generator=generator, first_chip=first_chip)


def with_weight(plain: nn.Module, weight: Tensor, x: Tensor) -> Tensor:
    """What the torch layer gives with another weight."""
    return torch.func.functional_call(plain, {"weight": weight.view_as(plain.weight)}, (x,))


# ------------------------------------------------------------------ the ideal limit


@pytest.mark.parametrize("adc_per_tile", [True, False])
@every_mapping
@every_layer
def test_ideal_cells_give_torchs_layer(
    make: Make, shape: tuple[int, ...], name: str, adc_per_tile: bool, generator: torch.Generator
) -> None:
    x, plain = torch.randn(shape, generator=generator), built(make)
    ideal = twin(make, hardware(FINE, mapping=name))
    layer = only_layer(ideal)
    torch.testing.assert_close(layer.effective[0], layer.target, rtol=0, atol=1e-5)
    away = (layer.target.view_as(plain.weight) - plain.weight).abs().max()
    assert away <= 0.501 * layer.step
    wanted = with_weight(plain, layer.target, x)
    torch.testing.assert_close(ideal(x), wanted, rtol=0, atol=2e-5)

    # Converters of b bits add at most half a step of each, tile by tile.
    bits = {"dac_bits": 12, "adc_bits": 12, "adc_per_tile": adc_per_tile}
    net = twin(make, hardware(FINE, mapping=name, **bits))
    mho.calibrate(net, x)
    layer = only_layer(net)
    most = 2**11 - 1
    tiles = layer.crossbar.tiling.grid[0] if adc_per_tile else 1
    of_dac = layer.target.abs().sum(1).max() * layer.dac.ranges[0] / most / 2
    of_adc = tiles * layer.adc.ranges[0] / most / 2
    error = (net(x) - wanted).abs().max()
    assert error <= 1.01 * (of_dac + of_adc) + 2e-5
    assert error > 0.01 * of_adc  # they do convert


@every_mapping
@every_layer
def test_tiles_with_converters_of_their_own_add_up(
    make: Make, shape: tuple[int, ...], name: str, generator: torch.Generator
) -> None:
    x = torch.randn(shape, generator=generator)
    exact = twin(make, hardware(mapping=name), 2)
    per_tile = twin(make, hardware(mapping=name, adc_bits=16), 2)
    mho.calibrate(per_tile, x)
    layer = only_layer(per_tile)
    bound = layer.crossbar.tiling.grid[0] * max(layer.adc.ranges) / 32767
    torch.testing.assert_close(per_tile(x), exact(x), rtol=0, atol=0.51 * bound + 1e-5)


@every_layer
def test_reads_superpose(make: Make, shape: tuple[int, ...], generator: torch.Generator) -> None:
    net = twin(make, hardware(), 3)
    layer = only_layer(net)
    layer.bias = None
    one, two = torch.randn(2, *shape, generator=generator)
    torch.testing.assert_close(
        net(2 * one - 3 * two), 2 * net(one) - 3 * net(two), atol=3e-5, rtol=0
    )
    assert (net(torch.zeros_like(one)) == 0).all()


# ------------------------------------------------------------------ chips


@pytest.mark.parametrize("options", [{}, {"adc_bits": 16}], ids=["exact", "converted"])
@pytest.mark.parametrize("read_noise", [0.0, 0.05])
@every_layer
def test_many_chips_are_the_chips_one_by_one(
    make: Make,
    shape: tuple[int, ...],
    read_noise: float,
    options: dict[str, Any],
    generator: torch.Generator,
) -> None:
    hw = hardware(REAL.replace(read_noise=read_noise), **options)
    x = torch.randn(shape, generator=generator)
    many = twin(make, hw, 4)
    alone = [twin(make, hw, first_chip=k) for k in range(4)]
    part = twin(make, hw, 2, first_chip=2)
    for net in (many, *alone, part):
        only_layer(net).adc.ranges = (40.0,) * only_layer(net).chips
    lsb = 1.1 * 40.0 / 32767 * only_layer(many).crossbar.tiling.grid[0] if options else 0.0
    for _ in range(2):
        y = many(x)
        for k, net in enumerate(alone):
            torch.testing.assert_close(y[k], net(x), rtol=0, atol=2e-5 + lsb)
        torch.testing.assert_close(y[2:], part(x), rtol=0, atol=2e-5 + lsb)
    assert (y[0] - y[1]).abs().max() > 1e-3


@pytest.mark.parametrize("adc_per_tile", [True, False])
@pytest.mark.parametrize("read_noise", [0.0, 0.05])
@every_layer
def test_a_calibrated_chip_is_the_same_alone_or_among_many(
    make: Make,
    shape: tuple[int, ...],
    read_noise: float,
    adc_per_tile: bool,
    generator: torch.Generator,
) -> None:
    bits = {"dac_bits": 8, "adc_bits": 8, "adc_per_tile": adc_per_tile}
    hw = hardware(REAL.replace(read_noise=read_noise), **bits)
    batch, x = torch.randn(2, *shape, generator=generator)
    many = twin(make, hw, 5).eval()
    mho.calibrate(many, batch)
    y, together = many(x), only_layer(many)
    assert together.adc.ranges is not None
    assert together.adc.ranges.unique().numel() > 1  # ranges of their own, not one for all
    tiles = together.crossbar.tiling.grid[0] if adc_per_tile else 1
    for first, n in ((0, 1), (3, 1), (4, 1), (1, 3)):
        net = twin(make, hw, None if n == 1 else n, first_chip=first).eval()
        mho.calibrate(net, batch)
        part, own = slice(first, first + n), only_layer(net)
        assert torch.equal(own.dac.ranges, together.dac.ranges[part])
        torch.testing.assert_close(own.adc.ranges, together.adc.ranges[part], rtol=1e-5, atol=0)
        away = (net(x).view_as(y[part]) - y[part]).abs()
        # A value on the border of two codes may fall either way, which must stay rare.
        lsb = max(together.adc.ranges[part]) / 127
        assert away.max() <= 1.01 * tiles * lsb
        assert (away < 1e-4).double().mean() >= 0.99


@every_layer
def test_permuting_chips_permutes_results(
    make: Make, shape: tuple[int, ...], generator: torch.Generator
) -> None:
    x = torch.randn(shape, generator=generator)
    net = twin(make, hardware(), 4)
    before = net(x)
    order = torch.tensor([2, 0, 3, 1])
    crossbar = only_layer(net).crossbar
    for name, buffer in crossbar.named_buffers():
        if name != "level":
            buffer.copy_(buffer[order].clone())
    only_layer(net).refresh()
    torch.testing.assert_close(net(x), before[order], rtol=0, atol=1e-6)


@every_layer
def test_gradients_are_those_of_the_plain_layer(
    make: Make, shape: tuple[int, ...], generator: torch.Generator
) -> None:
    x = torch.randn(shape, generator=generator)
    net = twin(make, hardware(), 3)
    layer, plain = only_layer(net), built(make)
    ours = x.clone().requires_grad_()
    y = net(ours)
    upstream = torch.randn(y.shape, generator=generator)
    y.backward(upstream)
    theirs = x.clone().requires_grad_()
    weights = [w.clone().view_as(plain.weight).requires_grad_() for w in layer.effective]
    for k, weight in enumerate(weights):
        with_weight(plain, weight, theirs).backward(upstream[k])
    torch.testing.assert_close(
        layer.weight.grad, sum(w.grad for w in weights), atol=3e-5, rtol=1e-5
    )
    torch.testing.assert_close(ours.grad, theirs.grad, atol=3e-5, rtol=1e-5)
    if layer.bias is not None:
        torch.testing.assert_close(layer.bias.grad, plain.bias.grad, atol=3e-5, rtol=1e-5)


def test_training_under_autocast_gives_gradients_of_the_weights_precision() -> None:
    make, shape = LAYERS["conv"]
    net = twin(lambda: nn.Sequential(make(), nn.Conv2d(4, 2, 2)), hardware())
    x = torch.randn(shape)
    with torch.autocast("cpu", torch.bfloat16):
        y = net(x)
    y.float().square().sum().backward()
    plain = twin(lambda: nn.Sequential(make(), nn.Conv2d(4, 2, 2)), hardware())
    plain(x).square().sum().backward()
    for ours, theirs in zip(net.parameters(), plain.parameters(), strict=True):
        assert ours.grad is not None
        assert ours.grad.dtype == torch.float32
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=0.1, atol=0.5)


def test_second_derivatives_are_refused(generator: torch.Generator) -> None:
    make, shape = LAYERS["linear"]
    net = twin(make, hardware())
    x = torch.randn(shape, generator=generator).requires_grad_()
    (grad,) = torch.autograd.grad(net(x).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="differentiate twice"):
        grad.sum().backward()


def test_a_gradient_with_a_graph_passes_converters_that_saturate(
    generator: torch.Generator,
) -> None:
    make, shape = LAYERS["conv"]
    net = twin(make, hardware(dac_bits=6, adc_bits=6, coverage=0.8))
    x = torch.randn(shape, generator=generator).requires_grad_()
    mho.calibrate(net, x.detach())
    graphed, plain = (
        torch.autograd.grad(net(x).square().sum(), x, create_graph=graph)[0]
        for graph in (True, False)
    )
    torch.testing.assert_close(graphed.detach(), plain)


@pytest.mark.parametrize("adc_per_tile", [True, False])
@every_layer
def test_errors_may_go_back_through_the_float_twin(
    make: Make, shape: tuple[int, ...], adc_per_tile: bool, generator: torch.Generator
) -> None:
    x = torch.randn(shape, generator=generator)
    options = {"adc_bits": 14, "adc_per_tile": adc_per_tile}
    nets = [twin(make, hardware(**options, transposed=t), 3) for t in (True, False)]
    inputs, outputs = [x.clone().requires_grad_() for _ in nets], []
    for net, given in zip(nets, inputs, strict=True):
        mho.calibrate(net, 3 * x)  # nothing saturates
        outputs.append(net(given))
        outputs[-1].backward(torch.ones_like(outputs[-1]))
    through, past = map(only_layer, nets)
    torch.testing.assert_close(*outputs, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(through.weight.grad, past.weight.grad, atol=1e-5, rtol=1e-5)
    theirs, plain = x.clone().requires_grad_(), built(make)
    y = plain(theirs)
    y.backward(3 * torch.ones_like(y))  # three chips
    torch.testing.assert_close(inputs[1].grad, theirs.grad, atol=3e-5, rtol=1e-4)
    assert (inputs[0].grad - theirs.grad).abs().max() > 1e-3


def test_gradients_flow_through_converters(generator: torch.Generator) -> None:
    make, shape = LAYERS["linear"]
    x = torch.randn(shape, generator=generator).requires_grad_()
    bits = {"dac_bits": 12, "adc_bits": 12}
    converted, exact = twin(make, hardware(**bits)), twin(make, hardware())
    for net in (converted, exact):
        mho.calibrate(net, 3 * x.detach())  # nothing saturates
        net(x).sum().backward()
    ours, theirs = only_layer(converted).weight.grad, only_layer(exact).weight.grad
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1.2e-2)
    assert theirs.abs().max() > 1


def test_the_folded_batch_must_divide_by_the_chips() -> None:
    layer = mho.nn.MemristiveLinear(4, 2, hardware=hardware(), chips=3)
    with pytest.raises(ValueError, match="input rows = 7: expected a multiple of the 3 chips"):
        layer(torch.zeros(7, 4))
    assert layer(torch.zeros(6, 4)).shape == (6, 2)


@pytest.mark.parametrize("bits", [None, 8])
def test_a_batch_that_does_not_divide_is_refused_before_it_is_converted(bits: int | None) -> None:
    hw = hardware(dac_bits=bits)
    layers = {
        mho.nn.MemristiveLinear(4, 2, hardware=hw, chips=3): (4,),
        mho.nn.MemristiveConv2d(2, 2, 3, hardware=hw, chips=3): (2, 4, 4),
    }
    for layer, shape in layers.items():
        layer.dac.ranges = (1.0,) * 3
        for calibrating in (False, True):
            layer.dac.calibrating = calibrating
            with pytest.raises(ValueError, match="input rows = 7: expected a multiple of the 3"):
                layer(torch.zeros(7, *shape))
        assert layer.dac.ranges.tolist() == [1.0] * 3
        assert layer.crossbar.counts.inputs == layer.crossbar.counts.vectors == 0


def broken(*_given: object, **_named: object) -> Tensor:
    raise InterruptedError("of the test")


FAILS: dict[str, Callable[[pytest.MonkeyPatch, ArrayLayer, Tensor], Tensor]] = {
    "shape": lambda _patch, _layer, x: x[:, :-1],
    "type": lambda _patch, _layer, x: x.to(torch.complex64),
    "no DAC range": lambda patch, layer, x: patch.setattr(layer.dac, "_ranges", None) or x,
    "no ADC range": lambda patch, layer, x: (
        patch.setattr(layer.adc, "_ranges", None) or patch.setattr(layer.adc, "_grids", {}) or x
    ),
    "the read-out": lambda patch, layer, x: patch.setattr(layer, "corrected", broken) or x,
    "the converters": lambda patch, layer, x: patch.setattr(layer.adc, "keeping", broken) or x,
    "not written": lambda _patch, layer, x: layer.mark_written(False) or x,
}
"""Ways for a forward pass to fail, early and late."""

CONVERTERS: dict[str, dict[str, Any]] = {
    "exact": {},
    "by tile": {"dac_bits": 6, "adc_bits": 6},
    "whole columns": {"dac_bits": 6, "adc_bits": 6, "adc_per_tile": False},
    "serial": {"dac_bits": 3, "adc_bits": 6, "serial_inputs": True},
    "sliced": {"dac_bits": 6, "adc_bits": 6, "slices": 2},
}


@pytest.mark.parametrize("fails", FAILS)
@pytest.mark.parametrize("bits", CONVERTERS)
@pytest.mark.parametrize("which", ["linear", "linear, sequence", "conv", "conv, circular"])
@pytest.mark.parametrize("compiled", [True, False], ids=["compiled", "torch"])
def test_a_pass_that_fails_is_not_counted_and_takes_no_noise(
    which: str,
    bits: str,
    fails: str,
    compiled: bool,
    monkeypatch: pytest.MonkeyPatch,
    generator: torch.Generator,
) -> None:
    make, shape = LAYERS[which]
    x = torch.randn(shape, generator=generator)
    hw = hardware(REAL.replace(read_noise=0.02, levels=4), **CONVERTERS[bits])
    net, other = (mho.calibrate(twin(make, hw, 2), x) for _ in range(2))
    layer = memristive_layers(net)["net"]
    layer.tuned = memristive_layers(other)["net"].tuned = True
    counts = copy.copy(layer.crossbar.counts)
    with nullcontext() if compiled else mho.kernels.off():
        with monkeypatch.context() as patch:
            given = FAILS[fails](patch, layer, x)
            raised = False
            try:
                net(given)
            except Exception:
                raised = True
        layer.mark_written()
        if not raised:  # these hardware and inputs do not fail so
            assert layer.crossbar.counts != counts
            return
        assert layer.crossbar.counts == counts
        assert torch.equal(net(x), other(x))


@pytest.mark.parametrize("bits", [None, 8])
def test_inputs_without_a_batch_are_torchs(bits: int | None, generator: torch.Generator) -> None:
    for which in ("linear", "conv"):
        make, shape = LAYERS[which]
        net, x = twin(make, hardware(adc_bits=bits)), torch.randn(shape, generator=generator)
        only_layer(net).adc.ranges = (10.0,)
        assert net(x[0]).shape == built(make)(x[0]).shape
        torch.testing.assert_close(net(x[0]), net(x)[0], rtol=0, atol=0.5)


@pytest.mark.parametrize("which", ["linear", "conv"])
def test_inputs_without_a_batch_give_the_gradients_of_a_batch_of_one(
    which: str, generator: torch.Generator
) -> None:
    make, shape = LAYERS[which]
    x = torch.randn(shape, generator=generator)[0]
    gradients = []
    for given in (x, x.unsqueeze(0)):
        net = twin(make, hardware())
        net(given).square().sum().backward()
        gradients.append([p.grad for p in net.parameters()])
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("chips", [None, 2])
@pytest.mark.parametrize("which", ["linear", "linear, sequence", "conv"])
def test_an_empty_batch_is_torchs(
    which: str, chips: int | None, generator: torch.Generator
) -> None:
    make, shape = LAYERS[which]
    for bits in (None, 8):
        net = twin(make, hardware(dac_bits=bits, adc_bits=bits), chips)
        mho.calibrate(net, torch.randn(shape, generator=generator))
        x, lead = torch.zeros(0, *shape[1:]), () if chips is None else (chips,)
        assert net(x).shape == (*lead, *built(make)(x).shape)
        net(x).sum().backward()
        assert not any(p.grad.any() for p in net.parameters())
        with torch.no_grad():
            assert net(x).numel() == 0


# ------------------------------------------------------------------ staleness


def test_a_backward_pass_of_before_a_write_is_an_error(generator: torch.Generator) -> None:
    make, shape = LAYERS["linear"]
    net = twin(make, hardware())
    y = net(torch.randn(shape, generator=generator)).sum()
    with torch.no_grad():
        only_layer(net).weight.neg_()
    assert mho.write(net).weights > 0
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


@pytest.mark.parametrize("which", ["linear", "conv"])
def test_a_forgotten_write_is_an_error(which: str, generator: torch.Generator) -> None:
    make, shape = LAYERS[which]
    net, x = twin(make, hardware()), torch.randn(shape, generator=generator)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    net(x).square().sum().backward()
    optimizer.step()
    for mode in (net.train, net.eval):
        mode()
        with pytest.raises(RuntimeError, match=r"arrays were not written; call mho\.write\(net\)"):
            net(x)
    for copied in (copy.deepcopy(net), pickled(net)):
        with pytest.raises(RuntimeError, match="arrays were not written"):
            copied(x)
        mho.write(copied)
        copied(x)
    mho.write(net)
    net(x)


@pytest.mark.parametrize("how", ["load", "assign", "replace"])
def test_a_new_shadow_weight_is_a_forgotten_write(how: str, generator: torch.Generator) -> None:
    make, shape = LAYERS["linear"]
    net, x = twin(make, hardware()), torch.randn(shape, generator=generator)
    other = built(make)
    nn.init.normal_(other.weight, generator=generator)
    if how == "replace":
        net.weight = nn.Parameter(other.weight.detach())
    else:
        net.load_state_dict(other.state_dict(), strict=False, assign=how == "assign")
    with pytest.raises(RuntimeError, match="arrays were not written"):
        net(x)
    mho.write(net)
    net(x)


def test_a_stale_checkpoint_stays_stale(generator: torch.Generator) -> None:
    make, shape = LAYERS["linear"]
    net, x = twin(make, hardware()), torch.randn(shape, generator=generator)
    with torch.no_grad():
        net.weight.neg_()
    other = twin(make, hardware(), seed=8)
    other.load_state_dict(net.state_dict())
    with pytest.raises(RuntimeError, match="arrays were not written"):
        other(x)
    assert mho.write(other) == mho.write(net)
    assert torch.equal(other(x), net(x))


# ------------------------------------------------------------------ copies, state, casts


def pickled(net: nn.Module) -> nn.Module:
    file = io.BytesIO()
    torch.save(net, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


def lived(make: Make, shape: tuple[int, ...], generator: torch.Generator) -> nn.Module:
    """A network that was calibrated, trained, written and tuned."""
    device = REAL.replace(endurance=30.0, endurance_spread=0.3, read_noise=0.01)
    net = twin(make, hardware(device, adc_bits=8, dac_bits=8, programming=Verify()), 2)
    x = torch.randn(shape, generator=generator)
    mho.calibrate(net, x)
    with torch.no_grad():
        for _ in range(3):
            only_layer(net).weight.add_(
                torch.randn(only_layer(net).weight.shape, generator=generator)
            )
            mho.write(net)
    mho.tune(net, x)
    return net


@pytest.mark.parametrize("which", ["linear", "conv"])
@pytest.mark.parametrize("copying", [copy.deepcopy, pickled], ids=["deepcopy", "pickle"])
def test_a_copy_is_equal_and_independent(
    which: str, copying: Callable[[nn.Module], nn.Module], generator: torch.Generator
) -> None:
    make, shape = LAYERS[which]
    net, x = lived(make, shape, generator), torch.randn(shape, generator=generator)
    twin_ = copying(net)
    assert torch.equal(twin_(x), net(x))
    kept = copy.deepcopy(net.state_dict())
    with torch.no_grad():
        only_layer(twin_).weight.neg_()
    mho.write(twin_)
    for name, value in net.state_dict().items():
        assert torch.equal(value, kept[name]), name
    # The same future from the same past.
    with torch.no_grad():
        only_layer(net).weight.neg_()
    mho.write(net)
    assert torch.equal(twin_(x), net(x))


@pytest.mark.parametrize("which", ["linear", "conv"])
def test_a_checkpoint_brings_everything_back(which: str, generator: torch.Generator) -> None:
    make, shape = LAYERS[which]
    net, x = lived(make, shape, generator), torch.randn(shape, generator=generator)
    file = io.BytesIO()
    torch.save(net.state_dict(), file)
    file.seek(0)
    other = twin(make, only_layer(net).hardware, 2, seed=99)
    assert not torch.equal(only_layer(other).effective, only_layer(net).effective)
    other.load_state_dict(torch.load(file, weights_only=True))
    mine, theirs = net.state_dict(), other.state_dict()
    assert mine.keys() == theirs.keys()
    for name, value in mine.items():
        torch.testing.assert_close(theirs[name], value, rtol=0, atol=0, equal_nan=True)
    assert torch.equal(only_layer(other).effective, only_layer(net).effective)
    assert torch.equal(other(x), net(x))
    for each in (net, other):
        with torch.no_grad():
            only_layer(each).weight.neg_()
        mho.write(each)
    assert torch.equal(other(x), net(x))


@pytest.mark.parametrize("chips", [None, 2])
def test_a_checkpoint_says_which_chips_it_is_of(
    chips: int | None, generator: torch.Generator
) -> None:
    make, shape = LAYERS["linear"]
    hw = hardware(REAL.replace(read_noise=0.05), adc_bits=8, dac_bits=8)
    net, other = twin(make, hw, chips, first_chip=3), twin(make, hw, chips)
    x = torch.randn(shape, generator=generator)
    mho.calibrate(net, x)
    other.load_state_dict(net.state_dict())
    assert only_layer(other).crossbar.chips == range(3, 3 + (chips or 1))
    assert torch.equal(only_layer(other).adc.ranges, only_layer(net).adc.ranges)
    for _ in range(2):  # writes and reads go on with the noise of these chips
        for each in (net, other):
            with torch.no_grad():
                only_layer(each).weight.neg_()
            assert mho.write(each).weights > 0
        assert torch.equal(only_layer(other).effective, only_layer(net).effective)
        assert torch.equal(other(x), net(x))


def test_the_keys_of_a_layers_state_are_frozen() -> None:
    layer = twin(LAYERS["linear"][0], hardware())
    crossbar = ("conductance", "level", "fault", "writes", "pulses", "trait_offset")
    crossbar += ("set_pulses", "reads", "row_pulses", "row_reads", "hardware")
    assert set(layer.state_dict()) == {
        *("weight", "bias", "gain", "offset", "_extra_state", "crossbar._extra_state"),
        *(f"crossbar.{name}" for name in crossbar),
    }


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
@pytest.mark.parametrize("which", ["linear", "conv"])
def test_casting_a_network_keeps_its_chips(
    which: str, dtype: torch.dtype, generator: torch.Generator
) -> None:
    make, shape = LAYERS[which]
    x = torch.randn(shape, generator=generator)
    net = twin(make, hardware(), 2)
    before = net(x)
    state = copy.deepcopy(only_layer(net).crossbar.state_dict())
    net = net.to(dtype)
    for name, value in only_layer(net).crossbar.state_dict().items():
        if name != "_extra_state":
            assert torch.equal(value, state[name]), name
    y = net(x.to(dtype))
    assert y.dtype == dtype
    coarse = 3e-2 if dtype == torch.bfloat16 else 1e-5
    torch.testing.assert_close(y.float(), before, rtol=coarse, atol=3 * coarse)
    with torch.no_grad():
        only_layer(net).weight.neg_()
    assert mho.write(net).weights > 0
    sparse = only_layer(net).effective.clone()
    only_layer(net).refresh()
    assert torch.equal(sparse, only_layer(net).effective)
    assert net(x.to(dtype)).dtype == dtype


@pytest.mark.parametrize("replaces", [False, True])
def test_a_cast_is_no_movement(replaces: bool) -> None:
    net = twin(LAYERS["linear"][0], hardware())
    torch.__future__.set_overwrite_module_params_on_conversion(replaces)
    try:
        net(torch.zeros(1, 23))
        net = net.double()
        net(torch.zeros(1, 23).double())
        with torch.no_grad():
            net.weight.neg_()
        net = net.float()
    finally:
        torch.__future__.set_overwrite_module_params_on_conversion(False)
    with pytest.raises(RuntimeError, match="arrays were not written"):
        net(torch.zeros(1, 23))


def test_a_network_in_double_precision_converts(generator: torch.Generator) -> None:
    make, shape = LAYERS["linear"]
    plain = built(make).double()
    net = mho.convert(plain, hardware(), 2, generator=torch.Generator().manual_seed(7))
    x = torch.randn(shape, generator=generator)
    torch.testing.assert_close(net(x.double()).float(), twin(make, hardware(), 2)(x))


def test_channels_last_is_only_a_layout(generator: torch.Generator) -> None:
    make, shape = LAYERS["conv"]
    x = torch.randn(shape, generator=generator)
    one, other = twin(make, hardware(), 2), twin(make, hardware(), 2)
    other = other.to(memory_format=torch.channels_last)
    for net in (one, other):
        with torch.no_grad():
            only_layer(net).weight.neg_()
        mho.write(net)
    torch.testing.assert_close(one(x), other(x.to(memory_format=torch.channels_last)))


@pytest.mark.parametrize("chips", [None, 2])
@pytest.mark.parametrize("adc_per_tile", [True, False])
def test_converters_take_any_layout(
    chips: int | None, adc_per_tile: bool, generator: torch.Generator
) -> None:
    hw = hardware(dac_bits=8, adc_bits=8, adc_per_tile=adc_per_tile)
    conv = torch.randn(LAYERS["conv"][1], generator=generator)
    linear = torch.randn(LAYERS["linear"][1], generator=generator)
    for which, x, other in (
        ("conv", conv, conv.to(memory_format=torch.channels_last)),
        ("linear", linear, linear.T.contiguous().T),
    ):
        assert not other.is_contiguous()
        one, two = (twin(LAYERS[which][0], hw, chips) for _ in range(2))
        mho.calibrate(one, x)
        mho.calibrate(two, other)
        assert torch.equal(only_layer(one).dac.ranges, only_layer(two).dac.ranges)
        ranges = (only_layer(net).adc.ranges for net in (one, two))
        torch.testing.assert_close(*ranges, rtol=1e-5, atol=0)
        away = (one(x) - two(other)).abs()
        assert (away < 1e-4).double().mean() >= 0.99


def test_train_and_eval_change_nothing_but_the_flag(generator: torch.Generator) -> None:
    make, shape = LAYERS["conv"]
    net, x = twin(make, hardware(), 2), torch.randn(shape, generator=generator)
    net.train()
    trained = net(x)
    net.eval()
    assert not only_layer(net).training
    assert torch.equal(net(x), trained)


# ------------------------------------------------------------------ read noise


@pytest.mark.parametrize("tile", [(64, 64), (7, 10)], ids=["one tile", "tiles"])
@pytest.mark.parametrize("which", ["linear", "conv, strided", "conv, same"])
@every_mapping
def test_read_noise_has_the_predicted_variance(
    name: str, which: str, tile: tuple[int, int], generator: torch.Generator
) -> None:
    make, shape = LAYERS[which]
    device = REAL.replace(read_noise=0.03)
    net = twin(make, hardware(device, mapping=name, tile=tile))
    layer, plain = only_layer(net), built(make)
    x = torch.randn(shape, generator=generator)
    low, high = device.window
    cell = 0.03 * (high - low) * layer.scale
    ones = torch.ones_like(plain.weight)
    energy = with_weight(plain, ones, x.square())
    if plain.bias is not None:
        energy = energy - plain.bias.view(-1, *(1,) * (-1 - layer.reading.product.column_dim))
    expected = energy * cell**2 * layer.hardware.cells.read_variance
    with torch.no_grad():
        reads = torch.stack([net(x) for _ in range(600)])
    torch.testing.assert_close(
        reads.mean(0), with_weight(plain, layer.effective[0], x), rtol=0, atol=6e-2
    )
    ratio = (reads.var(0) / expected).mean().item()
    assert ratio == pytest.approx(1.0, abs=5 * (2 / (600 * energy[..., :1].numel() ** 0.5)) ** 0.5)


def test_read_noise_per_tile_adds_up_over_tiles(generator: torch.Generator) -> None:
    device = REAL.replace(read_noise=0.05)
    net = twin(LAYERS["linear"][0], hardware(device, adc_bits=16))
    layer = only_layer(net)
    assert layer.reading.by_tile
    layer.adc.ranges = (20.0,)
    x = torch.randn(5, 23, generator=generator)
    with torch.no_grad():
        reads = torch.stack([net(x) for _ in range(800)])
    cell = 0.05 * (90e-6 - 10e-6) * layer.scale
    expected = (x.square().sum(1, keepdim=True) * cell**2 * 2).expand(5, 6)
    assert (reads.var(0) / expected).mean().item() == pytest.approx(1.0, abs=0.1)


def test_reads_differ_and_a_seed_repeats_them(generator: torch.Generator) -> None:
    make, shape = LAYERS["linear"]
    x = torch.randn(shape, generator=generator)
    hw = hardware(REAL.replace(read_noise=0.05))
    one, two = twin(make, hw, 2), twin(make, hw, 2)
    first = one(x)
    assert torch.equal(first, two(x))
    assert not torch.equal(first, one(x))


# ------------------------------------------------------------------ construction


def test_layers_are_made_as_torchs(generator: torch.Generator) -> None:
    torch.manual_seed(11)
    plain = nn.Linear(5, 3)
    torch.manual_seed(11)
    layer = mho.nn.MemristiveLinear(5, 3, hardware=hardware(), generator=generator)
    assert torch.equal(layer.weight, plain.weight)
    assert torch.equal(layer.bias, plain.bias)
    conv = mho.nn.MemristiveConv2d(2, 4, 3, 2, 1, bias=False, hardware=hardware(), chips=2)
    assert conv(torch.zeros(2, 2, 6, 6)).shape == (2, 4, 3, 3)
    assert conv.bias is None
    text = repr(layer)
    assert "in_features=5, out_features=3" in text
    assert "differential, levels=17" in text


def test_impossible_layers_are_refused() -> None:
    with pytest.raises(ValueError, match=r"MemristiveConv2d\.groups = 3: expected a number that"):
        mho.nn.MemristiveConv2d(4, 4, 3, groups=3, hardware=hardware())
    with pytest.raises(ValueError, match="chips = 0: expected at least 1"):
        mho.nn.MemristiveLinear(4, 4, hardware=hardware(), chips=0)


@pytest.mark.parametrize("deviations", [None, 2.0])
def test_full_scale_is_the_largest_weight_or_a_multiple_of_the_spread(
    deviations: float | None,
) -> None:
    plain = built(LAYERS["linear"][0])
    layer = only_layer(twin(LAYERS["linear"][0], hardware(FINE, full_scale=deviations)))
    weight = plain.weight.detach()
    expected = weight.abs().max() if deviations is None else 2 * weight.square().mean().sqrt()
    assert layer.full_scale == pytest.approx(expected.item())
    clipped = weight.clamp(-layer.full_scale, layer.full_scale)
    torch.testing.assert_close(layer.target, clipped, rtol=0, atol=0.51 * layer.step)


def test_layers_of_different_hardware_share_one_write_step(generator: torch.Generator) -> None:
    def pair() -> nn.Sequential:
        torch.manual_seed(4)
        return nn.Sequential(
            mho.nn.MemristiveLinear(6, 5, hardware=hardware()),
            mho.nn.MemristiveLinear(5, 4, hardware=hardware(mapping="offset")),
            mho.nn.MemristiveLinear(4, 3, hardware=hardware(FINE, programming=Verify())),
        )

    together, apart = pair(), pair()
    with torch.no_grad():
        for p, q in zip(together.parameters(), apart.parameters(), strict=True):
            q.copy_(p.add_(torch.randn(p.shape, generator=generator)))
    mho.write(together)
    for layer in apart:
        mho.write(layer)
    assert torch.equal(F.relu(together(torch.eye(6))), F.relu(apart(torch.eye(6))))
    torch.testing.assert_close(together[2].effective[0], together[2].target, rtol=0, atol=1e-5)
