"""States of layers that compute their weights, loaded into networks made of such layers."""

import copy
import pickle
import warnings
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

import mho
from builders.as_torch import EXACT
from builders.computed_weights import LAYERS, PARAMETRIZED, WRAPS, model_of


@pytest.fixture(autouse=True)
def _deprecated() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=FutureWarning)
        yield


def trained_and_chips(kind: str, wrap: str, chips: int | None) -> tuple[nn.Module, nn.Module]:
    """A trained model, and another one of its kind on chips."""
    trained, fresh = model_of(kind, wrap, 1), model_of(kind, wrap, 2)
    for name, value in trained.state_dict().items():
        if not name.endswith("_mask"):
            value.mul_(1.5)
    return trained.eval(), mho.convert(fresh.eval(), EXACT, chips)


@pytest.mark.parametrize("wrap", WRAPS | PARAMETRIZED)
@pytest.mark.parametrize("kind", LAYERS)
def test_states_of_the_same_torch_model_are_loaded(kind: str, wrap: str) -> None:
    x = torch.randn(LAYERS[kind][2])
    for chips in (None, 2):
        trained, net = trained_and_chips(kind, wrap, chips)
        state = trained.state_dict()
        before = {name: value.clone() for name, value in state.items()}
        result = net.load_state_dict(copy.copy(state), strict=False)
        assert not result.unexpected_keys
        chip_entries = ("crossbar", "_extra_state", "gain", "offset", "_mask")
        assert all(any(each in name for each in chip_entries) for name in result.missing_keys)
        assert all(torch.equal(before[name], value) for name, value in state.items())
        mho.write(net)
        back = mho.to_digital(net)
        torch.testing.assert_close(back(x), trained(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", LAYERS)
def test_what_is_pruned_in_the_state_stays_pruned(kind: str) -> None:
    trained, net = trained_and_chips(kind, "pruned", 2)
    net.load_state_dict(trained.state_dict(), strict=False)
    mho.write(net)
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    x = torch.randn(LAYERS[kind][2])
    (net(x) ** 2).sum().backward()
    optimizer.step()
    mho.write(net)
    name = LAYERS[kind][1]
    mask = trained.get_buffer(f"layer.{name}_mask")
    weight = mho.to_digital(net).get_parameter(f"layer.{name}")
    assert (weight[mask == 0] == 0).all()
    assert (weight[mask == 1] != 0).any()


@pytest.mark.parametrize("wrap", ["weight norm", "pruned", "spectral norm, parametrized"])
def test_a_state_that_lacks_something_changes_nothing_of_the_layer(wrap: str) -> None:
    trained, net = trained_and_chips("linear", wrap, None)
    before = copy.deepcopy(net.state_dict())
    state = trained.state_dict()
    gone = [name for name in state if "bias" not in name][-1]
    del state[gone]
    result = net.load_state_dict(state, strict=False)
    assert "layer.weight" in result.missing_keys
    assert {*state} - {"layer.bias"} >= {*result.unexpected_keys} != set()
    assert torch.equal(net.state_dict()["layer.weight"], before["layer.weight"])


@pytest.mark.parametrize("chips", [None, 2])
@pytest.mark.parametrize("wrap", ["weight norm", "pruned", "spectral norm, parametrized"])
def test_a_state_of_another_shape_changes_nothing(wrap: str, chips: int | None) -> None:
    _, net = trained_and_chips("linear", wrap, chips)
    before = copy.deepcopy(net.state_dict())
    torch.manual_seed(0)
    other = {
        k: v[..., :-1] if v.dim() == 2 else v
        for k, v in model_of("linear", wrap, 1).state_dict().items()
    }
    with pytest.raises(ValueError, match=r"layer.*size mismatch"):
        net.load_state_dict(other, strict=False)
    after = net.state_dict()
    assert all(same(after[name], value) for name, value in before.items())


def same(a: Tensor, b: Tensor) -> bool:
    return torch.equal(a.nan_to_num(), b.nan_to_num())


def test_states_of_plain_weights_are_loaded_too() -> None:
    _, net = trained_and_chips("linear", "weight norm", None)
    plain = nn.Linear(12, 5)
    state = {f"layer.{name}": value for name, value in plain.state_dict().items()}
    assert not net.load_state_dict(state, strict=False).unexpected_keys
    assert torch.equal(net.state_dict()["layer.weight"], plain.weight)


def test_a_network_is_copied_and_pickled_as_before() -> None:
    trained, net = trained_and_chips("linear", "spectral norm, parametrized", 2)
    twin = copy.deepcopy(net)
    assert not twin.load_state_dict(trained.state_dict(), strict=False).unexpected_keys
    again = pickle.loads(pickle.dumps(net))
    again.load_state_dict(net.state_dict())
    result = again.load_state_dict(trained.state_dict(), strict=False)
    assert "net.layer.weight" in result.missing_keys
