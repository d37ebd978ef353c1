"""Compiled, recorded and recomputed passes: as plain ones to the bit, or refused."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint, checkpoint_sequential

import mho
from builders.compiled import PARTS, QUIET, assert_same, inputs, network, trained
from mho.learning.layers.layer import memristive_layers
from mho.learning.layers.quantizer import StochasticSign, quantize
from mho.learning.layers.variation import Variation

# ------------------------------------------------------------------ torch.compile


@pytest.mark.parametrize("part", PARTS)
def test_compiled_passes_are_as_plain_ones(part: str) -> None:
    """In a process of its own: the compiler cannot see through the checks of shapes in tests."""
    folders = os.pathsep.join([str(Path(mho.__file__).parents[1]), str(Path(__file__).parents[2])])
    command = [sys.executable, "-W", "ignore", "-m", "builders.compiled", part]
    environment = os.environ | {"PYTHONPATH": folders, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]


# ------------------------------------------------------------------ recorded and transformed


def functional(net: nn.Module, x: Tensor) -> object:
    weights = {name: 2 * p for name, p in net.named_parameters()}
    return torch.func.functional_call(net, weights, (x,))


WAYS: dict[str, tuple[str, Callable[[nn.Module, Tensor], object]]] = {
    "trace": ("torch.jit.trace", torch.jit.trace),
    "script": ("torch.jit.script", lambda net, _: torch.jit.script(net)),
    "export": ("torch.export", lambda net, x: torch.export.export(net, (x,))),
    "export, not strict": (
        "torch.export", lambda net, x: torch.export.export(net, (x,), strict=False),
    ),
    "functional": ("functional_call", functional),
    "vmap": ("torch.func", lambda net, x: torch.func.vmap(lambda y: net(y[None]))(x)),
    "jacobian": ("torch.func", lambda net, x: torch.func.jacrev(lambda y: net(y).sum())(x)),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("trains", [False, True])
def test_what_is_recorded_or_transformed_is_refused_for_what_it_is(way: str, trains: bool) -> None:
    net = network().train(trains).requires_grad_(trains)
    mho.write(net)
    named, do = WAYS[way]
    before = mho.ledger(net).totals()
    with pytest.raises(ValueError, match=f"forward pass = .*{named}.*: expected a plain one"):
        do(net, inputs(1))
    assert mho.ledger(net).totals() == before
    assert net(inputs(1)).isfinite().all()


def test_what_stays_digital_is_recorded() -> None:
    net = network("quiet").eval()
    digital = mho.to_digital(net, chip=0).eval()
    exported = torch.export.export(digital, (inputs(1),)).module()
    torch.testing.assert_close(exported(inputs(2)), net(inputs(2)))


# ------------------------------------------------------------------ activation checkpointing


class Parts(nn.Module):
    """A network cut in two, of which some parts are recomputed."""

    def __init__(self, net: nn.Module, which: str, reentrant: bool) -> None:
        super().__init__()
        self.parts = nn.ModuleList([net[:2], net[2:]])  # type: ignore[index]
        self.which, self.reentrant = which, reentrant

    def forward(self, x: Tensor) -> Tensor:
        if self.which == "sequential":
            both = nn.Sequential(*self.parts)
            return checkpoint_sequential(both, 2, x, use_reentrant=self.reentrant)
        for k, part in enumerate(self.parts):
            if str(k) in self.which:
                x = checkpoint(part, x, use_reentrant=self.reentrant)  # type: ignore[assignment]
            else:
                x = part(x)
        return x


@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.parametrize("which", ["0", "1", "01", "sequential"])
@pytest.mark.parametrize("kind", ["quiet", "per tile", "serial"])
def test_what_is_recomputed_is_the_same_and_is_not_counted(
    kind: str, which: str, reentrant: bool
) -> None:
    def in_parts(net: nn.Module) -> Callable[[Tensor], Tensor]:
        parts = Parts(net, which, reentrant)
        return lambda x: parts(x.requires_grad_())

    def whole(net: nn.Module) -> Callable[[Tensor], Tensor]:
        return lambda x: net(x.requires_grad_())

    assert_same(trained(network(kind), whole), trained(network(kind), in_parts))


@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.parametrize("which", ["1", "01", "sequential"])
@pytest.mark.parametrize("kind", ["noisy", "following"])
def test_what_would_differ_when_recomputed_is_refused(
    kind: str, which: str, reentrant: bool
) -> None:
    net = network(kind)
    y = Parts(net, which, reentrant)(inputs(1).requires_grad_())

    def forward_passes() -> list[tuple[int, int]]:
        counts = (layer.crossbar.counts for layer in memristive_layers(net).values())
        return [(each.inputs, each.vectors) for each in counts]

    before = forward_passes()
    said = ".* forward pass = 'inside of a backward pass .*leave it out of che"
    with pytest.raises(ValueError, match=said):
        y.sum().backward()
    assert forward_passes() == before
    first = next(iter(memristive_layers(net).values()))
    assert first.weight.grad is None


@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.parametrize("make", [lambda: StochasticSign(seed=1), lambda: Variation(mho.Hardware(
    device=QUIET.replace(levels=2), mapping="single"), seed=1)])  # fmt: skip
def test_weights_that_would_be_drawn_anew_are_refused(
    make: Callable[[], Any], reentrant: bool
) -> None:
    layer = quantize(nn.Linear(12, 4), make())
    x = torch.ones(3, 12).requires_grad_()
    y = checkpoint(layer, x, use_reentrant=reentrant)
    with pytest.raises(ValueError, match=r"what it draws would not be the same; leave"):
        y.sum().backward()  # type: ignore[union-attr]


def test_a_read_that_a_backward_pass_makes_of_its_own_is_counted() -> None:
    """As adjoint methods do."""
    net = network("quiet")

    class Again(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: Any, *grads: Tensor) -> Tensor:
            with torch.no_grad():
                net(inputs(2))
            return grads[0]

    Again.apply(torch.ones(2, requires_grad=True)).sum().backward()  # type: ignore[union-attr]
    assert next(iter(memristive_layers(net).values())).crossbar.counts.inputs >= 8
    with contextlib.suppress(ValueError):
        net(inputs(1))
