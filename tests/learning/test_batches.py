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

# Sorted, so that no later batch widens a converter's range that rounded an earlier one.
X = torch.stack(sorted(torch.randn(12, 1, 6, 6), key=lambda x: -float(x.abs().max())))
Y = torch.arange(12) % 4
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
    chosen = {"0": hardware, "*": None}
    net = mho.convert(model, chosen, 2, generator=torch.Generator())
    return mho.calibrate(net.eval(), X)


def copied(net: nn.Module) -> dict[str, Any]:
    return {name: copy.deepcopy(value) for name, value in net.state_dict().items()}


def unchanged(net: nn.Module, before: dict[str, Any], modules: list[nn.Module]) -> bool:
    """Whether all is as it was, modules and state; but for counts of reads."""
    after = net.state_dict()
    return (
        [*net.modules()] == modules
        and before.keys() == after.keys()
        and all(
            torch.equal(before[name].nan_to_num(-1.0), after[name].nan_to_num(-1.0))
            for name in before
            if "crossbar._extra_state" not in name
        )
    )


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
            torch.testing.assert_close(mine[name], theirs[name], equal_nan=True)


class Two(nn.Module):
    """Takes two inputs."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b, self.norm = nn.Linear(36, 5), nn.Linear(2, 5), nn.BatchNorm1d(5)
        self.head = nn.Linear(5, 4)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        return self.head(self.norm(self.a(x.flatten(1)) + self.b(z)))


Z = torch.randn(12, 2)
SEVERAL: dict[str, Callable[[], Any]] = {
    "tuples": lambda: [((X[:6], Z[:6]), Y[:6]), ((X[6:], Z[6:]), Y[6:])],
    "dictionaries": lambda: [({"z": Z[:6], "x": X[:6]}, Y[:6]), ({"z": Z[6:], "x": X[6:]}, Y[6:])],
}


@pytest.mark.parametrize("way", SEVERAL)
def test_networks_of_several_inputs(way: str) -> None:
    cell = mho.cells.MultiLevel(g_min=1e-6, g_max=1e-4, levels=9, device_spread=0.05)
    hardware = mho.Hardware(device=cell, dac_bits=6, adc_bits=6)
    model = Two().eval()

    def made(given: Any, joined: Any) -> tuple[nn.Module, list[Any]]:
        which = {"head": None, "*": hardware}
        net = mho.convert(model, which, 2, generator=torch.Generator()).eval()
        mho.calibrate(net, given())
        mho.refresh_batchnorm(net, given())
        mho.tune(net, given())
        mho.refit(net, given())
        counted = mho.saturation(net, joined())["net.a"].adc.conversions
        return mho.fixed_point(net, 12, given()), [mho.evaluate(net, given()), counted]

    one, found = made(SEVERAL[way], SEVERAL[way])
    two, expected = made(SEVERAL["tuples"], SEVERAL["tuples"])
    assert torch.equal(one(x=X, z=Z), two(X, Z))
    for mine, theirs in zip(found, expected, strict=True):
        assert torch.equal(mine, theirs)
    scores = made(SEVERAL[way], SEVERAL[way])[1][0]
    net = mho.convert(model, hardware, 2, generator=torch.Generator())
    assert scores.shape == (2,) == mho.evaluate(net, ((X, Z), Y)).shape


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
        ([], "work.inputs = 'no batch': expected at least one batch of inputs"),
        (3, "work.inputs = 3: expected a tensor (batch, ...), or batches of them"),
        (["image"], "work.inputs = 'batches of str'"),
        ([{"x": "image"}], "work.inputs = 'batches of str'"),
        ([{}], "work.inputs = 'batches of dict'"),
        ([{1: X}], "work.inputs = 'batches of dict'"),
        ([{"x": X, "z": torch.tensor(1.0)}], "batches of a float32 tensor () among others"),
        ([((X, [X]), Y)], "work.inputs = "),
        ([{"x": X}, X], "work.inputs = 'batches of torch.float32 (12, 1, 6, 6) and of"),
    ],
)
def test_anything_else_is_refused(given: Any, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        [*batches_of(given, "work.inputs")]


class Graph(nn.Module):
    """Nodes (n, 5) and edges (2, m) to a score of each node."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(5, 6), nn.Linear(6, 3)

    def forward(self, x: Tensor, edges: Tensor) -> Tensor:
        beside = torch.zeros(len(x), len(x))
        beside[edges[0], edges[1]] = 1.0
        return self.second(beside @ torch.relu(self.first(x)))


NODES, EDGES = torch.rand(8, 5), torch.randint(8, (2, 20))
GRAPHS: dict[str, Any] = {"tuple": (NODES, EDGES), "names": {"edges": EDGES, "x": NODES}}


@pytest.mark.parametrize("graph", GRAPHS.values(), ids=GRAPHS)
def test_inputs_of_other_lengths_stay_whole(graph: Any) -> None:
    torch.manual_seed(0)
    labels = torch.arange(8) % 3 if isinstance(graph, tuple) else torch.tensor([0, 1])
    hardware = mho.Hardware(device=mho.devices.get("hfo2-1t1r"), dac_bits=8, adc_bits=8)
    net = mho.convert(Graph(), hardware, 2)
    mho.calibrate(net, [(graph, labels)])
    mho.tune(net, [(graph, labels)])
    if isinstance(graph, tuple):
        accuracy = mho.evaluate(net, [(graph, labels)])
        answers = net(*graph)
        assert accuracy.tolist() == (answers.argmax(-1) == labels).double().mean(-1).tolist()
    assert mho.formats(mho.fixed_point(net, 8, [(graph, labels)]))
    with pytest.raises(ValueError, match="one batch alone, where inputs differ in length"):
        whole_of([(graph, labels)] * 2, "work.inputs")


def test_several_inputs_that_were_taken_for_labels_are_told_how_to_go() -> None:
    net = mho.convert(Graph(), mho.Hardware(device=mho.devices.get("hfo2-1t1r"), adc_bits=8))
    with pytest.raises(ValueError, match=r"'edges'.*go in pairs, \[\(\(x, edges\), labels\)\]"):
        mho.calibrate(net, [(NODES, EDGES)])


def with_(value: float) -> Tensor:
    x = X.clone()
    x[3, 0, 2, 2] = value
    return x


BAD: dict[str, tuple[Any, str]] = {
    "nan": (with_(float("nan")), "'nan or inf'"),
    "inf": (with_(float("inf")), "'nan or inf'"),
    "-inf later": ([X, with_(-float("inf"))], "'nan or inf'"),
    "zeros": (0 * X, "'zeros only'"),
    "empty": (X[:0], "'an empty batch'"),
    "empty ones": ([X[:0], X[:0]], "'an empty batch'"),
    "no batch": ([], "'no batch'"),
    "inputs and labels": ((X, Y), "labels go in pairs"),
    "of two kinds": ([X, X.double()], "all of one kind"),
    "a number": (torch.tensor(1.0), "a tensor without dimensions"),
}
OTHERS: dict[str, Callable[[nn.Module, Any], object]] = {
    "saturation": mho.saturation,
    "fixed_point": lambda net, given: mho.fixed_point(net, 8, given),
}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("work", WORK | OTHERS)
def test_inputs_that_say_nothing_are_refused_and_nothing_is_changed(work: str, bad: str) -> None:
    net = network()
    before, modules = copied(net), [*net.modules()]
    given, said = BAD[bad]
    with pytest.raises(ValueError, match=re.escape(said)) as error:
        (WORK | OTHERS)[work](net, given)
    assert str(error.value).startswith(f"{work}.inputs")
    assert unchanged(net, before, modules)


@pytest.mark.parametrize("work", WORK)
def test_an_empty_batch_among_others_is_left_out(work: str) -> None:
    net, other = network(), network()
    WORK[work](net, [X[:0], X, X[:0]])
    WORK[work](other, [X])
    assert unchanged(net, copied(other), [*net.modules()])


class Log(nn.Module):
    """nan for what is negative."""

    def forward(self, x: Tensor) -> Tensor:
        return x.log()


def diverging() -> nn.Module:
    """What reaches its second layer, and the normalization behind, is not finite."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), Log(), nn.Conv2d(3, 3, 3), nn.BatchNorm2d(3),
        nn.Flatten(), nn.Linear(12, 4),
    )  # fmt: skip
    cell = mho.cells.MultiLevel(g_min=1e-6, g_max=1e-4, levels=9, sigma=(2e-6,))
    hardware = mho.Hardware(device=cell, dac_bits=6, adc_bits=6)
    chosen = {"0": hardware, "3": hardware, "*": None}
    net = mho.convert(model, chosen, 2, generator=torch.Generator()).eval()
    for name, module in net.named_modules():
        if name in ("net.0", "net.3"):
            for converter in module.reading.converters:
                converter.ranges = [1.0, 1.0]
    return net


@pytest.mark.parametrize(
    ("work", "said"),
    [
        ("calibrate", "values at the DAC of net.3 = 'nan or inf'"),
        ("tune", "tune.inputs at layer net.3 = 'nan or inf'"),
        ("refresh_batchnorm", "refresh_batchnorm.inputs at net.4 = 'nan or inf'"),
        ("refit", "refit.inputs of the last layer = 'nan or inf'"),
    ],
)
def test_what_becomes_not_finite_is_refused_and_nothing_is_changed(work: str, said: str) -> None:
    net = diverging()
    before, modules = copied(net), [*net.modules()]
    with pytest.raises(ValueError, match=re.escape(said)):
        WORK[work](net, X)
    assert unchanged(net, before, modules)


def test_whole_numbers_that_are_all_0_name_something() -> None:
    assert whole_of(torch.zeros(3, 2, dtype=torch.int64), "x").shape == (3, 2)


@pytest.mark.parametrize("given", [X, [X], [(X, Y, Y)], [], [(X, "labels")]])
def test_batches_without_targets_are_refused(given: Any) -> None:
    with pytest.raises(ValueError, match=r"batch(es)? \(inputs, targets\)"):
        pairs_of(given, "work.inputs")


def test_targets_are_joined() -> None:
    x, y = pairs_of(LABELLED["loader"](), "work.inputs")
    assert isinstance(x, Tensor)
    assert torch.equal(x, X)
    assert torch.equal(y, Y)
