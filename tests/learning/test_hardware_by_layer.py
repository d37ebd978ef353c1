"""Hardware by names, patterns and functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import mho
from mho.nn import memristive_layers

ONE = mho.Hardware(device=mho.devices.get("hfo2-1t1r"))
TWO = ONE.replace(mapping="offset")


class Net(nn.Module):
    """Nested names, a layer under two names, a parameter of its own, and a digital layer."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4))
        self.head = nn.Linear(4, 3)
        self.again = self.features[0]
        self.mix = nn.Parameter(torch.eye(4))
        self.gru = nn.PReLU(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.again(self.features(x)) @ self.mix)


def kinds(hardware: Any, **options: Any) -> dict[str, str]:
    """Mapping of each layer on arrays."""
    net = mho.convert(Net(), hardware, **options)
    return {name: layer.hardware.mapping for name, layer in memristive_layers(net).items()}


MIX = {"mix": None}

RIGHT: dict[str, tuple[Any, dict[str, str]]] = {
    "names": (
        {"features.0": TWO, "features.2": ONE, "head": TWO, **MIX},
        {"features.0": "offset", "features.2": "differential", "head": "offset"},
    ),
    "patterns": (
        {"features.*": TWO, "*": ONE, **MIX, "m?x": None},
        {"features.0": "offset", "features.2": "offset", "head": "differential"},
    ),
    "the first that matches": (
        {**MIX, "features.0": ONE, "features.*": TWO, "*": None},
        {"features.0": "differential", "features.2": "offset"},
    ),
    "another name of a layer": (
        {"again": TWO, "*": None}, {"features.0": "offset"},
    ),
    "a function": (
        lambda name, layer: {"head": TWO}.get(name, ONE) if isinstance(layer, nn.Linear) else None,
        {"features.0": "differential", "features.2": "differential", "head": "offset"},
    ),
    "a table of hardware": (
        {"head": {"device": "hfo2-1t1r", "mapping": "offset"}, "*": None}, {"head": "offset"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", [name for name in RIGHT if name != "patterns"])
def test_each_layer_is_on_what_was_said(case: str) -> None:
    hardware, expected = RIGHT[case]
    assert kinds(hardware, strict=True) == expected


def test_patterns_stand_for_many_names() -> None:
    hardware, expected = RIGHT["patterns"]
    with pytest.warns(UserWarning, match=r"mix \(Net: a parameter"):  # "*" says hardware of it
        assert kinds(hardware) == expected


WRONG: dict[str, tuple[Any, str]] = {
    "a name that is not there": (
        {"haed": ONE, "*": ONE}, "key = 'haed': allowed is names of its layers, such as 'head'",
    ),
    "a pattern of nothing": ({"classifier.*": ONE, "*": None}, "key = 'classifier.*'"),
    "a layer without a key": ({"head": ONE}, "no key matches layer 'features.0'.*'\\*'"),
    "a parameter on arrays": ({"mix": ONE, "*": ONE}, "hardware\\['mix'\\].*cannot be on arrays"),
    "an activation": ({"features.1": None, "*": ONE}, "key = 'features.1'"),
    "nothing on arrays": ({"*": None}, "at least one layer on arrays, such as 'features.0'"),
    "nothing": ({}, "no key matches layer 'features.0'"),
    "something else": ({"head": 3, "*": ONE}, "hardware\\['head'\\] = 3: allowed is"),
    "a key that is no text": ({3: ONE}, "key of hardware = 3: allowed is a text"),
    "a function of something else": (lambda name, layer: "x", "hardware\\('mix', layer"),
    "a function that puts nothing on arrays": (lambda name, layer: None, "at least one layer"),
    "a text": ("hfo2-1t1r", "hardware = 'hfo2-1t1r'"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_fits_no_layer_is_refused(case: str) -> None:
    hardware, message = WRONG[case]
    model, state = Net(), torch.get_rng_state()
    with pytest.raises(ValueError, match=message):
        mho.convert(model, hardware)
    assert torch.equal(state, torch.get_rng_state())


def test_a_layer_is_the_same_chip_whatever_the_others_are_on() -> None:
    """Seeds are made of names."""
    model = Net()

    def converted(hardware: Any) -> dict[str, torch.Tensor]:
        generator = torch.Generator().manual_seed(1)
        net = mho.convert(model, hardware, 2, generator=generator)
        return {n: layer.effective for n, layer in memristive_layers(net).items()}

    mixed = converted({"head": TWO, **MIX, "*": ONE})
    one, two = (converted(lambda _n, m, h=h: h if isinstance(m, nn.Linear) else None)
                for h in (ONE, TWO))  # fmt: skip
    for name, effective in mixed.items():
        assert torch.equal(effective, (two if name.endswith("head") else one)[name])


@pytest.mark.parametrize("verb", ["tune", "correct"])
def test_spread_of_training_is_said_by_layer_too(verb: str) -> None:
    model, x = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)), torch.rand(20, 4)
    cell = mho.cells.MultiLevel(g_min=1e-6, g_max=1e-4, levels=5, sigma=(3e-6,))
    first, last = ONE, mho.Hardware(device=cell)
    net = mho.convert(model, {"0": first, "*": last}, 3, generator=torch.Generator())
    repair: Callable[..., nn.Module] = getattr(mho, verb)
    inputs = {"inputs": x} if verb == "tune" else {}
    with pytest.raises(ValueError, match=f"{verb}.trained_on, levels = .*layer '0'"):
        repair(net, trained_on=last, **inputs)
    assert not any(layer.tuned for layer in memristive_layers(net).values())
    repair(net, trained_on={"2": last, "*": None}, **inputs)
    assert all(layer.tuned for layer in memristive_layers(net).values())
