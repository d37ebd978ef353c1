"""Cells of recurrent layers on arrays: one step as torch's, and networks that step themselves."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import mho
from builders.as_torch import NOISY, check_as_torch, check_chips, check_state, converted
from mho.nn import each_chip, memristive_layers

KINDS: dict[str, Callable[..., nn.RNNCellBase]] = {
    "rnn": nn.RNNCell, "lstm": nn.LSTMCell, "gru": nn.GRUCell,
}  # fmt: skip
CASES = [
    (kind, bias, given, batched)
    for kind, bias, given, batched in itertools.product(KINDS, *([True, False],) * 3)
]
every_case = pytest.mark.parametrize(("kind", "bias", "given", "batched"), CASES)
every_kind = pytest.mark.parametrize("kind", KINDS)
INPUTS, HIDDEN = 6, 7


def cell_of(kind: str, bias: bool) -> nn.RNNCellBase:
    torch.manual_seed(1)
    if kind == "rnn":
        return nn.RNNCell(INPUTS, HIDDEN, bias, "tanh" if bias else "relu")
    return KINDS[kind](INPUTS, HIDDEN, bias)


def arguments(kind: str, given: bool, batched: bool) -> list[Any]:
    torch.manual_seed(2)
    lead = (4,) if batched else ()
    x, h, c = (torch.randn(*lead, n, dtype=torch.float64) for n in (INPUTS, HIDDEN, HIDDEN))
    return [x, (h, c) if kind == "lstm" else h] if given else [x]


def single(args: list[Any]) -> list[Any]:
    return [
        tuple(x.float() for x in each) if type(each) is tuple else each.float() for each in args
    ]


@every_case
def test_a_step_is_torchs(kind: str, bias: bool, given: bool, batched: bool) -> None:
    net = check_as_torch(cell_of(kind, bias).double(), arguments(kind, given, batched))
    layers = memristive_layers(net)
    assert [*layers] == ["ih", "hh"]
    gates = {"rnn": 1, "lstm": 4, "gru": 3}[kind] * HIDDEN
    assert layers["ih"].effective[0].shape == (gates, INPUTS)
    assert layers["hh"].effective[0].shape == (gates, HIDDEN)
    # once with gradients, once without
    assert all(each.crossbar.counts.vectors == (8 if batched else 2) for each in layers.values())


@every_case
def test_many_chips_are_the_chips_one_by_one(
    kind: str, bias: bool, given: bool, batched: bool
) -> None:
    check_chips(cell_of(kind, bias), single(arguments(kind, given, batched)))


@every_kind
@pytest.mark.parametrize("bias", [True, False])
def test_states_of_the_torch_cell_go_in_and_come_back(kind: str, bias: bool) -> None:
    check_state(cell_of(kind, bias), cell_of(kind, bias))


class Loop(nn.Module):
    """Steps through time in a forward pass of its own, some of its output fed back."""

    def __init__(self, kind: str, share: float = 0.1) -> None:
        super().__init__()
        self.share = share
        self.cell, self.last = cell_of(kind, True), nn.Linear(HIDDEN, INPUTS)

    def forward(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        outputs = []
        for step in x:
            fed = step + self.share * outputs[-1] if outputs else step
            state = self.cell(fed, state)
            outputs.append(self.last(state[0] if isinstance(state, tuple) else state))
        return torch.stack(outputs), state


@every_kind
def test_networks_that_step_themselves_run_on_all_chips_at_once(kind: str) -> None:
    torch.manual_seed(4)
    check_chips(Loop(kind), [torch.randn(5, 4, INPUTS)])


@every_kind
def test_states_of_each_chip_go_back_in(kind: str) -> None:
    x = torch.randn(5, 4, INPUTS)
    device = mho.MultiLevel(g_min=1e-6, g_max=1e-4, levels=16, sigma=(2e-6,))
    net = converted(Loop(kind, share=0.0), NOISY.replace(device=device), 3)
    whole, _ = net(x)
    _, state = net(x[:2])
    assert all(s.shape == (3, 4, HIDDEN) for s in (state if kind == "lstm" else (state,)))
    rest, _ = net(x[2:], state=each_chip(state))
    torch.testing.assert_close(rest, whole[:, 2:])


@every_kind
def test_a_loop_learns_on_arrays_with_converters(kind: str) -> None:
    torch.manual_seed(4)
    device = mho.MultiLevel(g_min=1e-6, g_max=1e-4, levels=64, sigma=(1e-6,))
    net = converted(Loop(kind), mho.Hardware(device=device, dac_bits=8, adc_bits=8))
    x = torch.randn(4, 16, INPUTS)
    step, optimizer = mho.WriteStep(net), torch.optim.Adam(net.parameters(), 0.02)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = (net(x)[0][1:] - x[:-1]).square().mean()  # what came before
        loss.backward()
        optimizer.step()
        step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ([torch.ones(4, 5)], r"cell input, of shape = \(4, 5\): expected \(batch, 6\) or \(6,\)"),
        (
            [torch.ones(4, 6), torch.ones(3, 7)],
            r"cell h_0, of shape = \(3, 7\): expected \(4, 7\)",
        ),
        ([torch.ones(4, 6), (torch.ones(4, 7),) * 2], "cell: h_0"),
        ([[1.0] * 6], "cell input"),
        ([torch.ones(4, 6, dtype=torch.int64)], "cell input"),
        ([torch.ones(4, 6, dtype=torch.float64)], "float32"),
    ],
)
def test_what_a_cell_cannot_take_is_refused(args: list[Any], words: str) -> None:
    net = converted(nn.ModuleDict({"cell": nn.GRUCell(INPUTS, HIDDEN)}), chips=None)
    with pytest.raises(ValueError, match=words):
        net["cell"](*args)  # type: ignore[index]
    many = converted(nn.GRUCell(INPUTS, HIDDEN), chips=2)
    with pytest.raises(ValueError, match=words.replace("cell", "MemristiveGRUCell", 1)):
        many(*args)
    assert all(layer.crossbar.counts.vectors == 0 for layer in memristive_layers(many).values())
