"""Levels and their straight-through gradient; variation that only training sees."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import mho
from mho import Hardware, MultiLevel, OpenLoop, Resistance, Spread, TwoState, Verify
from mho.learning.layers.quantizer import Levels, level_index, level_value
from mho.learning.layers.variation import Variation, WeightPool

BINARY = Hardware(
    device=TwoState(
        r_on=Resistance(mean=10e3, device=Spread(cov=0.1)),
        r_off=Resistance(mean=100e3, device=Spread(cov=0.3)),
    ),
    programming=OpenLoop(),
    weight_levels=2,
)
ANALOG = Hardware(
    device=MultiLevel(g_min=10e-6, g_max=90e-6, levels=9, sigma=(4e-6,)),
    programming=Verify(),
    mapping="offset",
)


@given(st.lists(st.floats(-3, 3, width=32), min_size=1), st.integers(2, 65), st.floats(0.1, 2))
def test_the_index_is_that_of_the_nearest_level(values: list[float], n: int, scale: float) -> None:
    w = torch.tensor(values)
    index = level_index(w, scale, n)
    grid = level_value(torch.arange(n), scale, n)
    assert torch.equal(index.unique().clamp(0, n - 1), index.unique())
    nearest = (w.clamp(-scale, scale).unsqueeze(1) - grid).abs().min(1).values
    distance = (w.clamp(-scale, scale) - level_value(index, scale, n)).abs()
    torch.testing.assert_close(distance, nearest, rtol=1e-4, atol=1e-6)


def test_two_levels_are_the_sign() -> None:
    w = torch.tensor([-2.0, -1e-6, 0.0, 1e-6, 2.0])
    assert level_index(w, 0.7, 2).tolist() == [0, 0, 1, 1, 1]
    assert level_value(torch.tensor([0, 1]), 0.7, 2).tolist() == pytest.approx([-0.7, 0.7])


def test_binary_weights_scale_with_the_mean_and_pass_the_gradient(
    generator: torch.Generator,
) -> None:
    w = torch.randn(400, generator=generator).requires_grad_()
    q = Levels(2)(w)
    size = w.detach().abs().mean()
    assert torch.equal(q.detach(), torch.where(w >= 0, size, -size))
    upstream = torch.linspace(1, 2, 400)
    q.backward(upstream)
    inside = w.detach().abs() <= 1
    assert torch.equal(w.grad, torch.where(inside, upstream, 0.0))
    assert inside.any()
    assert not inside.all()


@pytest.mark.parametrize("full_scale", [None, 0.8])
@pytest.mark.parametrize("n", [3, 4, 9])
def test_many_levels_are_a_grid_up_to_the_full_scale(
    n: int, full_scale: float | None, generator: torch.Generator
) -> None:
    w = torch.randn(4000, generator=generator).requires_grad_()
    q = Levels(n, full_scale)(w)
    scale = full_scale or w.detach().abs().max().item()
    grid = torch.linspace(-scale, scale, n)
    torch.testing.assert_close(q.detach().unique(), grid)
    inside = w.detach().abs() <= scale
    assert (q - w).detach().abs()[inside].max() <= 1.0001 * scale / (n - 1)
    q.sum().backward()
    assert torch.equal(w.grad, inside.float())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Levels(1), r"Levels\.n = 1: allowed is at least 2"),
        (lambda: Levels(3, 0.0), r"Levels\.full_scale = 0\.0: allowed is above 0"),
    ],
)
def test_impossible_levels_are_refused(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


# ------------------------------------------------------------------ variation


def quantized(hardware: Hardware = BINARY, seed: int = 1) -> nn.Linear:
    with torch.random.fork_rng():
        torch.manual_seed(9)
        layer = nn.Linear(12, 10)
    mho.quantize(layer, Levels(hardware.levels), Variation(hardware, seed))
    return layer


def test_variation_is_for_training_only() -> None:
    layer = quantized()
    layer.eval()
    size = layer.parametrizations.weight.original.abs().mean()
    assert torch.equal(layer.weight.abs(), size.expand_as(layer.weight))
    assert torch.equal(layer.weight, layer.weight)
    assert layer.parametrizations.weight[1].step == 0
    layer.train()
    assert layer.weight.abs().unique().numel() > 50


def test_variation_differs_between_steps_and_a_seed_repeats_it() -> None:
    one, two, other = quantized(), quantized(), quantized(seed=2)
    first, second = one.weight.detach(), one.weight.detach()
    assert not torch.equal(first, second)
    assert torch.equal(first, two.weight)
    assert torch.equal(second, two.weight)
    assert not torch.equal(first, other.weight)


def test_variation_goes_on_where_a_checkpoint_stopped() -> None:
    one, two = quantized(), quantized()
    _ = one.weight
    two.load_state_dict(one.state_dict())
    assert torch.equal(one.weight, two.weight)


def test_the_gradient_passes_through_variation() -> None:
    layer = quantized()
    upstream = torch.linspace(1, 2, 120).view(10, 12)
    layer.weight.backward(upstream)
    original = layer.parametrizations.weight.original
    assert torch.equal(original.grad, torch.where(original.abs() <= 1, upstream, 0.0))


def test_global_randomness_is_left_alone() -> None:
    layer, before = quantized(), torch.get_rng_state()
    _ = layer.weight
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("hardware", [BINARY, ANALOG], ids=["binary", "analog"])
def test_a_sample_is_distributed_as_the_weight_of_a_chip(
    hardware: Hardware, generator: torch.Generator
) -> None:
    """Mean and spread agree with those of many converted chips."""
    pool = WeightPool(hardware, seed=5)
    plain = nn.Linear(6, 5, bias=False)
    with torch.no_grad():
        plain.weight.copy_(torch.rand(5, 6, generator=generator) * 2 - 1)
        plain.weight[0, 0] = 1.0
    n = 1500
    chips = mho.convert(plain, hardware, n, generator=generator).net.effective
    drawn = torch.stack([pool.sample(plain.weight.detach(), seed) for seed in range(n)])
    error = 5 * ((chips.var(0) + drawn.var(0)) / n).sqrt()
    assert ((chips.mean(0) - drawn.mean(0)).abs() <= error).all()
    ratio = drawn.var(0).mean() / chips.var(0).mean()
    assert ratio.item() == pytest.approx(1.0, abs=0.12)


def test_a_sample_follows_any_memory_layout(generator: torch.Generator) -> None:
    w: Tensor = torch.randn(4, 3, 2, 2, generator=generator)
    pool = WeightPool(ANALOG, seed=5)
    plain = pool.sample(w, 3)
    other = pool.sample(w.to(memory_format=torch.channels_last), 3)
    assert torch.equal(plain, other)


# ------------------------------------------------------------------ binarization


def test_stochastic_signs_come_as_often_as_their_chance() -> None:
    w = torch.tensor([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0]).requires_grad_()
    sign = mho.nn.StochasticSign(seed=3)
    drawn = torch.stack([sign(w) for _ in range(4000)])
    size = w.detach().abs().mean()
    torch.testing.assert_close(drawn.detach().abs(), size.expand_as(drawn))
    chance = (drawn > 0).double().mean(0)
    expected = ((w.detach().double() + 1) / 2).clamp(0, 1)
    assert (chance - expected).abs().max() < 0.04
    assert torch.equal(chance[[0, 1, 5, 6]], expected[[0, 1, 5, 6]])
    drawn[0].sum().backward()
    assert torch.equal(w.grad, (w.detach().abs() <= 1).float())


def test_stochastic_signs_are_plain_signs_in_eval_mode() -> None:
    w, sign = torch.randn(40), mho.nn.StochasticSign(width=0.3).eval()
    assert torch.equal(sign(w), Levels(2)(w))
    with pytest.raises(ValueError, match=r"StochasticSign\.width = 0: allowed is above 0"):
        mho.nn.StochasticSign(width=0)


def test_a_binary_activation_is_a_sign_with_a_gradient() -> None:
    x = torch.tensor([-3.0, -0.5, 0.0, 0.5, 3.0]).requires_grad_()
    y = mho.nn.Sign()(x)
    assert y.tolist() == [-1, -1, 1, 1, 1]
    y.sum().backward()
    assert x.grad.tolist() == [0, 1, 1, 1, 0]
    with torch.no_grad():
        assert torch.equal(mho.nn.Sign()(x), y)
