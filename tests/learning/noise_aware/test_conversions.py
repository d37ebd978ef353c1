"""Converters whose ranges are found in training."""

import pytest
import torch
from torch import Tensor, nn

import mho
from mho.learning.noise_aware.noise_aware import noise_aware
from mho.learning.noise_aware.trained_converter import Ranges, TrainedConverter

CELL = mho.cells.MultiLevel(g_min=1e-6, g_max=9e-5, levels=4096)
HARDWARE = mho.Hardware(device=CELL, dac_bits=6, adc_bits=6)


def converter(how: Ranges | float = "learnt", **changes: object) -> TrainedConverter:
    return TrainedConverter("layer", "DAC", 5, HARDWARE.replace(**changes), how)


def by_formula(v: Tensor, range_: Tensor, most: int = 15) -> Tensor:
    """Quantized with straight-through rounding, in plain autograd."""
    scaled = (v / range_).clamp(-1, 1) * most
    return (scaled + (scaled.round() - scaled).detach()) * range_ / most


def test_gradients_are_those_of_straight_through_rounding() -> None:
    one = converter()
    one(torch.tensor([-1.5, 1.0]))  # the first batch sets the range
    torch.manual_seed(0)
    v = torch.randn(40, requires_grad=True)
    upstream = torch.randn(40)
    one(v).backward(upstream)
    theirs = v.detach().clone().requires_grad_()
    log_factor = torch.zeros(1, requires_grad=True)
    by_formula(theirs, 1.5 * log_factor.exp()).backward(upstream)
    inside = v.detach().abs() <= 1.5 - 1e-3
    torch.testing.assert_close(v.grad[inside], theirs.grad[inside])
    assert (v.grad[v.detach().abs() > 1.5 + 0.06] == 0).all()
    scale = (40 * 15) ** -0.5
    expected = log_factor.grad * scale
    near_edge = (upstream * (v.detach().abs() - 1.5).abs().lt(0.06)).abs().sum() * 0.06 * scale
    assert (one.log_factor.grad - expected).abs() <= near_edge + 1e-5


def test_a_learnt_range_shrinks_to_what_it_converts_and_widens_to_what_saturates() -> None:
    for first, size in ((30.0, 1.0), (0.2, 1.0)):
        one = converter()
        one(torch.tensor([first]))
        optimizer = torch.optim.Adam(one.parameters(), 0.05)
        x = torch.randn(1000, generator=torch.Generator().manual_seed(0)) * size
        for _ in range(300):
            optimizer.zero_grad()
            (one(x) - x).square().mean().backward()
            optimizer.step()
        assert 2.2 <= one.ranges.item() <= 3.8  # near the best of a normal distribution at 5 bits


def test_ranges_of_the_first_batch_cover_what_the_hardware_says() -> None:
    one = converter(coverage=0.9)
    one(torch.arange(1.0, 101.0))
    assert one.ranges.item() == 90.0


def test_following_widens_where_too_much_saturates_and_stands_still_in_eval_mode() -> None:
    one = converter("following")
    one(torch.tensor([1.0, -0.5]))
    one(torch.tensor([2.0, -0.5]))
    assert one.ranges.item() == 1.25
    one.eval()(torch.tensor([9.0]))
    assert one.ranges.item() == 1.25
    assert not [*one.parameters()]


def test_a_learnt_range_widens_at_once_where_much_saturates() -> None:
    """As logits do that grow from next to nothing; the gradient would take thousands of steps."""
    one = converter()
    one(torch.tensor([0.01]))
    for _ in range(40):
        one(torch.linspace(-10, 10, 100))
    assert 9.4 <= one.ranges.item() <= 12.5


def test_a_range_fixed_by_design_is_fixed() -> None:
    one = converter(2.0)
    one(torch.tensor([100.0]))
    assert one.ranges.item() == 2.0
    assert not [*one.parameters()]


def test_zeros_set_no_range_and_what_is_not_finite_is_refused() -> None:
    one = converter()
    assert torch.equal(one(torch.zeros(3)), torch.zeros(3))
    assert one.ranges is None
    with pytest.raises(ValueError, match="values at the DAC of layer = 'nan or inf'"):
        one(torch.tensor([torch.inf]))


def test_columns_have_ranges_of_their_own() -> None:
    linear = nn.Linear(6, 3)
    net = noise_aware(linear, HARDWARE.replace(adc_range="column"), ranges="learnt")
    net(torch.randn(20, 6)).sum().backward()
    adc = net.conversions.adc
    assert adc.ranges.unique().numel() == 3
    assert (adc.log_factor.grad != 0).any()


@pytest.mark.parametrize("ranges", ["learnt", "following"])
@pytest.mark.parametrize("share", ["calibrated", 0.5])
def test_a_perfect_chip_is_what_eval_mode_computes(ranges: Ranges, share: float | str) -> None:
    hardware = HARDWARE.replace(adc_range=share, dac_range=2.0, mapping="single")
    net = noise_aware(nn.Linear(6, 3), hardware, ranges=ranges)
    x = torch.randn(20, 6)
    net(x)
    chip = mho.convert(net, hardware)
    torch.testing.assert_close(chip.eval()(x), net.eval()(x))


def test_output_noise_is_a_share_of_the_range() -> None:
    net = noise_aware(nn.Linear(6, 3), HARDWARE.replace(adc_bits=12), output_noise=0.05)
    x = torch.randn(1, 6).expand(4000, 6)
    net(x)
    net.conversions.adc.found.mul_(3)
    spread = net(x).std(0)
    torch.testing.assert_close(
        spread, net.conversions.adc.ranges.expand(3) * 0.05, rtol=0.1, atol=0.0
    )


def test_none_converts_nothing() -> None:
    net = noise_aware(nn.Linear(6, 3), HARDWARE, ranges=None)
    assert net.conversions.dac is None
    assert net.conversions.adc is None


def test_what_follows_may_work_in_place_and_batches_may_be_empty() -> None:
    model = nn.Sequential(
        nn.Linear(6, 3, bias=False), nn.ReLU(inplace=True), nn.Linear(3, 2), nn.ReLU(inplace=True)
    )
    for ranges in ("learnt", "following"):
        net = noise_aware(model, HARDWARE, ranges=ranges)  # type: ignore[arg-type]
        net(torch.randn(5, 6)).sum().backward()
        assert net(torch.randn(0, 6)).shape == (0, 2)
