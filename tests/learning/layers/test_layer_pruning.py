"""Pruned weights stay 0 in training, whatever moves the others."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import prune

import mho
from builders.as_torch import EXACT, check_chips, converted
from builders.rule_catalogue import RULES

CELL = mho.MultiLevel(g_min=1e-6, g_max=1e-4, levels=17, sigma=(1e-6,))
OPTIMIZERS: dict[str, Any] = {
    "sgd": lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
    "adam": lambda p: torch.optim.Adam(p, 0.05),
    "adamw": lambda p: torch.optim.AdamW(p, 0.05, weight_decay=0.5, amsgrad=True),
    "rmsprop": lambda p: torch.optim.RMSprop(p, 0.01, momentum=0.5),
    "adagrad": lambda p: torch.optim.Adagrad(p, 0.1),
    "lbfgs": lambda p: torch.optim.LBFGS(p, 0.1, max_iter=2),
}


class Net(nn.Module):
    def __init__(self, bias: bool = True) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.attend = nn.Conv2d(1, 4, 2, bias=bias), nn.MultiheadAttention(4, 2)
        self.up, self.out = nn.ConvTranspose1d(3, 4, 1), nn.Linear(4, 3)
        prune.random_unstructured(self.up, "weight", 0.4)
        prune.random_unstructured(self.conv, "weight", 0.4)
        prune.random_unstructured(self.attend, "in_proj_weight", 0.4)
        prune.random_unstructured(self.attend.out_proj, "weight", 0.4)
        prune.random_structured(self.out, "weight", 0.4, dim=1)
        prune.random_unstructured(self.out, "bias", 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.up(self.conv(x)[:, :3].flatten(2)).permute(2, 0, 1)
        return self.out(self.attend(x, x, x)[0].mean(0))


def masks(model: nn.Module) -> dict[str, Tensor]:
    return {n.removesuffix("_mask"): m for n, m in model.named_buffers() if n.endswith("_mask")}


def check_zeros(net: nn.Module, model: nn.Module) -> None:
    """What is pruned is 0, in the plain network and in what chips are to hold."""
    plain = mho.to_digital(net).state_dict()
    for name, mask in masks(model).items():
        assert not plain[name][mask == 0].any()
        assert plain[name].any()
    for layer in mho.nn.memristive_layers(net).values():
        if layer.pruned:
            assert not layer.target[layer.weight_mask.flatten(1) == 0].any()


def train(net: nn.Module, optimizer: Any, step: mho.WriteStep, rounds: int = 3) -> None:
    for k in range(rounds):
        x = torch.randn(6, 1, 4, 4, generator=torch.Generator().manual_seed(k))

        def loss(x: Tensor = x) -> Tensor:
            optimizer.zero_grad()
            value = (net(x) - 1).square().mean()
            value.backward()
            return value

        if isinstance(optimizer, torch.optim.LBFGS):
            optimizer.step(_written(net, loss))
        else:
            loss()
            optimizer.step()
        step()


def _written(net: nn.Module, loss: Any) -> Any:
    def closure() -> Tensor:
        mho.write(net)
        return loss()

    return closure


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_pruned_weights_stay_0_with_any_optimizer(name: str) -> None:
    model = Net()
    net = converted(model, mho.Hardware(device=CELL))
    train(net, OPTIMIZERS[name](net.parameters()), mho.WriteStep(net))
    check_zeros(net, model)


@pytest.mark.parametrize("name", RULES)
def test_pruned_weights_stay_0_with_any_rule(name: str) -> None:
    model = Net()
    net = converted(model, mho.Hardware(device=CELL))
    step = mho.WriteStep(net, rules=[RULES[name]()])
    optimizer = torch.optim.Adam(net.parameters(), 0.05)
    step.attach(optimizer)
    train(net, optimizer, step)
    check_zeros(net, model)


def test_gradients_are_those_of_torch() -> None:
    model = Net()
    net, x = converted(model), torch.randn(6, 1, 4, 4)
    for each in (net, model):
        each(x).square().mean().backward()
    mine, theirs = (dict(each.named_parameters()) for each in (net, model))
    torch.testing.assert_close(
        mine["conv.weight"].grad, theirs["conv.weight_orig"].grad, rtol=1e-2, atol=1e-3
    )
    for layer in mho.nn.memristive_layers(net).values():
        assert layer.weight.grad is not None
        assert not layer.pruned or not (layer.weight.grad * (1 - layer.weight_mask)).any()
    check_chips(model, [x])


@pytest.mark.parametrize("how", ["copied", "loaded", "cast"])
def test_masks_go_where_the_network_goes(how: str) -> None:
    model = Net()
    net = converted(model, mho.Hardware(device=CELL))
    if how == "copied":
        net = copy.deepcopy(net)
    if how == "loaded":
        other = converted(Net(), mho.Hardware(device=CELL))
        for layer in mho.nn.memristive_layers(other).values():
            layer.weight_mask.fill_(1.0)
        other.load_state_dict(net.state_dict())
        net = other
    if how == "cast":
        net = net.double().float()
    train(net, OPTIMIZERS["adamw"](net.parameters()), mho.WriteStep(net))
    check_zeros(net, model)


def test_weights_set_from_outside_stay_pruned() -> None:
    model = Net()
    net = converted(model, EXACT)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.fill_(0.3)
    mho.restart(net)
    mho.write(net)
    check_zeros(net, model)


def test_layers_without_pruning_have_no_mask() -> None:
    net = converted(nn.Sequential(nn.Linear(3, 2)))
    assert not any("mask" in name for name in net.state_dict())
