"""Trainings of a small network that are compiled or not: `python -m builders.compiled PART`.

The compiler cannot see through the checks of shapes that tests put around functions; so what is
compiled runs in a process without them.
"""

import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

import mho
from builders.cells import FIVE_LEVELS
from builders.networks import mapped, small_model
from builders.rule_catalogue import RULES
from mho import WriteStep
from mho.learning.layers.quantizer import StochasticSign, quantize
from mho.learning.layers.variation import Variation

QUIET = FIVE_LEVELS.replace(sigma=(2e-6,))
NOISY = QUIET.replace(read_noise=0.02)
CONVERTERS: dict[str, Any] = {"dac_bits": 6, "adc_bits": 6}
HARDWARE: dict[str, dict[str, Any]] = {
    "quiet": {"device": QUIET},
    "noisy": {"device": NOISY},
    "converters": {"device": NOISY, **CONVERTERS},
    "following": {"device": QUIET, **CONVERTERS},
    "per tile": {"device": QUIET, **CONVERTERS, "adc_per_tile": True, "range_growth": 1.0},
    "serial": {"device": QUIET, **CONVERTERS, "serial_inputs": True, "range_growth": 1.0},
}
Forward = Callable[[Tensor], Tensor]


def network(kind: str = "noisy", chips: int | None = None) -> nn.Module:
    net = mapped(chips, tile=(9, 12), **HARDWARE[kind])
    mho.calibrate(net, torch.ones(2, 2, 6, 6))
    return net


def inputs(seed: int) -> Tensor:
    return torch.randn(8, 2, 6, 6, generator=torch.Generator().manual_seed(seed))


def everything(net: nn.Module, step: WriteStep) -> dict[str, Tensor]:
    """State, counts, gradients and rules."""
    state = {name: value.clone() for name, value in net.state_dict().items()}
    for name, p in net.named_parameters():
        if p.grad is not None:
            state[f"gradient {name}"] = p.grad.clone()
    for name, states in step.state_dict()["rules"].items():
        for k, entries in enumerate(states):
            state |= {f"{name} {k} {entry}": t.clone() for entry, t in entries.items()}
    return state


def trained(net: nn.Module, run: Callable[[nn.Module], Forward]) -> dict[str, Tensor]:
    """Three steps of training through what `run` makes of a network."""
    step = WriteStep(net, rules=[mho.rules.PathImportance(1.0, 0.01)])
    optimizer = torch.optim.SGD(net.parameters(), 0.3)
    forward = run(net)
    for seed in range(3):
        optimizer.zero_grad()
        (forward(inputs(seed)) - 1).square().mean().backward()
        optimizer.step()
        step()
    return everything(net, step)


def assert_same(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        torch.testing.assert_close(other[name], value, rtol=0, atol=0, equal_nan=True, msg=name)


def plain(net: nn.Module) -> Forward:
    return net


def compiled(net: Any, **options: Any) -> Any:
    torch._dynamo.reset()
    return torch.compile(net, backend="aot_eager", **options)


def training() -> None:
    for kind in HARDWARE:
        for chips in (None, 2):
            assert_same(
                trained(network(kind, chips), plain), trained(network(kind, chips), compiled)
            )


def whole_steps() -> None:
    """A training step, its optimizer and write step included, compiled as one function."""
    for make in RULES.values():
        ends = []
        for compiles in (False, True):
            net = network()
            step = WriteStep(net, rules=[make()])
            optimizer = torch.optim.SGD(net.parameters(), 0.3)
            step.attach(optimizer)

            def train(
                x: Tensor,
                net: nn.Module = net,
                step: WriteStep = step,
                optimizer: torch.optim.Optimizer = optimizer,
            ) -> None:
                optimizer.zero_grad()
                (net(x) - 1).square().mean().backward()
                optimizer.step()
                step()

            run = compiled(train) if compiles else train
            for seed in range(3):
                run(inputs(seed))
            ends.append(everything(net, step))
        assert_same(*ends)


def forgotten() -> None:
    """A write step that is left out is seen, whenever that is."""
    net = network()
    fast, step = compiled(net), WriteStep(net)
    optimizer = torch.optim.SGD(net.parameters(), 0.3)
    for _ in range(2):
        fast(inputs(1)).square().mean().backward()
        optimizer.step()
        try:
            fast(inputs(1))
        except RuntimeError as error:
            assert "arrays were not written" in str(error)  # noqa: PT017
        else:
            raise AssertionError("nothing was said")
        step()


def evaluation() -> None:
    one, other = network("converters").eval(), network("converters").eval()
    fast = compiled(other)
    with torch.no_grad():
        for seed in range(4):
            assert torch.equal(fast(inputs(seed)), one(inputs(seed)))
    assert mho.ledger(one).totals() == mho.ledger(other).totals()


class Sequences(nn.Module):
    """Recurrent layers, and a cell that is stepped, between linear ones; of one image a sequence
    of its rows."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        layer, cell = {"lstm": (nn.LSTM, nn.LSTMCell), "gru": (nn.GRU, nn.GRUCell)}[kind]
        self.first, self.layer = nn.Linear(6, 5), layer(5, 4, 2, bidirectional=True)
        self.cell, self.last = cell(8, 3), nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        # (n, channels, h, w) -> (h, n * channels, w)
        y, _ = self.layer(self.first(x.flatten(0, 1).transpose(0, 1)).tanh())
        state = None
        for step in y:
            state = self.cell(step, state)
        return self.last(state[0] if isinstance(state, tuple) else state)


def recurrent() -> None:
    for kind in ("lstm", "gru"):
        for chips in (None, 2):
            ends = []
            for run in (plain, compiled):
                torch.manual_seed(1)
                net = mapped(chips, model=Sequences(kind), tile=(9, 12), **HARDWARE["following"])
                ends.append(trained(net, run))
                with torch.no_grad():
                    ends[-1]["answer"] = run(net.eval())(inputs(7))
            assert_same(*ends)


def refused() -> None:
    """One graph of all, and what records operations."""
    for said, do in (
        ("part of a compiled graph", lambda net: compiled(net, fullgraph=True)(inputs(1))),
        ("part of a compiled", lambda net: torch.export.export(net, (inputs(1),), strict=True)),
        ("recorded by torch.fx", lambda net: torch.fx.symbolic_trace(net[2])),
    ):
        try:
            do(network())
        except Exception as error:
            assert said in str(error), error  # noqa: PT017
        else:
            raise AssertionError("nothing was said")


def drawn() -> None:
    """Weights that are drawn anew at each pass of a training."""
    binary = mho.Hardware(device=QUIET.replace(levels=2), mapping="single")
    for make in (lambda: StochasticSign(seed=1), lambda: Variation(binary, seed=1)):
        ends = []
        for run in (plain, compiled):
            torch.manual_seed(0)
            layer = run(quantize(nn.Linear(12, 4), make()))
            ends.append([layer(torch.ones(3, 12)).detach() for _ in range(3)])
            assert not torch.equal(ends[-1][0], ends[-1][1])
        for one, other in zip(*ends, strict=True):
            assert torch.equal(one, other)


def noise_aware() -> None:
    """A few steps of a network whose weights, reads and ranges change with each."""
    hardware = mho.Hardware(device=NOISY, **CONVERTERS)
    for model in (small_model(), nn.Sequential(nn.LSTM(5, 4), _First(), nn.Linear(4, 2))):
        x = (
            inputs(1)
            if isinstance(model[0], nn.Conv2d)
            else torch.linspace(-1, 1, 30).view(3, 2, 5)
        )
        ends = []
        for run in (plain, compiled):
            net = mho.noise_aware(model, hardware, generator=torch.Generator().manual_seed(1))
            optimizer, forward = torch.optim.SGD(net.parameters(), 0.3), run(net)
            for _ in range(3):
                optimizer.zero_grad()
                (forward(x) - 1).square().mean().backward()
                optimizer.step()
            net.eval()
            ends.append({name: t.clone() for name, t in net.state_dict().items()})
            ends[-1]["output"] = forward(x).detach()
        assert_same(*ends)


class _First(nn.Module):
    def forward(self, outputs: tuple[Tensor, ...]) -> Tensor:
        return outputs[0]


PARTS: dict[str, Callable[[], None]] = {
    part.__name__: part
    for part in (
        training,
        whole_steps,
        forgotten,
        evaluation,
        refused,
        drawn,
        noise_aware,
        recurrent,
    )
}

if __name__ == "__main__":
    PARTS[sys.argv[1]]()
