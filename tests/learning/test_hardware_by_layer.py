"""Hardware by names, patterns and functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest
import torch
from torch import nn

import mho
from builders.weighted_layers import LAYERS, first, made
from mho.hardware.ledger import LayerLedger
from mho.learning.twins import parts_of
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
        {"haed": ONE, "*": ONE}, "key = 'haed': expected names of its layers, such as 'head'",
    ),
    "a pattern of nothing": ({"classifier.*": ONE, "*": None}, "key = 'classifier.*'"),
    "a layer without a key": ({"head": ONE}, "no key matches layer 'features.0'.*'\\*'"),
    "a parameter on arrays": ({"mix": ONE, "*": ONE}, "hardware\\['mix'\\].*cannot be on arrays"),
    "an activation": ({"features.1": None, "*": ONE}, "key = 'features.1'"),
    "nothing on arrays": ({"*": None}, "at least one layer on arrays, such as 'features.0'"),
    "nothing": ({}, "no key matches layer 'features.0'"),
    "something else": ({"head": 3, "*": ONE}, "hardware\\['head'\\] = 3: expected"),
    "a key that is no text": ({3: ONE}, "key of hardware = 3: expected a text"),
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


# ---------------------------------------------------------------- layers of several matrices

OTHER = mho.Hardware(
    device=mho.cells.MultiLevel(g_min=1e-6, g_max=1e-4, levels=5, sigma=(3e-6,)),
    mapping="offset", tile=(4, 8),
)  # fmt: skip
SEVERAL = [which for which in LAYERS if parts_of(made(which)[0])]
each_of_several = pytest.mark.parametrize("which", SEVERAL)


def named(which: str) -> nn.Module:
    """A layer of several matrices, with a name, beside another one."""
    return nn.ModuleDict({"seq": made(which)[0], "head": nn.Linear(4, 3)})


def on(model: nn.Module, hardware: Any, chips: int | None = 2) -> nn.Module:
    return mho.convert(model, hardware, chips, generator=torch.Generator().manual_seed(1))


def said_in_four_ways(which: str) -> tuple[list[Any], set[str]]:
    """Hardware that puts every second matrix of `seq` on `OTHER`; and which these are."""
    parts = parts_of(made(which)[0])
    entries = list(dict.fromkeys(entry for _, entry in parts.values()))[-1::-2]
    chosen = [part for part, (_, entry) in parts.items() if entry in entries]

    def function(name: str, _layer: nn.Module) -> Any:
        return dict.fromkeys(entries, OTHER) | {"*": ONE} if name == "seq" else ONE

    return [
        {f"seq.{part}": OTHER for part in chosen} | {"*": ONE},
        {"seq": ONE, "head": ONE} | {f"seq.{entry}": OTHER for entry in entries},
        {"*": ONE} | {f"?eq.{entry[:-1]}*": OTHER for entry in entries},
        function,
    ], {f"seq.{part}" for part in chosen}


@each_of_several
def test_matrices_of_a_layer_are_on_what_was_said_of_each(which: str) -> None:
    """Part for part they are those of networks of one kind, as chips, in a pass, and in reports."""
    model, inputs = named(which), made(which)[1]
    ways, chosen = said_in_four_ways(which)
    one, two = (memristive_layers(on(model, kind)) for kind in (ONE, OTHER))
    for hardware in ways[1:] if len(chosen) > 4 else ways:
        net = on(model, hardware)
        assert {
            name.removeprefix("net.")
            for name, layer in memristive_layers(net).items()
            if layer.hardware == OTHER
        } == chosen
        for name, layer in memristive_layers(net).items():
            alike = (two if layer.hardware == OTHER else one)[name]
            assert torch.equal(layer.effective, alike.effective), name
            assert torch.equal(layer.crossbar.conductance, alike.crossbar.conductance), name
    # a pass: that of a layer of one kind, some of whose parts are taken from one of the other
    mine, theirs, other = (on(model, kind, None)["seq"] for kind in (ways[0], ONE, OTHER))
    for name in chosen:
        setattr(theirs, name.removeprefix("seq."), other.get_submodule(name[4:]))
    with torch.no_grad():
        assert torch.equal(first(mine(*inputs)), first(theirs(*inputs)))


@each_of_several
def test_reports_and_states_say_the_chips_of_each_matrix(which: str) -> None:
    model = made(which)[0]
    wrapped, (ways, chosen) = nn.ModuleDict({"seq": model}), said_in_four_ways(which)
    net = on(wrapped, {key: kind for key, kind in ways[0].items() if key != "head"})
    rows = {row.name: row for row in mho.coverage(net).rows}
    ledgers = [mho.ledger(each) for each in (net, on(wrapped, ONE), on(wrapped, OTHER))]
    mixed, *alone = ({layer.name: layer for layer in each.layers} for each in ledgers)
    for name, layer in memristive_layers(net).items():
        is_two = name.removeprefix("net.") in chosen
        hardware = rows[name.removeprefix("net.")].hardware
        assert hardware == layer.hardware == (OTHER if is_two else ONE)
        for field in fields(LayerLedger):  # of which prices are functions
            mine, theirs = (getattr(each[name], field.name) for each in (mixed, alone[is_two]))
            same = torch.equal(mine, theirs) if isinstance(mine, torch.Tensor) else mine == theirs
            assert same, field.name
    for kind in (ONE, OTHER):
        part = next(name for name in rows if (name in chosen) == (kind == ONE))
        with pytest.raises(ValueError, match=f"{part}.crossbar.hardware: "):
            on(wrapped, kind).load_state_dict(net.state_dict())
    again = on(wrapped, ways[0])
    again.load_state_dict(net.state_dict())


PARTS_WRONG: dict[str, tuple[Any, str]] = {
    "one matrix unsaid": ({"seq.ih_l0": ONE, "head": ONE}, "no key matches layer 'seq.hh_l0'"),
    "all matrices unsaid": ({"head": ONE}, "no key matches layer 'seq',"),
    "a spelling": ({"seq.weight_hh_10": ONE, "*": ONE}, "such as 'seq.weight_hh_l0'"),
    "a bias": ({"seq.bias_hh_l0": ONE, "*": ONE}, "key = 'seq.bias_hh_l0'"),
    "a digital bias": ({"seq.bias_hh_l0": None, "*": ONE}, "key = 'seq.bias_hh_l0'"),
    "the weight of a layer of one": ({"head.weight": None, "*": ONE}, "key = 'head.weight'"),
    "a function of a spelling": (
        lambda name, layer: {"weight_hh_10": OTHER, "*": ONE}, "seq.*'weight_hh_10'.*weight_hh_l0",
    ),
    "a function of something else": (lambda name, layer: {"*": 3}, "hardware.'seq', layer.*= 3"),
    "a mapping for a layer of one matrix": (
        lambda name, layer: {"weight": ONE} if name == "head" else ONE, "hardware.'head', layer",
    ),
}  # fmt: skip


@pytest.mark.parametrize("verb", [mho.convert, mho.noise_aware])
@pytest.mark.parametrize("case", PARTS_WRONG)
def test_what_fits_no_matrix_is_refused(case: str, verb: Callable[..., nn.Module]) -> None:
    hardware, message = PARTS_WRONG[case]
    model, state = named("GRU"), torch.get_rng_state()
    with pytest.raises(ValueError, match=message):
        verb(model, hardware)
    assert torch.equal(state, torch.get_rng_state())


def test_all_matrices_of_a_layer_may_stay_digital() -> None:
    net = on(named("LSTM"), {"seq.weight_*": None, "*": ONE})
    assert list(memristive_layers(net)) == ["net.head"]
    (row,) = (row for row in mho.coverage(net).rows if row.name == "seq")
    assert row.why == "excluded by hardware="


@each_of_several
@pytest.mark.parametrize("verb", ["tune", "correct"])
def test_what_was_said_to_convert_is_understood_after(which: str, verb: str) -> None:
    """`trained_on` takes the same mapping; of some matrices None may be said."""
    wrapped = nn.ModuleDict({"seq": made(which)[0]})
    ways, chosen = said_in_four_ways(which)
    ways[1].pop("head")
    for hardware in ways:
        net = on(wrapped, hardware)
        mho.correct(net, hardware)
    net = on(wrapped, ways[0])
    layers = memristive_layers(net)
    part = sorted(chosen)[0]
    mho.correct(net, {part: OTHER, "*": None})
    gains = {name: layer.gain.clone() for name, layer in layers.items()}
    mho.correct(net)
    wrong = next(name for name in layers if name.removeprefix("net.") not in chosen)
    assert torch.equal(gains[wrong], layers[wrong].gain)
    with pytest.raises(ValueError, match=f"trained_on, mapping = 'offset'.*layer '{wrong[4:]}'"):
        mho.correct(net, OTHER)
