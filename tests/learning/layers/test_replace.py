"""Exchanging modules: in a copy, in place, and what a layer is beneath its parametrization."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from mho.learning.layers.replace import copied, plain_type, rebuild, swap


def test_a_copy_has_new_modules_and_shares_those_that_were_shared() -> None:
    shared = nn.Linear(3, 3)
    model = nn.Sequential(shared, nn.ReLU(), shared)
    new = nn.Linear(3, 3)
    copy = rebuild(model, lambda _, module: new if module is shared else None)
    assert copy[0] is copy[2] is new
    assert model[0] is model[2] is shared
    assert copy[1] is not model[1]
    same = rebuild(model, lambda *_: None)
    assert same[0] is same[2]
    assert torch.equal(same[0].weight, shared.weight)
    assert same[0].weight is not shared.weight


def test_a_module_is_exchanged_wherever_it_is_used() -> None:
    old, new = nn.Linear(3, 3), nn.Linear(3, 3)
    net = nn.ModuleDict({"a": nn.Sequential(old, nn.ReLU()), "b": old})
    swap(net, old, new)
    assert net["a"][0] is net["b"] is new


def test_the_type_is_seen_through_a_parametrization() -> None:
    layer = nn.Linear(2, 2)
    parametrize.register_parametrization(layer, "weight", nn.Tanh())
    assert type(layer) is not nn.Linear
    assert plain_type(layer) is plain_type(nn.Linear(1, 1)) is nn.Linear


@pytest.mark.parametrize(
    "layout",
    ["to_sparse", "to_sparse_csr", "to_sparse_csc", "nested"],
)
@pytest.mark.filterwarnings("ignore:Sparse CS. tensor support is in beta")
@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors is in prototype")
def test_tensors_without_storage_are_copied(layout: str) -> None:
    x = torch.eye(3)
    given = torch.nested.nested_tensor([x, x]) if layout == "nested" else getattr(x, layout)()
    net = nn.Linear(3, 2)
    net.register_buffer("given", given)
    net.kept = (net(x), [net(x)])  # type: ignore[assignment]
    other = copied(net)
    assert other.given is not given
    assert other.given.layout == given.layout
    assert torch.equal(other.kept[0], net.kept[0])  # type: ignore[index]
    assert other.kept[1][0] is not net.kept[1][0]  # type: ignore[index]
