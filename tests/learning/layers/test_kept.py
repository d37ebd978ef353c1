"""What each chip keeps from pass to pass."""

import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import mho
from mho.learning.layers.replace import copied

NOISY = mho.Hardware(
    device=mho.cells.MultiLevel(
        g_min=1e-6, g_max=1e-4, levels=17, device_spread=0.05, read_noise=2e-7
    )
)
X = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))
ZEROS = torch.zeros(4, 6)


class Stepped(nn.Module):
    """A recurrent network that keeps its state, in one way of several; `apart`: torch cannot run it
    on all chips at once."""

    h: Any

    def __init__(self, way: str, apart: bool) -> None:
        super().__init__()
        self.way, self.apart, self.steps = way, apart, 0
        self.cell, self.head = nn.LSTMCell(5, 6), nn.Linear(6, 3)
        if way == "buffer":
            self.register_buffer("h", ZEROS.clone())
            self.register_buffer("c", ZEROS.clone())
        elif way == "in place":
            self.register_buffer("h", ZEROS.clone())
            self.c = ZEROS.clone()
        else:
            self.reset()

    def reset(self) -> None:
        self.h = {"tuple": (), "list": [], "dictionary": {}}.get(self.way)

    def forward(self, x: Tensor) -> Tensor:
        self.steps += 1
        none = (ZEROS.to(x), ZEROS.to(x))
        if self.way in ("buffer", "in place"):
            h, c = self.h, self.c
        elif self.way == "dictionary":
            h, c = self.h.get("h", none[0]), self.h.get("c", none[1])
        elif self.way == "list":
            h, c = self.h[-1] if self.h else none
        else:
            h, c = self.h or none
        h, c = self.cell(x, (h, c))
        if self.apart:
            float(h.detach().sum())
        if self.way == "buffer":
            self.h, self.c = h, c
        elif self.way == "in place":
            self.h.copy_(h)
            self.c = c
        elif self.way == "list":
            self.h.append((h, c))
        elif self.way == "dictionary":
            self.h["h"], self.h["c"] = h, c
        else:
            self.h = (h, c)
        return self.head(h)


WAYS = ["buffer", "in place", "tuple", "none at first", "list", "dictionary"]
each_way = pytest.mark.parametrize("way", WAYS)
either = [
    pytest.mark.parametrize("apart", [False, True]),
    pytest.mark.filterwarnings("ignore:the network runs chip by chip"),
]


def on_chips(model: nn.Module) -> tuple[Any, list[Any]]:
    """A network on three chips, and on each of them alone."""
    seed = lambda: torch.Generator().manual_seed(3)  # noqa: E731
    ones = [mho.convert(model, NOISY, generator=seed(), first_chip=chip) for chip in range(3)]
    return mho.convert(model, NOISY, 3, generator=seed()), ones


def check_same(chips: Any, ones: list[Any], do: Callable[[Any], Any] = lambda net: net(X)) -> None:
    """All chips give what each of them gives alone."""
    y = do(chips)
    for chip, one in enumerate(ones):
        torch.testing.assert_close(y[chip], do(one), rtol=1e-5, atol=1e-6)


def both(apart: Any) -> Any:
    for mark in either:
        apart = mark(apart)
    return apart


@both
@each_way
def test_each_chip_goes_on_from_what_it_kept(way: str, apart: bool) -> None:
    torch.manual_seed(0)
    chips, ones = on_chips(Stepped(way, apart))
    for _ in range(3):
        check_same(chips, ones)
    with torch.no_grad():
        check_same(chips, ones)
    with torch.inference_mode():
        check_same(chips, ones)
        check_same(chips, ones)
    assert chips.steps == ones[0].steps == 6
    others = copied(chips), [copied(one) for one in ones]
    with torch.no_grad():
        check_same(*others)
        check_same(chips, ones)


@both
@each_way
def test_a_state_that_is_set_back_is_that_of_all_chips(way: str, apart: bool) -> None:
    torch.manual_seed(0)
    chips, ones = on_chips(Stepped(way, apart))
    first = chips(X).detach()
    for net in (chips, *ones):
        net(X)
        if way in ("buffer", "in place"):
            inner = net.net if net is chips else net
            inner.load_state_dict({"h": ZEROS}, strict=False)
            inner.c = ZEROS.clone()
        else:
            net.reset()
    for one in ones:
        one(X)  # as many reads as of all chips
    assert (chips(X) - first).abs().max() < 1e-3


@both
@each_way
def test_gradients_reach_earlier_passes_of_each_chip(way: str, apart: bool) -> None:
    torch.manual_seed(0)
    if way == "in place":
        pytest.skip("copied into a buffer in place")
    chips, ones = on_chips(Stepped(way, apart).double())
    x = X.double()
    mine, theirs = [], []
    for net, found in ((chips, mine), *((one, theirs) for one in ones)):
        given = x.clone().requires_grad_()
        net(given)
        (net(x) * torch.linspace(-1, 1, 12).view(4, 3)).sum().backward()
        assert given.grad is not None
        found.append(given.grad)
    torch.testing.assert_close(mine[0], sum(theirs), rtol=1e-5, atol=1e-8)


@both
@each_way
def test_the_plain_network_of_a_chip_goes_on_as_the_chip(way: str, apart: bool) -> None:
    torch.manual_seed(0)
    quiet = mho.Hardware(device=NOISY.device.replace(read_noise=0.0))
    chips = mho.convert(Stepped(way, apart), quiet, 3)
    chips(X)
    plain = [mho.to_digital(chips, chip=chip) for chip in range(3)]
    assert mho.coverage(chips, X).share_of_multiplications == 1.0
    y = chips(X)
    for chip, net in enumerate(plain):
        torch.testing.assert_close(y[chip], net(X), rtol=1e-4, atol=1e-5)


def test_what_is_kept_is_seen_chips_first_and_saved() -> None:
    torch.manual_seed(0)
    chips, _ = on_chips(Stepped("tuple", apart=False))
    with torch.no_grad():
        chips(X)
    assert [state.shape for state in chips.h] == [(3, 4, 6)] * 2
    chips, _ = on_chips(Stepped("buffer", apart=False))
    with torch.no_grad():
        chips(X)
        assert chips.state_dict()["net.h"].shape == (4, 6)
        again = pickle.loads(pickle.dumps(chips))
        torch.testing.assert_close(again(X), chips(X))


def test_a_pass_that_fails_keeps_nothing() -> None:
    torch.manual_seed(0)

    class Failing(Stepped):
        def forward(self, x: Tensor) -> Tensor:
            y = super().forward(x)
            self.last, self.fails = y, True
            return y @ torch.ones(7)

    chips, _ = on_chips(Failing("list", apart=False))
    with pytest.raises(RuntimeError, match="size mismatch"):
        chips(X)
    assert chips.h == []
    assert chips.steps == 0
    assert "last" not in vars(chips.net)
