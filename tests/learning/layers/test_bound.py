"""Functions that hold layers of a model would go on with these in a copy: they are refused."""

import types
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import mho
from builders.as_torch import EXACT, converted
from mho.learning.layers.bound import check_functions


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 4)
        self.way: Any = None

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(x)

    def twice(self, x: Tensor) -> Tensor:
        return 2 * self.fc(x)


def lambda_of_self(net: Net) -> Any:
    return lambda x: net.fc(x)


def lambda_of_a_layer(net: Net) -> Any:
    layer = net.fc
    return lambda x: layer(x)


def lambda_with_a_default(net: Net) -> Any:
    return lambda x, layer=net.fc: layer(x)


def function_of_a_method(net: Net) -> Any:
    twice = net.twice

    def both(x: Tensor) -> Tensor:
        return twice(x)

    return both


HOLDING: dict[str, Callable[[Net], Any]] = {
    "self": lambda_of_self,
    "a layer": lambda_of_a_layer,
    "a default": lambda_with_a_default,
    "a method": function_of_a_method,
    "in a list": lambda net: [torch.relu, lambda_of_self(net)],
    "in a dictionary": lambda net: {"way": lambda_of_a_layer(net)},
}
OTHER = nn.Linear(4, 4)
FREE: dict[str, Callable[[Net], Any]] = {
    "a function of its arguments": lambda net: lambda x: x.relu(),
    "torch's": lambda net: nn.functional.relu,
    "a method": lambda net: net.twice,
    "bound by hand": lambda net: types.MethodType(lambda self, x: self.fc(x) + 1, net),
    "another module": lambda net: [lambda x, other=OTHER: other(x)],
}


@pytest.mark.parametrize("what", HOLDING)
def test_a_function_that_holds_a_layer_is_refused(what: str) -> None:
    net = Net()
    net.way = HOLDING[what](net)
    with pytest.raises(ValueError, match=r"0.way = .*a function that holds layer '0"):
        mho.convert(nn.Sequential(net), EXACT)


@pytest.mark.parametrize("what", FREE)
def test_other_functions_are_copied(what: str) -> None:
    net = Net()
    net.way = FREE[what](net)
    check_functions(net)
    x, copied = torch.randn(3, 4), converted(net)
    assert isinstance(copied, Net)
    if callable(net.way):
        torch.testing.assert_close(copied.way(x), net.way(x), rtol=1e-2, atol=1e-2)
        with torch.no_grad():
            copied.fc.weight.zero_()
        mho.write(copied)
        if "method" in what or "bound" in what:
            assert copied.way(x).detach().std(0).max() < 0.1, "it computes with the copy"


def test_a_forward_that_holds_the_network_is_refused() -> None:
    net = Net()
    net.forward = lambda x: net.fc(x).relu()  # type: ignore[method-assign]
    with pytest.raises(ValueError, match=r"forward = .*a function that holds the model"):
        mho.convert(net, EXACT)
