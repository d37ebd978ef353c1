"""A converter is a symmetric grid with a range."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from mho.hardware.converters import Converter

bits_ = st.integers(2, 12)
scales = st.floats(1e-6, 1e6)


def convert(x: Tensor, bits: int, scale: float, *, overwrite: bool = False) -> Tensor:
    """One chip's converter of a given range."""
    converter = Converter("ADC", bits, 1.0, chips=1)
    converter.ranges = (scale,)
    return converter(x, overwrite=overwrite)


@given(bits_, scales)
def test_the_grid_has_its_size_and_is_symmetric(bits: int, scale: float) -> None:
    x = torch.linspace(-1.5, 1.5, 40_001, dtype=torch.float64) * scale
    y = convert(x, bits, scale)
    values = y.unique()
    most = 2 ** (bits - 1) - 1
    assert values.numel() == 2 * most + 1
    torch.testing.assert_close(values, -values.flip(0), rtol=0, atol=0)
    expected = torch.arange(-most, most + 1, dtype=torch.float64) * (scale / most)
    torch.testing.assert_close(values, expected, rtol=1e-12, atol=0)


@given(bits_, scales)
def test_rounding_is_to_the_nearest_and_saturates(bits: int, scale: float) -> None:
    x = torch.linspace(-2, 2, 4001, dtype=torch.float64) * scale
    y = convert(x, bits, scale)
    lsb = scale / (2 ** (bits - 1) - 1)
    inside = x.abs() <= scale
    assert ((y - x).abs()[inside] <= 0.5000001 * lsb).all()
    torch.testing.assert_close(y[~inside], x[~inside].sign() * scale, rtol=1e-12, atol=0)
    assert (y.diff() >= 0).all()


@given(bits_, scales)
def test_converting_twice_is_converting_once(bits: int, scale: float) -> None:
    x = torch.linspace(-2, 2, 1001) * scale
    once = convert(x, bits, scale)
    torch.testing.assert_close(convert(once, bits, scale), once, rtol=0, atol=0)


@given(st.integers(3, 12))
def test_the_gradient_passes_straight_through_and_stops_where_saturated(bits: int) -> None:
    most = 2 ** (bits - 1) - 1
    x = torch.linspace(-2, 2, 999, requires_grad=True)
    upstream = torch.linspace(1, 3, 999)
    y = convert(x, bits, 1.0)
    y.backward(upstream)
    assert torch.equal(y.detach(), convert(x.detach(), bits, 1.0))
    passes = x.detach().abs() < 1 + 0.49 / most
    stops = x.detach().abs() > 1 + 0.51 / most
    assert torch.equal(x.grad[passes], upstream[passes])
    assert (x.grad[stops] == 0).all()


def test_overwriting_gives_the_same_and_only_then_touches_the_input() -> None:
    x = torch.linspace(-2, 2, 101)
    kept = x.clone()
    y = convert(x, 4, 1.0)
    assert torch.equal(x, kept)
    assert torch.equal(convert(x.clone(), 4, 1.0, overwrite=True), y)


def test_a_converter_without_range_names_the_remedy() -> None:
    with pytest.raises(RuntimeError, match=r"the ADC has 8 bits .*call mho\.calibrate\(net, batch"):
        Converter("ADC", 8, 1.0, chips=1)(torch.zeros(3))


def test_an_exact_converter_gives_back_its_input() -> None:
    x = torch.randn(3)
    assert Converter("ADC", None, 1.0, chips=1)(x) is x


def test_a_range_of_zero_converts_to_zero() -> None:
    assert torch.equal(convert(torch.tensor([0.0, 0.0]), 8, 0.0), torch.zeros(2))


def calibrated(x: Tensor, coverage: float, chips: int = 1, bits: int = 8) -> Converter:
    """A converter that has seen x."""
    converter = Converter("ADC", bits, coverage, chips)
    converter.calibrating = True
    converter(x)
    converter.calibrating = False
    return converter


@given(st.lists(st.floats(-10, 10, width=32), min_size=1, max_size=50), st.floats(0.05, 1))
def test_the_range_is_the_smallest_that_covers(values: list[float], coverage: float) -> None:
    x = torch.tensor(values)
    (bound,) = calibrated(x, coverage).ranges.tolist()
    sizes = x.abs()

    def share(limit: float) -> float:
        return (sizes <= limit).double().mean().item()

    assert share(bound) >= coverage - 1e-12
    smaller = sizes[sizes < bound]
    assert smaller.numel() == 0 or share(smaller.max().item()) < coverage
    assert calibrated(x, 1.0).ranges.tolist() == [sizes.max().item()]


@given(st.integers(1, 5), st.integers(1, 7), bits_, st.integers(0, 2**31))
def test_each_chip_converts_as_if_it_were_alone(chips: int, n: int, bits: int, seed: int) -> None:
    x = torch.randn(chips * n, 3, generator=torch.Generator().manual_seed(seed))
    together = calibrated(x, 1.0, chips, bits)
    y = together(x).unflatten(0, (chips, n))
    for chip, part in enumerate(x.unflatten(0, (chips, n))):
        alone = calibrated(part, 1.0, 1, bits)
        assert torch.equal(alone.ranges, together.ranges[chip : chip + 1])
        torch.testing.assert_close(alone(part), y[chip], rtol=1e-6, atol=0)


def test_state_round_trip() -> None:
    one, two = (Converter("DAC", 8, 1.0, chips=2) for _ in range(2))
    two.load(one.state())
    assert two.ranges is None
    one.ranges = (1.0, 2.5)
    two.load(one.state())
    assert two.ranges.tolist() == [1.0, 2.5]


@given(st.integers(1, 3), st.integers(1, 4), st.sampled_from([1.0, 0.7]), st.integers(0, 2**31))
def test_each_place_with_a_range_of_its_own_converts_as_if_alone(
    chips: int, n: int, coverage: float, seed: int
) -> None:
    x = torch.randn(chips * n, 2, 3, 4, generator=torch.Generator().manual_seed(seed))
    own = Converter("ADC", 6, coverage, chips, own={-3: 2, -1: 4})
    own.calibrating = True
    own(x)
    own.calibrating = False
    assert own.ranges is not None
    assert own.ranges.shape == (chips, 2, 4)
    y = own(x).unflatten(0, (chips, n))
    for chip in range(chips):
        for tile in range(2):
            for column in range(4):
                part = x.unflatten(0, (chips, n))[chip, :, tile, :, column]
                alone = calibrated(part, coverage, 1, 6)
                assert own.ranges[chip, tile, column] == alone.ranges.item()
                torch.testing.assert_close(
                    y[chip, :, tile, :, column], alone(part), rtol=1e-6, atol=0
                )
    some = own(x[n : 2 * n], chips=slice(1, 2)) if chips > 1 else y[0]
    assert torch.equal(some, y[min(chips, 2) - 1])
