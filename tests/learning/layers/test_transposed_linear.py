"""Layers with a weight (in, out), such as the Conv1D that GPT-2 is made of."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import prune

import mho
from builders.as_torch import EXACT, check_chips, converted
from mho.learning.twins import TWINS, TWINS_BY_NAME
from mho.nn import MemristiveTransposedLinear


class Conv1D(nn.Module):
    """A linear layer with a transposed weight, as the library transformers has it."""

    def __init__(self, nf: int, nx: int) -> None:
        super().__init__()
        self.nf, self.nx = nf, nx
        self.weight, self.bias = nn.Parameter(torch.empty(nx, nf)), nn.Parameter(torch.zeros(nf))
        nn.init.normal_(self.weight, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        y = torch.addmm(self.bias, x.view(-1, x.size(-1)), self.weight)
        return y.view(*x.shape[:-1], self.nf)


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TWINS, Conv1D, MemristiveTransposedLinear)


def layer(out: int = 6, inputs: int = 5) -> Conv1D:
    torch.manual_seed(0)
    return Conv1D(out, inputs)


@pytest.mark.parametrize("shape", [(4, 5), (2, 3, 5)])
@pytest.mark.parametrize("out", [6, 5])
def test_outputs_and_gradients_are_those_of_the_layer(out: int, shape: tuple[int, ...]) -> None:
    model, x = layer(out), torch.randn(shape)
    net = converted(model)
    assert isinstance(net, MemristiveTransposedLinear)
    plain = mho.to_digital(net, chip=0)
    assert type(plain) is Conv1D
    to_x = []
    for each in (net, plain):
        given = x.clone().requires_grad_()
        y = each(given)
        y.backward(y.detach().cos())
        to_x.append((y, given.grad))
    torch.testing.assert_close(to_x[0], to_x[1], rtol=1e-5, atol=1e-6)
    mine, theirs = net.weight.grad, plain.weight.grad
    assert mine is not None
    torch.testing.assert_close(mine.T, theirs, rtol=1e-5, atol=1e-6)
    assert net.bias is not None
    torch.testing.assert_close(net.bias.grad, plain.bias.grad)
    torch.testing.assert_close(net(x), model(x), rtol=1e-2, atol=1e-3)
    assert torch.equal(mho.to_digital(net).get_parameter("weight"), model.weight)
    check_chips(model, [x])


@pytest.mark.parametrize("out", [6, 5])
def test_both_kinds_of_states_are_loaded(out: int) -> None:
    model, other = layer(out), layer(out)
    with torch.no_grad():
        other.weight.mul_(0.5)
    net = converted(nn.Sequential(model))
    net.load_state_dict(nn.Sequential(other).state_dict(), strict=False)
    mho.write(net)
    assert torch.equal(mho.to_digital(net).get_parameter("0.weight"), other.weight)
    again = converted(nn.Sequential(model))
    again.load_state_dict(net.state_dict())
    assert torch.equal(again.get_parameter("0.weight"), net.get_parameter("0.weight"))
    assert torch.equal(copy.deepcopy(net).get_parameter("0.weight"), other.weight.T)


def test_pruned_weights_stay_0() -> None:
    model = layer()
    prune.random_unstructured(model, "weight", 0.5)
    net = converted(nn.Sequential(model))
    optimizer, step = torch.optim.AdamW(net.parameters(), 0.1), mho.WriteStep(net)
    for _ in range(2):
        optimizer.zero_grad()
        net(torch.ones(3, 5)).square().sum().backward()
        optimizer.step()
        step()
    plain = mho.to_digital(net).get_submodule("0")
    assert not plain.get_parameter("weight")[model.weight_mask == 0].any()
    assert plain.get_parameter("weight").any()


def test_it_is_known_by_name() -> None:
    for name in TWINS_BY_NAME:
        module, _, kind = name.rpartition(".")
        library = type(kind, (Conv1D,), {"__module__": module, "forward": lambda self, x: x})
        net = converted(nn.Sequential(library(3, 2)))
        assert isinstance(net.get_submodule("0"), MemristiveTransposedLinear)


def test_a_weight_shared_with_another_layout_is_refused() -> None:
    model = nn.ModuleList([nn.Linear(5, 5, bias=False), layer(5)])
    model[1].weight = model[0].weight
    with pytest.raises(ValueError, match="shared with 0"):
        mho.convert(model, EXACT)


def test_inputs_that_do_not_fit_are_refused() -> None:
    net = converted(nn.Sequential(layer()))
    with pytest.raises(ValueError, match=r"0 input, of shape = \(4, 6\): expected \(..., 5\)"):
        net(torch.ones(4, 6))
