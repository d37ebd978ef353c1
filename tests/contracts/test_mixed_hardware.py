"""A network whose layers are on different kinds of chip, through everything that takes a network.

Layers draw by seeds of their own names, so each layer of it must be, and become, what it is in a
network that is on its kind of chip as a whole.
"""

from __future__ import annotations

import copy
import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import mho
from builders.public_calls import CALLS, normed
from builders.wrong_values import X, Y
from mho.nn import ArrayLayer, memristive_layers

FIRST = mho.Hardware(
    device=mho.cells.MultiLevel(g_min=1e-5, g_max=9e-5, levels=5, sigma=(3e-6,), endurance=1e4),
    mapping="offset", tile=(8, 8), dac_bits=6, adc_bits=5, adc_range="column",
    retention=mho.cells.PowerLaw(nu=0.05),
)  # fmt: skip
LAST = mho.Hardware(
    device=mho.cells.PulseResponse(g_min=1e-6, g_max=5e-5, levels=9, pulses=40),
    programming=mho.cells.Verify(), tile=(16, 4), slices=2, wire_resistance=1.0,
)  # fmt: skip
KINDS: dict[str, mho.Hardware] = {"0": FIRST, "4": LAST}


def on_chips(hardware: Any, chips: int | None = 2) -> nn.Module:
    generator = torch.Generator().manual_seed(6)
    net = mho.convert(normed(), hardware, chips, generator=generator).eval()
    return mho.calibrate(net, X)


def mixed(chips: int | None = 2) -> nn.Module:
    return on_chips(KINDS, chips)


TAKE_A_NETWORK = [
    name
    for name, call in CALLS.items()
    if isinstance(net := call()[1].get("net"), nn.Module)
    and any(isinstance(module, ArrayLayer) for module in net.modules())
]


ONE_CHIP = {"WriteStep", "measure_fisher", "attach"}
"""What takes networks of one chip, in the calls of the catalogue at least."""

REFUSED = {
    "attach": "layer '0', Hardware.*on an instrument",
    "correct": "correct.trained_on, mapping = 'differential': expected 'offset', .*layer '",
}
"""What cannot be right with these layers, and what is said."""


def _saved(net: nn.Module) -> Path:
    """The network in a file."""
    path = Path(tempfile.mkdtemp()) / "net.safetensors"
    mho.interchange.save_network(net, path)
    return path


_SPECIAL: dict[str, Callable[[nn.Module], dict[str, Any]]] = {
    "measure_fisher": lambda net: {
        "write": mho.WriteStep(net, rules=[mho.rules.ElasticWeights(1.0)])
    },
    "tune": lambda net: {"reference": copy.deepcopy(net)},
    "load_state": lambda net: {"path": _saved(net)},
    "load_conductances": lambda net: {"source": mho.conductances(net)},
}


@pytest.mark.filterwarnings("ignore:layer '.*saturate")
@pytest.mark.parametrize("name", TAKE_A_NETWORK)
def test_every_public_function_takes_it_or_says_why_not(name: str) -> None:
    function, arguments = CALLS[name]()
    net = mixed(None if name in ONE_CHIP else 2)
    if name == "refit":  # ends in a digital layer
        net = on_chips({"0": FIRST, "*": None})
    arguments |= {"net": net, **_SPECIAL.get(name, lambda _: {})(net)}
    before = copy.deepcopy(net.state_dict())
    if name not in REFUSED:
        function(**arguments)
        return
    with pytest.raises(ValueError, match=REFUSED[name]):
        function(**arguments)
    for entry, value in net.state_dict().items():
        torch.testing.assert_close(value, before[entry], rtol=0, atol=0, equal_nan=True)


def _moved(net: nn.Module) -> None:
    """Weights as an optimizer would leave them."""
    with torch.no_grad():
        for layer in memristive_layers(net).values():
            generator = torch.Generator().manual_seed(layer.weight.numel())
            layer.weight += 0.1 * torch.randn(layer.weight.shape, generator=generator)


def _write(net: nn.Module) -> None:
    _moved(net)
    mho.write(net)


def _threshold(net: nn.Module) -> None:
    """Rules and a policy that say of each layer what they would say of it alone."""
    step = mho.WriteStep(
        net, rules=[mho.rules.IntervalRule(3.0)], threshold=0.7, policies=[mho.rules.Every(1)]
    )
    _moved(net)
    step()


DEEDS: dict[str, Callable[[nn.Module], Any]] = {
    "nothing": lambda net: None,
    "write": _write,
    "WriteStep": _threshold,
    "age": lambda net: mho.age(net, "1 day"),
    "rewire": lambda net: mho.rewire(net, 2.0),
    "rescale": lambda net: mho.rescale(net, 2.0),
    "restart": mho.restart,
    "correct": mho.correct,
    "load": lambda net: net.load_state_dict(copy.deepcopy(net.state_dict())),
}


@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize("chips", [None, 2])
def test_each_layer_does_what_it_does_among_its_like(deed: str, chips: int | None) -> None:
    net = mixed(chips)
    DEEDS[deed](net)
    layers = memristive_layers(net)
    counts = {layer.name: layer for layer in mho.ledger(net).layers}
    for key, hardware in KINDS.items():
        alike = on_chips({key: hardware, "*": None}, chips)
        if deed == "age" and not hardware.ages:
            continue
        DEEDS[deed](alike)
        (name, other), *_ = memristive_layers(alike).items()
        for entry, value in other.state_dict().items():
            mine = layers[name].state_dict()[entry]
            if entry != "_extra_state":  # ranges: layers before it give it other inputs
                assert torch.equal(torch.as_tensor(mine), torch.as_tensor(value)), (name, entry)
        assert torch.equal(layers[name].effective, other.effective)
        (theirs,) = mho.ledger(alike).layers
        assert counts[name].totals() == theirs.totals()


def test_costs_are_those_of_its_layers() -> None:
    net = mixed()
    net(X)
    cost = mho.price(mho.ledger(net), "hfo2-130nm")
    parts = []
    for key, hardware in KINDS.items():
        alike = on_chips({key: hardware, "*": None})
        alike(X)
        parts.append(mho.price(mho.ledger(alike), "hfo2-130nm"))
    for field in (
        *("programming_energy", "read_energy", "read_time", "array_bytes", "hidden_bytes"),
        *("programming_time_serial", "programming_time_rows", "energy_per_input"),
    ):
        assert getattr(cost, field) == pytest.approx(sum(getattr(p, field) for p in parts)), field
    assert cost.lifetime_repeats == min(p.lifetime_repeats for p in parts)


def test_a_network_is_saved_and_loaded() -> None:
    net, other = mixed(), on_chips(KINDS)
    _write(net)
    file = io.BytesIO()
    torch.save(net.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file))
    counts = [memristive_layers(each) for each in (net, other)]
    for one, two in zip(*(each.values() for each in counts), strict=True):
        assert torch.equal(one.effective, two.effective)
    swapped = on_chips({"0": LAST, "4": FIRST})
    with pytest.raises(ValueError, match=r"0\.crossbar"):
        swapped.load_state_dict(net.state_dict())


def test_training_moves_layers_of_all_kinds() -> None:
    net = mixed(None).train()
    step = mho.WriteStep(net, rules=[mho.rules.StochasticRounding(seed=1)])
    optimizer = torch.optim.SGD(net.parameters(), lr=1.0)
    nn.functional.cross_entropy(net(X), Y).backward()
    optimizer.step()
    written = step()
    assert written.weights > 0

    def held(layer: ArrayLayer) -> Tensor:
        return layer.weight.unique()

    for layer in memristive_layers(net).values():
        assert len(held(layer)) <= layer.hardware.levels
