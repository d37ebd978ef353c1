"""States of converted networks: what is given is checked and loaded whole, or nothing is."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import mho
from builders.as_torch import NOISY

State = dict[str, Any]


class Tower(nn.Module):
    """Names that look like those of chips, a layer of several matrices, and a digital one."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU())
        self.memory = nn.GRU(6, 5, batch_first=True)
        self.out = nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.memory(self.net(x).unsqueeze(1))[0][:, 0])


def model(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return Tower().eval()


each_number = pytest.mark.parametrize("chips", [None, 2])
PARTS: dict[str, Callable[[str], bool]] = {
    "one layer": lambda name: name.startswith("net.0."),
    "another": lambda name: name.startswith("out."),
    "several matrices": lambda name: name.startswith("memory."),
    "biases": lambda name: name.endswith("bias"),
    "digital": lambda name: name.startswith("net.1."),
    "nothing": lambda name: False,
}


@each_number
@pytest.mark.parametrize("part", PARTS)
def test_a_part_of_a_plain_state_is_loaded_where_that_is_asked_for(
    part: str, chips: int | None
) -> None:
    net, other = mho.convert(model(1), NOISY, chips), model(2)
    mine = mho.to_digital(net).state_dict()
    given = {name: value for name, value in other.state_dict().items() if PARTS[part](name)}
    with pytest.raises(ValueError, match="is not there"):
        net.load_state_dict(given)
    assert same(mho.to_digital(net).state_dict(), mine)
    result = net.load_state_dict(given, strict=False)
    assert not result.unexpected_keys
    prefix = "" if chips is None else "net."
    lacking = {name.removeprefix(prefix) for name in result.missing_keys}
    for name in ("net.0.weight", "net.1.running_mean", "out.bias"):
        assert (name in lacking) == (name not in given)
    mho.write(net)
    assert same(mho.to_digital(net).state_dict(), mine | given)
    net(torch.randn(3, 4))


@each_number
def test_a_plain_state_as_a_whole(chips: int | None) -> None:
    net, other = mho.convert(model(1), NOISY, chips), model(2).state_dict()
    before = copy.deepcopy(net.state_dict())
    with pytest.raises(ValueError, match=r"crossbar\.level is not there \(strict=False"):
        net.load_state_dict(other)
    assert same(net.state_dict(), before)
    net.load_state_dict(other, strict=False)
    mho.write(net)
    assert same(mho.to_digital(net).state_dict(), other)


def without(end: str) -> Callable[[State], State]:
    return lambda state: {name: each for name, each in state.items() if not name.endswith(end)}


def shorter(end: str) -> Callable[[State], State]:
    """The last entry of that end has another shape."""

    def change(state: State) -> State:
        name = [name for name in state if name.endswith(end)][-1]
        return state | {name: state[name][..., :-1]}

    return change


WRONG: dict[str, Callable[[State], State]] = {
    "levels without weights": without("out.weight"),
    "levels without conductances": without("out.crossbar.conductance"),
    "a weight": shorter("out.weight"),
    "a bias": shorter("out.bias"),
    "a read-out": shorter("out.gain"),
    "cells": shorter("crossbar.conductance"),
    "levels": shorter("crossbar.level"),
    "faults": shorter("crossbar.fault"),
    "statistics": shorter("running_mean"),
}


@each_number
@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_wrong_is_refused_before_anything_is_loaded(
    wrong: str, strict: bool, chips: int | None
) -> None:
    net = mho.convert(model(1), NOISY, chips)
    given = WRONG[wrong](mho.convert(model(2), NOISY, chips).state_dict())
    before = copy.deepcopy(net.state_dict())
    with pytest.raises(ValueError, match="expected"):
        net.load_state_dict(given, strict=strict)
    assert same(net.state_dict(), before)


@each_number
def test_the_state_of_one_layer_on_chips(chips: int | None) -> None:
    net, other = (mho.convert(model(seed), NOISY, chips) for seed in (1, 2))
    given = {name: each for name, each in other.state_dict().items() if "out." in name}
    result = net.load_state_dict(given, strict=False)
    assert not result.unexpected_keys
    after = net.state_dict()
    assert same({name: after[name] for name in given}, given)
    net(torch.randn(3, 4))


def same(a: State, b: State) -> bool:
    return a.keys() == b.keys() and all(
        torch.equal(a[name].nan_to_num(), each.nan_to_num()) for name, each in b.items()
    )
