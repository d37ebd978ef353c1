"""Fixed-point numbers: the grid, its saturation, and what passes the gradient."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import mho
from mho.nn import FixedPoint

numbers = st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=30)
some_bits = st.integers(2, 24)
some_integer_bits = st.integers(-12, 30)


def grid(bits: int, m: int) -> tuple[float, float, float]:
    """Step, least and largest number of Qm.n."""
    step = 2.0 ** (m - bits + 1)
    return step, -(2.0**m), 2.0**m - step


@given(numbers, some_bits, some_integer_bits)
def test_numbers_are_the_nearest_of_the_grid(values: list[float], bits: int, m: int) -> None:
    x, (step, low, high) = torch.tensor(values, dtype=torch.float64), grid(bits, m)
    y = FixedPoint(bits, m)(x)
    assert torch.equal((y / step).round() * step, y)
    assert y.min() >= low
    assert y.max() <= high
    inside = x.clamp(low, high)
    assert ((y - inside).abs() <= step / 2).all()
    assert torch.equal(FixedPoint(bits, m)(x.float()), y.float())


@given(numbers, some_bits, st.none() | some_integer_bits)
def test_rounding_again_changes_nothing(values: list[float], bits: int, m: int | None) -> None:
    q, x = FixedPoint(bits, m), torch.tensor(values)
    once = q(x)
    assert torch.equal(q(once), once)
    if x.abs().max() > 0:
        assert once.abs().max() == 0 or q.format(once) == q.format(x)


@given(numbers, some_bits, st.none() | some_integer_bits)
def test_order_is_kept(values: list[float], bits: int, m: int | None) -> None:
    y = FixedPoint(bits, m)(torch.tensor(values).sort().values)
    assert (y.diff() >= 0).all()


@given(numbers, some_bits)
def test_the_format_is_the_smallest_that_does_not_saturate(values: list[float], bits: int) -> None:
    x = torch.tensor(values, dtype=torch.float64)
    m = FixedPoint(bits).format(x).integer
    step, _, high = grid(bits, m)
    y = FixedPoint(bits)(x)
    assert torch.equal(y, (x / step).round() * step)
    assert torch.equal(FixedPoint(bits)(-x), -y)
    if x.abs().max() > 1e-15:
        finer, _, less = grid(bits, m - 1)
        assert (x.abs().max() / finer).round() * finer > less
    assert y.abs().max() <= high


def test_known_numbers() -> None:
    x = torch.tensor([0.0, 0.124, 0.125, 0.126, 0.375, -0.125, -0.375, 1.8, 9.0, -2.0, -9.0])
    y = FixedPoint(4, 1)(x)  # Q1.2: steps of 0.25 in [-2, 1.75]; ties go to even
    assert y.tolist() == [0.0, 0.0, 0.0, 0.25, 0.5, 0.0, -0.5, 1.75, 1.75, -2.0, -2.0]
    formats = {0.9: "Q0.7", 1.0: "Q1.6", 0.997: "Q1.6", 100.0: "Q7.0", 1000.0: "Q10.-3",
               0.1: "Q-3.10", 0.0: "Q0.7"}  # fmt: skip
    for largest, name in formats.items():
        assert str(FixedPoint(8).format(torch.tensor([0.0, -largest]))) == name
    assert repr(FixedPoint(8)) == "FixedPoint(bits=8)"
    assert repr(FixedPoint(8, 10)) == "FixedPoint(Q10.-3)"
    assert repr(FixedPoint(8, -3)) == "FixedPoint(Q-3.10)"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("bits", [2, 8, 16, 32])
def test_every_dtype_stays_on_the_grid(
    dtype: torch.dtype, bits: int, generator: torch.Generator
) -> None:
    x = (3 * torch.randn(500, generator=generator)).to(dtype)
    step, low, high = grid(bits, 2)
    y = FixedPoint(bits, 2)(x)
    assert y.dtype == dtype
    exact = y.double()
    assert torch.equal((exact / step).round() * step, exact)
    assert exact.min() >= low
    assert exact.max() <= high
    assert (exact - x.double().clamp(low, high)).abs().max() <= max(
        step / 2, 4 * torch.finfo(dtype).eps
    )


@pytest.mark.parametrize("size", [1e-38, 1e-25, 1e25, 3e38])
@pytest.mark.parametrize("bits", [2, 32])
def test_extreme_sizes_round_to_finite_numbers(size: float, bits: int) -> None:
    y = FixedPoint(bits)(torch.tensor([size, -size, 0.0]))
    assert torch.isfinite(y).all()
    assert y[2] == 0
    assert FixedPoint(bits)(torch.empty(0)).shape == (0,)


def test_the_gradient_passes_where_nothing_saturates(generator: torch.Generator) -> None:
    x = (2 * torch.randn(200, generator=generator)).requires_grad_()
    upstream = torch.linspace(1, 2, 200)
    y = FixedPoint(5, 1)(x)
    y.backward(upstream)
    inside = (x.detach() / 0.125).round().clamp(-16, 15) == (x.detach() / 0.125).round()
    assert torch.equal(x.grad, torch.where(inside, upstream, 0.0))
    assert inside.any()
    assert not inside.all()
    assert torch.equal(y.detach(), FixedPoint(5, 1)(x.detach()))


def test_it_is_a_parametrization(generator: torch.Generator) -> None:
    layer = mho.nn.quantize(nn.Linear(6, 4), FixedPoint(4))
    original = layer.parametrizations.weight.original
    step = 2.0 ** -FixedPoint(4).format(original).fraction
    assert torch.equal(layer.weight.div(step).round() * step, layer.weight)
    layer(torch.randn(3, 6, generator=generator)).sum().backward()
    assert original.grad.abs().min() > 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FixedPoint(1), r"FixedPoint\.bits = 1: expected 2 to 32"),
        (lambda: FixedPoint(33), r"FixedPoint\.bits = 33"),
        (lambda: FixedPoint(8, 65), r"FixedPoint\.integer_bits = 65: expected None or -64 to 64"),
        (lambda: FixedPoint(8)(torch.tensor([math.nan])), "fixed-point input = 'nan or inf'"),
        (lambda: FixedPoint(8)(torch.tensor([1.0, -math.inf])), "fixed-point input = 'nan or inf'"),
    ],
)
def test_impossible_formats_are_refused(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
