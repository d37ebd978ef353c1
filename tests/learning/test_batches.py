"""Inputs of a function of a network: a tensor, a loader, or any iterable mean the same."""

import copy
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import mho
from mho.learning.batches import batches_of, pairs_of, whole_of

X, Y = torch.randn(12, 1, 6, 6), torch.arange(12) % 4
PLAIN: dict[str, Callable[[], Any]] = {
    "list": lambda: [X[:6], X[6:]],
    "tuple": lambda: X.split(6),
    "generator": lambda: (x for x in X.split(6)),
}
LABELLED: dict[str, Callable[[], Any]] = {
    "loader": lambda: DataLoader(TensorDataset(X, Y), batch_size=6),
    "pairs": lambda: zip(X.split(6), Y.split(6), strict=True),
    "lists": lambda: [[X[:6], Y[:6]], [X[6:], Y[6:]]],
}
EVERY = PLAIN | LABELLED


def network() -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 4)
    )
    cell = mho.cells.MultiLevel(g_min=1e-6, g_max=1e-4, levels=9, sigma=(2e-6,))
    hardware = mho.Hardware(device=cell, dac_bits=6, adc_bits=6)
    chosen = lambda name, _: name == "0"  # noqa: E731
    net = mho.convert(model, hardware, 2, generator=torch.Generator(), select=chosen)
    return mho.calibrate(net.eval(), X)


WORK: dict[str, Callable[[nn.Module, Any], object]] = {
    "calibrate": mho.calibrate,
    "tune": mho.tune,
    "refresh_batchnorm": mho.refresh_batchnorm,
    "refit": lambda net, given: mho.refit(net, given, Y),
}


@pytest.mark.parametrize("way", EVERY)
def test_batches_are_those_given(way: str) -> None:
    found = [*batches_of(EVERY[way](), "x")]
    assert [len(x) for x in found] == [6, 6]
    assert torch.equal(whole_of(EVERY[way](), "x"), X)
    assert next(batches_of(X, "x")) is X


@pytest.mark.parametrize("way", EVERY)
@pytest.mark.parametrize("work", WORK)
def test_in_place_work_takes_all_of_them_and_returns_the_network(work: str, way: str) -> None:
    net, other = network(), network()
    assert WORK[work](net, EVERY[way]()) is net
    whole = X if work != "refresh_batchnorm" else X.split(6)  # statistics are those of batches
    WORK[work](other, whole)
    mine, theirs = net.state_dict(), other.state_dict()
    assert mine.keys() == theirs.keys()
    for name in mine:
        if "crossbar" not in name:  # reads are counted by the batch
            # A DAC that is widened by a later batch has rounded the first one finer.
            near = {"rtol": 0.01, "atol": 0.0} if work == "calibrate" else {}
            torch.testing.assert_close(mine[name], theirs[name], equal_nan=True, **near)


@pytest.mark.parametrize("way", LABELLED)
def test_refit_takes_labels_from_the_batches(way: str) -> None:
    net, other = network(), network()
    mho.refit(net, LABELLED[way]())
    mho.refit(other, X, Y)
    for one, two in zip(net.parameters(), other.parameters(), strict=True):
        assert torch.equal(one, two)


def test_others_that_change_a_network_in_place_return_it() -> None:
    net = network()
    assert mho.correct(net) is net
    assert mho.untune(net) is net
    assert mho.age(net, 0.0) is net
    assert mho.rewire(net, 1.0) is net


def test_saturation_and_fixed_point_take_a_loader() -> None:
    net = network()
    loader = LABELLED["loader"]
    counted = mho.saturation(net, loader())["net.0"].adc.conversions
    assert torch.equal(counted, mho.saturation(net, X)["net.0"].adc.conversions)
    one, two = mho.fixed_point(net, 8, loader()), mho.fixed_point(copy.deepcopy(net), 8, X)
    assert mho.formats(one) == mho.formats(two)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "work.inputs = 'no batch': allowed is at least one batch of inputs"),
        (3, "work.inputs = 'int': allowed is a tensor (batch, ...), or batches of them"),
        (["image"], "work.inputs = 'batches of str'"),
        ([{"x": X}], "work.inputs = 'batches of dict'"),
        ([{}], "work.inputs = 'batches of dict'"),
    ],
)
def test_anything_else_is_refused(given: Any, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        [*batches_of(given, "work.inputs")]


@pytest.mark.parametrize("given", [X, [X], [(X, Y, Y)], [], [(X, "labels")]])
def test_batches_without_targets_are_refused(given: Any) -> None:
    with pytest.raises(ValueError, match=r"batch(es)? \(inputs, targets\)"):
        pairs_of(given, "work.inputs")


def test_targets_are_joined() -> None:
    x, y = pairs_of(LABELLED["loader"](), "work.inputs")
    assert isinstance(x, Tensor)
    assert torch.equal(x, X)
    assert torch.equal(y, Y)
