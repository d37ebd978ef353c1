"""Levels and their straight-through gradient; variation that only training sees."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import mho
from mho.learning.layers.quantizer import Levels, level_index, level_value


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
        (lambda: Levels(1), r"Levels\.n = 1: expected at least 2"),
        (lambda: Levels(3, 0.0), r"Levels\.full_scale = 0\.0: expected above 0"),
    ],
)
def test_impossible_levels_are_refused(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


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
    with pytest.raises(ValueError, match=r"StochasticSign\.width = 0.0: expected above 0"):
        mho.nn.StochasticSign(width=0)


def test_a_binary_activation_is_a_sign_with_a_gradient() -> None:
    x = torch.tensor([-3.0, -0.5, 0.0, 0.5, 3.0]).requires_grad_()
    y = mho.nn.Sign()(x)
    assert y.tolist() == [-1, -1, 1, 1, 1]
    y.sum().backward()
    assert x.grad.tolist() == [0, 1, 1, 1, 0]
    with torch.no_grad():
        assert torch.equal(mho.nn.Sign()(x), y)
