"""Hooks of layers are those of the layers that take their places, there and back."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import mho
from builders.as_torch import EXACT, converted

LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "linear": (lambda: nn.Linear(6, 4), (5, 6)),
    "conv": (lambda: nn.Conv2d(2, 3, 2), (5, 2, 4, 4)),
    "attention": (lambda: nn.MultiheadAttention(4, 2), (5, 3, 4)),
}


class Watched(nn.Module):
    """One layer, and a method that serves as a hook."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer
        self.seen: list[str] = []

    def forward(self, x: Tensor) -> Tensor:
        if hasattr(self.layer, "num_heads"):
            return self.layer(query=x, key=x, value=x)[0]
        return self.layer(x)

    def note(self, module: nn.Module, *_: Any) -> None:
        self.seen.append(type(module).__name__)


def register_forward(layer: nn.Module) -> None:
    def clamp(module: nn.Module, given: Any, out: Any) -> Any:
        if isinstance(out, tuple):
            return (out[0].clamp(-0.1, 0.1), out[1])
        return out.clamp(-0.1, 0.1)

    layer.register_forward_hook(clamp)


def register_forward_with_kwargs(layer: nn.Module) -> None:
    def scale(module: nn.Module, given: Any, named: Any, out: Any) -> Any:
        return (3 * out[0], out[1]) if isinstance(out, tuple) else 3 * out

    layer.register_forward_hook(scale, with_kwargs=True, always_call=True)


def register_pre(layer: nn.Module) -> None:
    layer.register_forward_pre_hook(lambda m, given: tuple(0.5 * x for x in given))


def register_pre_with_kwargs(layer: nn.Module) -> None:
    def halve(module: nn.Module, given: Any, named: Any) -> Any:
        halved = {n: 0.5 * x if isinstance(x, Tensor) else x for n, x in named.items()}
        return tuple(0.5 * x for x in given), halved

    layer.register_forward_pre_hook(halve, with_kwargs=True)


def register_backward(layer: nn.Module) -> None:
    layer.register_full_backward_hook(lambda m, to_in, to_out: tuple(2 * g for g in to_in))


def register_backward_pre(layer: nn.Module) -> None:
    layer.register_full_backward_pre_hook(lambda m, to_out: tuple(4 * g for g in to_out))


COMPUTING = {
    "forward": register_forward,
    "forward with keywords": register_forward_with_kwargs,
    "pre": register_pre,
    "pre with keywords": register_pre_with_kwargs,
    "backward": register_backward,
    "backward pre": register_backward_pre,
}


def outcome(net: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """Outputs, and the gradient to the inputs."""
    x = x.clone().requires_grad_()
    y = net(x)
    (to_x,) = torch.autograd.grad(y.square().sum(), x)
    return y.detach(), to_x


@pytest.mark.parametrize("hook", COMPUTING)
@pytest.mark.parametrize("kind", LAYERS)
def test_hooks_compute_as_before(kind: str, hook: str) -> None:
    torch.manual_seed(0)
    make, shape = LAYERS[kind]
    x, model = torch.randn(shape), Watched(make())
    if kind == "attention" and hook.startswith("backward"):
        model.layer.register_forward_pre_hook(
            lambda m, given, named: ((*named.values(),), {"need_weights": False}), with_kwargs=True
        )
        if hook == "backward pre":
            pytest.skip("gradients of the weights, which nobody takes, are None")
    COMPUTING[hook](model.layer)
    plain = outcome(model, x)
    for net in (
        converted(model),
        mho.to_digital(converted(model)),
        copy.deepcopy(converted(model)),
    ):
        for mine, theirs in zip(outcome(net, x), plain, strict=True):
            torch.testing.assert_close(mine, theirs, rtol=5e-3, atol=5e-3)


@pytest.mark.parametrize("kind", LAYERS)
def test_a_method_of_the_network_is_that_of_the_new_network(kind: str) -> None:
    make, shape = LAYERS[kind]
    model = Watched(make())
    model.layer.register_forward_hook(model.note)
    net = converted(model)
    net(torch.randn(shape))
    assert isinstance(net, Watched)
    assert model.seen == []
    assert net.seen == [type(net.layer).__name__]
    back = mho.to_digital(net)
    back(torch.randn(shape))
    assert isinstance(back, Watched)
    assert back.seen[-1] == type(model.layer).__name__
    assert len(net.seen) == 1


@pytest.mark.parametrize("kind", LAYERS)
def test_hooks_of_states_are_called(kind: str) -> None:
    make, _ = LAYERS[kind]
    model, called = Watched(make()), []
    layer = model.layer
    layer.register_state_dict_pre_hook(lambda m, prefix, keep: called.append("before saving"))
    layer._register_state_dict_hook(lambda m, state, prefix, local: called.append("saving"))
    layer.register_load_state_dict_pre_hook(lambda m, *_: called.append(type(m).__name__))
    layer.register_load_state_dict_post_hook(lambda m, _: called.append("loaded"))
    net = converted(model)
    net.load_state_dict(net.state_dict())
    assert called == ["before saving", "saving", type(net.layer).__name__, "loaded"]


def test_a_network_that_came_back_has_no_hook_of_the_chips() -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.MultiheadAttention(2, 1))
    back = mho.to_digital(converted(model))
    for module in back.modules():
        for name in ("_load_state_dict_pre_hooks", "_load_state_dict_post_hooks"):
            assert not getattr(module, name)
    again = mho.convert(back, EXACT)
    assert [*again.state_dict()] == [*converted(model).state_dict()]


def test_each_of_several_hooks_is_called_in_order() -> None:
    layer, order = nn.Linear(3, 2), []
    for k in range(4):
        layer.register_forward_hook(lambda *_, k=k: order.append(k), prepend=k == 3)
    converted(nn.Sequential(layer))(torch.ones(1, 3))
    assert order == [3, 0, 1, 2]


def test_chips_call_hooks_too() -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    model[0].register_forward_hook(lambda m, given, out: out - out.mean())
    x = torch.randn(5, 3)
    net = converted(model, chips=3)
    torch.testing.assert_close(net(x), model(x).expand(3, -1, -1), rtol=1e-2, atol=1e-2)
