"""A converted layer held to torch's own, which has the weights that its arrays hold."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

import mho
from mho.learning.hardware_by_layer import ByLayer
from mho.learning.layers.composite import Composite

FINE = mho.MultiLevel(g_min=1e-6, g_max=1e-4, levels=4096)
EXACT = mho.Hardware(device=FINE, transposed=True)
"""Levels so fine that weights stay what they are; gradients go through the weights of the cells."""
NOISY = mho.Hardware(
    device=FINE.replace(levels=16, sigma=(2e-6,), device_spread=0.05, read_noise=0.02),
    tile=(7, 9),
)


def converted(
    model: nn.Module, hardware: ByLayer = EXACT, chips: int | None = None, first_chip: int = 0
) -> nn.Module:
    """On chips that are always drawn alike, in the mode of the model."""
    seed = torch.Generator().manual_seed(3)
    return mho.convert(model, hardware, chips, generator=seed, first_chip=first_chip)


def tensors(answer: Any) -> list[Tensor]:
    """Tensors of an answer of any structure, in order."""
    return [leaf for leaf in pytree.tree_leaves(answer) if isinstance(leaf, Tensor)]


def gradients(net: nn.Module, plain: nn.Module) -> dict[str, Tensor | None]:
    """Gradients of a converted network by the names of torch's parameters."""
    found: dict[str, Tensor | None] = {n: p.grad for n, p in net.named_parameters()}
    for name, module in net.named_modules():
        if not isinstance(module, Composite):
            continue
        prefix = f"{name}." if name else ""
        for entry, places in module.entries().items():
            parts = [found.pop(prefix + place, None) for place in places]
            given = [part for part in parts if part is not None]
            found[prefix + entry] = torch.cat(given) if given else None
    return {name: found[name] for name, _ in plain.named_parameters()}


def check_as_torch(
    model: nn.Module,
    args: Sequence[Any],
    kwargs: Mapping[str, Any] | None = None,
    *,
    hardware: ByLayer = EXACT,
    rtol: float = 1e-5,
) -> nn.Module:
    """Hold outputs and all gradients of a model on exact cells to torch's; the converted network.

    With the model's own weights as far as levels are fine, with those that the cells hold exactly.
    """
    kwargs = kwargs or {}
    net = converted(model, hardware)
    plain = mho.to_digital(net, chip=0)
    assert type(plain) is type(model)
    assert str(plain) == str(model)
    answers = []
    for each in (net, plain):
        given = [x.clone().requires_grad_(x.is_floating_point()) for x in tensors(args)]
        rest = iter(given)
        own = pytree.tree_map(lambda x, r=rest: next(r) if isinstance(x, Tensor) else x, [*args])
        torch.manual_seed(9)
        made = each(*own, **kwargs)
        ends = [y for y in tensors(made) if y.requires_grad]
        torch.autograd.backward(ends, [y.detach().cos() for y in ends])
        answers.append((made, [x.grad for x in given]))
    (mine, to_mine), (theirs, to_theirs) = answers
    assert pytree.tree_structure(mine) == pytree.tree_structure(theirs)
    for y, wanted in zip(tensors(mine), tensors(theirs), strict=True):
        torch.testing.assert_close(y, wanted, rtol=rtol, atol=rtol * size_of(wanted))
    for mine_, theirs_ in zip(to_mine, to_theirs, strict=True):
        _check_gradient(mine_, theirs_, rtol)
    wanted = dict(plain.named_parameters())
    for name, grad in gradients(net, plain).items():
        _check_gradient(grad, wanted[name].grad, rtol)
    with torch.no_grad():  # torch's fused paths
        torch.manual_seed(9)
        again = net(*args, **kwargs)
    for y, before in zip(tensors(again), tensors(mine), strict=True):
        torch.testing.assert_close(y, before.detach(), rtol=rtol, atol=rtol * size_of(before))
    return net


def check_chips(
    model: nn.Module,
    args: Sequence[Any],
    kwargs: Mapping[str, Any] | None = None,
    *,
    hardware: ByLayer = NOISY,
) -> None:
    """Hold several chips to the same chips one by one."""
    kwargs = kwargs or {}
    with torch.no_grad():
        every = tensors(converted(model, hardware, 3)(*args, **kwargs))
        for chip in range(3):
            alone = tensors(converted(model, hardware, first_chip=chip)(*args, **kwargs))
            for y, wanted in zip(every, alone, strict=True):
                torch.testing.assert_close(y[chip], wanted, rtol=1e-5, atol=1e-5 * size_of(wanted))
            assert not torch.equal(every[0][chip], every[0][chip - 1])


def check_state(model: nn.Module, other: nn.Module, hardware: ByLayer = EXACT) -> None:
    """A state of torch's layer is loaded into the converted one, and comes back."""
    net = converted(model, hardware)
    net.load_state_dict(other.state_dict(), strict=False)
    mho.write(net)
    back = mho.to_digital(net).state_dict()
    assert [*back] == [*other.state_dict()]
    assert all(torch.equal(back[name], value) for name, value in other.state_dict().items())


def size_of(x: Tensor) -> float:
    """Largest finite magnitude, at least a little."""
    finite = x.detach()[x.detach().isfinite()].double()
    return max(finite.abs().max().item(), 1e-6) if finite.numel() else 1.0


def _check_gradient(mine: Tensor | None, theirs: Tensor | None, rtol: float) -> None:
    if mine is None or theirs is None:
        assert not any(grad is not None and grad.any() for grad in (mine, theirs))
        return
    torch.testing.assert_close(mine, theirs, rtol=rtol, atol=rtol * size_of(theirs))
