"""Conversion of outputs about their bias: compiled, as in torch."""

from itertools import product

import pytest
import torch
from torch import Tensor

import mho
from mho import kernels
from mho.learning.noise_aware.trained_converter import Ranges, TrainedConverter

SHAPES = {"rows": ((9, 4), -1), "rows of rows": ((3, 5, 4), -1), "maps": ((3, 4, 6, 5), -3)}
HARDWARE = mho.Hardware(device="hfo2-1t1r")


def passed(
    how: Ranges | float, own: bool, shape: str, *, bias: bool, factors: bool
) -> list[Tensor | None]:
    """What two passes give, forwards and backwards."""
    sizes, dim = SHAPES[shape]
    torch.manual_seed(2)
    one = TrainedConverter("layer", "ADC", 4, HARDWARE, how, {dim: 4} if own else None, dim)
    x = torch.randn(sizes).requires_grad_()
    about = torch.randn(4).requires_grad_() if bias else None
    scales = torch.tensor([1.0, 0.5, 0.01, 0.3]) if factors else None
    one(x, about, scales)
    y = one(1.5 * x, about, scales)
    y.backward(torch.randn(sizes))
    learnt = None if one.log_factor is None else one.log_factor.grad
    return [y.detach(), x.grad, None if about is None else about.grad, learnt, one.found]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("how", ["learnt", "following", 1.5])
@pytest.mark.parametrize(("own", "bias", "factors"), [*product((False, True), repeat=3)])
def test_both_ways_convert_alike(
    how: Ranges | float, shape: str, own: bool, bias: bool, factors: bool
) -> None:
    compiled = passed(how, own, shape, bias=bias, factors=factors)
    with kernels.off():
        in_torch = passed(how, own, shape, bias=bias, factors=factors)
    for mine, theirs in zip(compiled, in_torch, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)
    assert (compiled[1] == 0).any()  # something saturates


def test_a_bias_does_not_go_through_the_converter() -> None:
    one = TrainedConverter("layer", "ADC", 4, HARDWARE, 1.0)
    x, bias = torch.randn(50, 3), torch.tensor([5.0, -7.0, 0.25], requires_grad=True)
    y = one(x + bias, bias)
    torch.testing.assert_close(y, one(x) + bias)
    y.sum().backward()  # by itself and in x, 50 times
    torch.testing.assert_close(bias.grad, torch.full((3,), 50.0))
