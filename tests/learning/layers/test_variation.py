"""Variation: what training adds is what chips have."""

import pytest
import torch
from torch import Tensor, nn

import mho
from mho import Hardware
from mho.cells import MultiLevel, OpenLoop, Resistance, Spread, TwoState, Verify
from mho.learning.layers.quantizer import Levels
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


def quantized(hardware: Hardware = BINARY, seed: int = 1) -> nn.Linear:
    with torch.random.fork_rng():
        torch.manual_seed(9)
        layer = nn.Linear(12, 10)
    mho.nn.quantize(layer, Levels(hardware.levels), Variation(hardware, seed))
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
