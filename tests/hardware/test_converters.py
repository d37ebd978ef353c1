"""A converter is a symmetric grid with a range."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mho.hardware.converters import convert, reach

bits_ = st.integers(2, 12)
scales = st.floats(1e-6, 1e6)


@given(bits_, scales)
def test_the_grid_has_its_size_and_is_symmetric(bits: int, scale: float) -> None:
    x = torch.linspace(-1.5, 1.5, 40_001, dtype=torch.float64) * scale
    y = convert(x, bits, scale, "ADC")
    values = y.unique()
    most = 2 ** (bits - 1) - 1
    assert values.numel() == 2 * most + 1
    torch.testing.assert_close(values, -values.flip(0), rtol=0, atol=0)
    expected = torch.arange(-most, most + 1, dtype=torch.float64) * (scale / most)
    torch.testing.assert_close(values, expected, rtol=1e-12, atol=0)


@given(bits_, scales)
def test_rounding_is_to_the_nearest_and_saturates(bits: int, scale: float) -> None:
    x = torch.linspace(-2, 2, 4001, dtype=torch.float64) * scale
    y = convert(x, bits, scale, "ADC")
    lsb = scale / (2 ** (bits - 1) - 1)
    inside = x.abs() <= scale
    assert ((y - x).abs()[inside] <= 0.5000001 * lsb).all()
    torch.testing.assert_close(y[~inside], x[~inside].sign() * scale, rtol=1e-12, atol=0)
    assert (y.diff() >= 0).all()


@given(bits_, scales)
def test_converting_twice_is_converting_once(bits: int, scale: float) -> None:
    x = torch.linspace(-2, 2, 1001) * scale
    once = convert(x, bits, scale, "DAC")
    torch.testing.assert_close(convert(once, bits, scale, "DAC"), once, rtol=0, atol=0)


@given(st.integers(3, 12))
def test_the_gradient_passes_straight_through_and_stops_where_saturated(bits: int) -> None:
    most = 2 ** (bits - 1) - 1
    x = torch.linspace(-2, 2, 999, requires_grad=True)
    upstream = torch.linspace(1, 3, 999)
    y = convert(x, bits, 1.0, "ADC")
    y.backward(upstream)
    assert torch.equal(y.detach(), convert(x.detach(), bits, 1.0, "ADC"))
    passes = x.detach().abs() < 1 - 0.51 / most
    stops = x.detach().abs() > 1
    assert torch.equal(x.grad[passes], upstream[passes])
    assert (x.grad[stops] == 0).all()


def test_overwriting_gives_the_same_and_only_then_touches_the_input() -> None:
    x = torch.linspace(-2, 2, 101)
    kept = x.clone()
    y = convert(x, 4, 1.0, "ADC")
    assert torch.equal(x, kept)
    assert torch.equal(convert(x.clone(), 4, 1.0, "ADC", overwrite=True), y)


def test_a_converter_without_range_names_the_remedy() -> None:
    with pytest.raises(RuntimeError, match=r"the ADC has 8 bits .*call mho\.calibrate\(net, batch"):
        convert(torch.zeros(3), 8, None, "ADC")


def test_a_range_of_zero_converts_to_zero() -> None:
    assert torch.equal(convert(torch.tensor([0.0, 0.0]), 8, 0.0, "ADC"), torch.zeros(2))


@given(st.lists(st.floats(-10, 10, width=32), min_size=1, max_size=50), st.floats(0.05, 1))
def test_reach_is_the_smallest_bound_that_covers(values: list[float], coverage: float) -> None:
    x = torch.tensor(values)
    bound = reach(x, coverage)
    sizes = x.abs()

    def share(limit: float) -> float:
        return (sizes <= limit).double().mean().item()

    assert share(bound) >= coverage - 1e-12
    smaller = sizes[sizes < bound]
    assert smaller.numel() == 0 or share(smaller.max().item()) < coverage
    assert reach(x, 1.0) == sizes.max().item()
