"""Networks with forward passes of all kinds, each with arguments for it."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Pair(NamedTuple):
    """Two tensors."""

    first: Tensor
    second: Tensor


class Made(nn.Module):
    """Layers by name, and a forward pass that is given."""

    def __init__(self, forward: Callable[..., Any], **layers: Any) -> None:
        super().__init__()
        for name, layer in layers.items():
            setattr(self, name, layer)
        self._forward = forward

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self._forward(self, *args, **kwargs)


def _x(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def _two() -> dict[str, nn.Module]:
    return {"a": nn.Linear(5, 6), "b": nn.Linear(6, 3)}


def _images() -> dict[str, nn.Module]:
    return {"c": nn.Conv2d(2, 4, 3, padding=1), "n": nn.BatchNorm2d(4), "f": nn.Linear(4, 3)}


def _count(net: Any, x: Tensor) -> Tensor:
    net.seen += 1
    return net.b(net.a(x)) + net.seen


def _averaged(net: Any, x: Tensor) -> Tensor:
    y = net.a(x)
    net.mean.mul_(0.9).add_(y.detach().mean(0), alpha=0.1)
    return net.b(y - net.mean)


def _branch(net: Any, x: Tensor) -> Tensor:
    y = net.a(x)
    return net.b(y if y.sum() > 0 else -y)


def _stepped(net: Any, x: Tensor, h: Tensor | None = None) -> tuple[Tensor, Tensor]:
    h = x.new_zeros(len(x), 6) if h is None else h
    for _ in range(3):
        h = torch.tanh(net.a(x) + net.r(h))
    return net.b(h), h


def _in_place(net: Any, x: Tensor) -> Tensor:
    y = net.a(x)
    y.clamp_(min=0)
    y[:, 0] = 1.0
    z = torch.zeros_like(y)
    z[1:] = y[:-1]
    return net.b(z)


def _gathered(net: Any, x: Tensor) -> Tensor:
    y = net.a(x)
    first = y.argsort(0)[0]  # (6,): rows
    return net.b(y.gather(0, first.expand(len(y), 6)))


TOGETHER: dict[str, tuple[Callable[[], nn.Module], tuple[Any, ...], dict[str, Any]]] = {
    "chain": (lambda: nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 3)), (_x(4, 5),), {}),
    "chain, one row": (lambda: nn.Sequential(nn.Linear(5, 6), nn.Linear(6, 3)), (_x(1, 5),), {}),
    "chain, no batch": (lambda: nn.Sequential(nn.Linear(5, 6), nn.Linear(6, 3)), (_x(5),), {}),
    "chain, three dimensions": (
        lambda: nn.Sequential(nn.Linear(5, 6), nn.LayerNorm(6), nn.Linear(6, 3)),
        (_x(2, 4, 5),), {},
    ),
    "chain, softmax along the batch": (
        lambda: nn.Sequential(nn.Linear(5, 6), nn.Softmax(0), nn.Linear(6, 3)), (_x(4, 5),), {},
    ),
    "chain, flattened whole": (
        lambda: nn.Sequential(nn.Linear(5, 6), nn.Flatten(0), nn.Linear(24, 3)), (_x(4, 5),), {},
    ),
    "two inputs": (
        lambda: Made(lambda n, x, z: n.b(n.a(x) * z), **_two()), (_x(4, 5), _x(4, 6)), {},
    ),
    "keywords": (
        lambda: Made(lambda n, *, x, z=None, scale=1.0: n.b(n.a(x)) * scale, **_two()),
        (), {"x": _x(4, 5), "scale": 2.0},
    ),
    "a dictionary in": (
        lambda: Made(lambda n, d: n.b(n.a(d["x"])) + d["y"][0], **_two()),
        ({"x": _x(4, 5), "y": [_x(4, 3)]},), {},
    ),
    "a tuple out": (lambda: Made(lambda n, x: (n.a(x), n.b(n.a(x))), **_two()), (_x(4, 5),), {}),
    "a named tuple out": (
        lambda: Made(lambda n, x: Pair(n.a(x), n.b(n.a(x))), **_two()), (_x(4, 5),), {},
    ),
    "a dictionary out": (
        lambda: Made(
            lambda n, x: OrderedDict(y=n.b(n.a(x)), n=len(x), name="y", none=None), **_two()
        ),
        (_x(4, 5),), {},
    ),
    "what no array touches out": (
        lambda: Made(lambda n, x: {"x": x + 1, "y": n.b(n.a(x))}, **_two()), (_x(4, 5),), {},
    ),
    "whole numbers out": (
        lambda: Made(lambda n, x: n.b(n.a(x)).argmax(-1), **_two()), (_x(4, 5),), {},
    ),
    "whole numbers in": (
        lambda: Made(lambda n, i: n.b(n.a(n.e(i))), e=nn.Embedding(9, 5), **_two()),
        (torch.arange(8).view(2, 4),), {},
    ),
    "a learnt input": (
        lambda: Made(lambda n, x: n.b(n.a(x) + n.a(n.q)), q=nn.Parameter(_x(1, 5)), **_two()),
        (_x(4, 5),), {},
    ),
    "time first": (
        lambda: Made(lambda n, t: n.b(n.g(n.a(t))[0]), g=nn.GRU(6, 6), **_two()),
        (_x(7, 4, 5),), {},
    ),
    "state of one's own": (
        lambda: Made(_stepped, r=nn.Linear(6, 6), **_two()), (_x(4, 5),), {},
    ),
    "normalized along the batch": (
        lambda: Made(lambda n, x: n.b(F.normalize(n.a(x), dim=0)), **_two()), (_x(4, 5),), {},
    ),
    "products of rows": (
        lambda: Made(lambda n, x: n.a(x) @ n.a(x).T, **_two()), (_x(4, 5),), {},
    ),
    "sums along the batch": (
        lambda: Made(lambda n, x: n.b(n.a(x).cumsum(0)).flip(0), **_two()), (_x(4, 5),), {},
    ),
    "sorted along the batch": (lambda: Made(_gathered, **_two()), (_x(4, 5),), {}),
    "in place": (lambda: Made(_in_place, **_two()), (_x(4, 5),), {}),
    "einsum": (
        lambda: Made(lambda n, x: torch.einsum("bi,bj->ij", n.a(x), n.a(x)), **_two()),
        (_x(4, 5),), {},
    ),
    "images": (
        lambda: Made(lambda n, x: n.f(F.relu(n.n(n.c(x))).mean((2, 3))), **_images()),
        (_x(3, 2, 6, 6),), {},
    ),
    "images, reshaped by hand": (
        lambda: Made(
            lambda n, x: n.f(n.n(n.c(x)).permute(0, 2, 3, 1).reshape(-1, 4)).view(len(x), -1),
            **_images(),
        ),
        (_x(3, 2, 6, 6),), {},
    ),
    "an image, no batch": (
        lambda: Made(lambda n, x: n.f(n.c(x).mean((1, 2))), **_images()), (_x(2, 6, 6),), {},
    ),
}  # fmt: skip
"""What torch can run on all chips at once."""

ALONE: dict[str, tuple[Callable[[], nn.Module], tuple[Any, ...], dict[str, Any]]] = {
    "a branch": (lambda: Made(_branch, **_two()), (_x(4, 5),), {}),
    "a number out": (
        lambda: Made(lambda n, x: {"y": n.b(n.a(x)), "s": float(n.a(x).detach().norm())}, **_two()),
        (_x(4, 5),), {},
    ),
    "by NumPy": (
        lambda: Made(
            lambda n, x: n.b(torch.from_numpy(n.a(x).detach().numpy()).square()), **_two()
        ),
        (_x(4, 5),), {},
    ),
    "a running mean": (
        lambda: Made(_averaged, **_two()), (_x(4, 5),), {},
    ),
    "what only Python knows": (
        lambda: Made(lambda n, x: {"y": n.b(n.a(x)), "set": {1, 2}}, **_two()), (_x(4, 5),), {},
    ),
}  # fmt: skip
"""What is no function of tensors to it."""


def any_network(name: str) -> tuple[nn.Module, tuple[Any, ...], dict[str, Any]]:
    """A network, positional and keyword arguments."""
    make, args, kwargs = (TOGETHER | ALONE)[name]
    torch.manual_seed(1)
    net = make()
    if name == "a running mean":
        net.register_buffer("mean", torch.zeros(6))
    return net, args, kwargs
