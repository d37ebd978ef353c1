"""A pass on several chips: what layers are given, and what operations see."""

import pytest
import torch
from torch import Tensor

from mho.learning.layers.chip_pass import (
    Alone,
    Together,
    current,
    folded,
    of_pass,
    on_all_chips,
    refuse_alone,
    running,
    whole,
)
from mho.learning.layers.chip_rules import ChipRules


def together(fn, *given: Tensor, chips: int = 3):
    """Run a function as a network on all chips together."""

    def run(token: Tensor, *given: Tensor):
        with running(Together(chips, token)), ChipRules():
            return fn(*given)

    return torch.vmap(run, in_dims=(0, *(None for _ in given)))(torch.arange(chips), *given)


def test_all_chips_are_given_at_once_also_what_is_the_same_for_all() -> None:
    x, seen = torch.randn(4, 5), []

    def each(every: Tensor, none: None, other: Tensor) -> tuple[Tensor, Tensor]:
        seen.append((every.shape, none, other.shape))
        return every + torch.arange(3.0).view(3, 1, 1), other

    def net(x: Tensor) -> tuple[Tensor, Tensor]:
        y, _ = on_all_chips(each, x, None, x[:, 0])
        return on_all_chips(each, y.T.contiguous(), None, y.sum())

    y, total = together(net, x)
    first = [x + chip for chip in range(3)]
    assert torch.equal(y, torch.stack([one.T + chip for chip, one in enumerate(first)]))
    torch.testing.assert_close(total, torch.stack([one.sum() for one in first]))
    assert seen == [((3, 4, 5), None, (3, 4)), ((3, 5, 4), None, (3,))]


def test_gradients_pass() -> None:
    x = torch.randn(4, 5, requires_grad=True)
    scale = torch.randn(3, 1, 1, requires_grad=True)
    together(lambda x: on_all_chips(lambda every: every * scale, x).square(), x).sum().backward()
    other, own = x.detach().requires_grad_(), scale.detach().requires_grad_()
    (other.expand(3, 4, 5) * own).square().sum().backward()
    torch.testing.assert_close(x.grad, other.grad)
    torch.testing.assert_close(scale.grad, own.grad)


def test_chips_are_folded_into_the_first_dimension() -> None:
    x = torch.randn(4, 5)
    shapes = []

    def double(x: Tensor) -> Tensor:
        shapes.append(tuple(x.shape))
        return 2 * x

    assert torch.equal(together(lambda x: folded(double, x), x), (2 * x).expand(3, 4, 5))
    assert torch.equal(folded(double, x), 2 * x)
    with running(Alone(1)):
        assert torch.equal(folded(double, x), 2 * x)
    assert shapes == [(12, 5), (4, 5), (4, 5)]


def test_values_of_the_chips_that_run() -> None:
    values = torch.arange(3.0)
    assert of_pass(values) is values
    with running(Alone(2)):
        assert of_pass(values).tolist() == [2.0]
        assert of_pass(values[:1]).tolist() == [0.0], "the same for all"


def test_what_passes_is_noted_for_all_chips() -> None:
    x, noted = torch.randn(4, 5), []

    def net(x: Tensor) -> Tensor:
        noted.append(whole(on_all_chips(lambda every: every + 1, x)))
        return x

    together(net, x)
    assert torch.equal(noted[0], (x + 1).repeat(3, 1))
    assert whole(x) is x
    with running(Alone(0)), pytest.raises(ValueError, match=r"net = .* chip by chip.*chips=None"):
        whole(x)
    with running(Alone(0)), pytest.raises(ValueError, match=r"^it = "):
        refuse_alone("it")


def test_a_pass_ends_whatever_happens() -> None:
    with pytest.raises(KeyError), running(Alone(0)):
        raise KeyError
    assert current() is None
