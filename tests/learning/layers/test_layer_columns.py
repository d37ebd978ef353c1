"""Layers each of whose columns has a full scale of its own."""

import copy

import pytest
import torch
from torch import nn

import mho
from builders.as_torch import EXACT, converted, gradients
from builders.networks import small_model
from builders.weighted_layers import LAYERS, first, made
from mho.learning.layers.layer import ArrayLayer, memristive_layers
from mho.learning.twins import twin_of

COARSE = mho.Hardware(device=mho.MultiLevel(g_min=1e-6, g_max=1e-4, levels=9))
NOISY = COARSE.replace(
    device=COARSE.device.replace(sigma=(2e-6,), read_noise=0.01), dac_bits=8, adc_bits=8
)
OWN = {"full_scale_per": "column"}

pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections")


def uneven(layer: nn.Module) -> nn.Module:
    """Columns of very different sizes."""
    for weight in layer.parameters():
        if weight.dim() > 1:
            sizes = torch.logspace(0, -2, len(weight)).view(-1, *(1,) * (weight.dim() - 1))
            weight.data.mul_(sizes)
    return layer


@pytest.mark.parametrize("which", [w for w in LAYERS if twin_of(made(w)[0]) is not None])
def test_outputs_and_gradients_are_those_of_torch(which: str) -> None:
    layer, inputs = made(which)
    model = nn.ModuleList([uneven(layer)])
    net = converted(model, EXACT.replace(**OWN))
    parts = memristive_layers(net).values()
    assert all(part.by_column for part in parts)
    mine, theirs = ([x.clone().requires_grad_() for x in inputs] for _ in range(2))
    got, expected = first(net[0](*mine)), first(model[0](*theirs))
    torch.testing.assert_close(got, expected, rtol=1e-3, atol=2e-4)
    for y in (got, expected):
        (y.flatten() * torch.linspace(-1, 1, y.numel())).sum().backward()
    for x, like in zip(mine, theirs, strict=True):
        torch.testing.assert_close(x.grad, like.grad, rtol=1e-2, atol=1e-3)
    for name, grad in gradients(net, model).items():
        expected_grad = model.get_parameter(name).grad
        grad = net[0].to_torch(grad) if isinstance(net[0], ArrayLayer) and grad.dim() > 1 else grad
        assert (grad - expected_grad).norm() <= 3e-3 * expected_grad.norm() + 1e-6, name


def columns(*sizes: float) -> nn.Linear:
    torch.manual_seed(4)
    linear = nn.Linear(20, len(sizes))
    with torch.no_grad():
        linear.weight.uniform_(-1, 1).mul_(torch.tensor(sizes).unsqueeze(1))
    return linear


@pytest.mark.parametrize("full_scale", [None, 2.5])
def test_a_column_of_small_weights_is_stored_with_a_smaller_error(full_scale: float | None) -> None:
    linear = columns(1.0, 0.02, 0.3, 0.0)
    errors = []
    for per in ("layer", "column"):
        hardware = NOISY.replace(full_scale=full_scale, full_scale_per=per)
        chips = converted(linear, hardware, 20)
        held = torch.stack([mho.to_digital(chips, k).weight.detach() for k in range(20)])
        errors.append((held - linear.weight).square().mean((0, 2)).sqrt())
    assert (errors[1][1:3] < errors[0][1:3] * torch.tensor([0.06, 0.5])).all()
    assert errors[1][0] < 1.2 * errors[0][0]


def test_every_column_uses_the_whole_window() -> None:
    linear = columns(1.0, 0.02, 0.3)
    layer = converted(linear, COARSE.replace(**OWN))
    assert isinstance(layer, ArrayLayer)
    torch.testing.assert_close(layer.matrix().abs().amax(1), torch.full((3,), layer.full_scale))
    sizes = linear.weight.detach().abs().amax(1)
    torch.testing.assert_close(layer.column_scale * layer.full_scale, sizes)
    assert torch.equal(layer.weight, linear.weight)


@pytest.mark.parametrize("adc_range", ["calibrated", "column", 0.5])
def test_converters_stand_before_the_factors(adc_range: str | float) -> None:
    """A small column is as well resolved as a large one."""
    linear = columns(1.0, 0.01)
    hardware = EXACT.replace(**OWN, dac_bits=10, adc_bits=6, adc_range=adc_range)
    layer, x = converted(linear, hardware), torch.rand(200, 20)
    mho.calibrate(layer, x)
    off = (layer(x) - linear(x)).std(0) / linear(x).std(0)
    assert off.max() < 2 * off.min()


def test_repairs_and_the_way_back_know_the_factors() -> None:
    model, x = small_model(), torch.randn(30, 2, 6, 6)
    for module in (model[0], model[2]):
        uneven(module)
    chips = converted(model, COARSE.replace(**OWN), 2)
    expected = model(x)
    assert (chips(x) - expected).norm() < 0.2 * (2 * expected.numel()) ** 0.5 * expected.std()
    mho.tune(chips, x)
    for layer in memristive_layers(chips).values():  # already right: next to nothing to tune
        torch.testing.assert_close(layer.gain, torch.ones_like(layer.gain), rtol=1e-3, atol=0.0)
    torch.testing.assert_close(mho.to_digital(chips, 1)(x), chips(x)[1], rtol=1e-4, atol=1e-5)
    gains = [layer.gain.clone() for layer in memristive_layers(mho.correct(chips)).values()]
    assert all((gain - 1).abs().max() < 0.02 for gain in gains)
    plain = mho.to_digital(chips)
    for mine, theirs in zip(plain.parameters(), model.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    fixed = mho.fixed_point(chips, 16, x)
    torch.testing.assert_close(fixed(x), chips(x), rtol=1e-2, atol=1e-2)


def test_states_come_back() -> None:
    model, x = small_model(), torch.randn(5, 2, 6, 6)
    uneven(model[2])
    chips = converted(model, NOISY.replace(**OWN, dac_bits=None, adc_bits=None), 2)
    other = converted(small_model(), NOISY.replace(**OWN, dac_bits=None, adc_bits=None), 2)
    other.load_state_dict(chips.state_dict())
    for mine, theirs in zip(*(memristive_layers(n).values() for n in (chips, other)), strict=True):
        assert torch.equal(mine.effective, theirs.effective)
        assert torch.equal(mine.column_scale, theirs.column_scale)
    one = converted(small_model(), COARSE.replace(**OWN))
    one.load_state_dict(model.state_dict(), strict=False)
    mho.write(one)
    again = converted(model, COARSE.replace(**OWN))
    torch.testing.assert_close(one(x), again(x))
    with pytest.raises(ValueError, match="full_scale_per"):
        converted(small_model(), NOISY, 2).load_state_dict(chips.state_dict())


def test_weights_are_written_and_mapped_anew_as_they_move() -> None:
    linear = columns(1.0, 0.1)
    layer = converted(linear, COARSE.replace(**OWN))
    with torch.no_grad():
        layer.weight[1, :4] += 0.05
    written = mho.write(layer, widen=1.0)
    assert 0 < written.weights < 40
    assert layer.column_scale[1] < 0.11
    with torch.no_grad():
        layer.weight[1] *= 5
    outside = mho.outside_window(layer)
    assert 0.2 < outside[""] <= 0.5
    assert mho.rescale(layer)[""] > 0
    assert mho.outside_window(layer) == {"": 0.0}
    step = 2 * layer.weight.detach().abs().amax(1, keepdim=True) / (layer.hardware.levels - 1)
    held = mho.to_digital(layer, 0).weight
    assert ((held - layer.weight).abs() <= 0.51 * step).all()
    with torch.no_grad():
        layer.weight[1] *= 5
    assert mho.write(layer).widened == ("",)
    assert mho.outside_window(layer) == {"": 0.0}


def test_training_in_place_goes_on_as_in_torch() -> None:
    model = columns(1.0, 0.05)
    layer, x = converted(model, EXACT.replace(**OWN)), torch.randn(16, 20)
    plain = copy.deepcopy(model)
    for net in (layer, plain):
        optimizer = torch.optim.SGD(net.parameters(), lr=0.01)
        for _ in range(5):
            optimizer.zero_grad()
            net(x).square().mean().backward()
            optimizer.step()
            if net is layer:
                mho.write(net)
    torch.testing.assert_close(layer.weight, plain.weight, rtol=1e-3, atol=1e-4)


def test_rules_and_feedback_are_refused() -> None:
    layer = converted(columns(1.0, 0.1), COARSE.replace(**OWN))
    layer = nn.Sequential(layer)
    with pytest.raises(ValueError, match=r"WriteStep.rules = .*layer '0' has Hardware.full_scale_"):
        mho.WriteStep(layer, rules=[mho.rules.IntervalRule(m=2.0)])
    with pytest.raises(ValueError, match=r"WriteStep.feedback = .*full_scale_per"):
        mho.WriteStep(layer, feedback=mho.rules.ReadBack())
