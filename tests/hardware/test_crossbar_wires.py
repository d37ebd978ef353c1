"""Wires in a network: folded once per programming, refreshed as it is written, allowed for."""

import copy

import pytest
import torch
from torch import nn

import mho
from builders.wired_network import CELL, exact, first, hardware, mapped, move, off
from mho.learning.layers.layer import memristive_layers


@pytest.mark.parametrize("mapping", ["differential", "offset", "single"])
@pytest.mark.parametrize("chips", [None, 3])
def test_the_effective_weight_is_that_of_cells_and_wires(mapping: str, chips: int | None) -> None:
    net = mapped(hardware(mapping=mapping), chips)
    for layer in memristive_layers(net).values():
        assert off(layer) < 1e-5
        unwired = layer.crossbar.tiling.join(
            layer.crossbar.tiling.mapping.fold(
                layer.crossbar.conductance, layer.crossbar.tiling.cols, CELL.window
            )
        )
        assert (layer.effective - unwired * layer.scale).norm() > 0.01 * layer.effective.norm()


def test_arrays_without_wires_stay_as_they_were() -> None:
    net, same = (
        mapped(hardware(wire_resistance=0.0)),
        mapped(hardware(wire_resistance=mho.circuits.Wires())),
    )
    for a, b in zip(memristive_layers(net).values(), memristive_layers(same).values(), strict=True):
        assert torch.equal(a.effective, b.effective)
        assert {"seen", "unsolved"}.isdisjoint(a.state_dict())
        signed = a.crossbar.tiling.mapping.fold(
            a.crossbar.conductance, a.crossbar.tiling.cols, (0, 1)
        )
        assert torch.equal(a.effective, a.crossbar.tiling.join(signed) * a.scale)


def test_a_number_stands_for_all_segments() -> None:
    one = first(mapped(hardware(wire_resistance=2.0))).effective
    other = first(mapped(hardware(wire_resistance=mho.circuits.Wires(row=2.0, col=2.0)))).effective
    assert torch.equal(one, other)


def test_a_chip_is_the_same_among_others(monkeypatch: pytest.MonkeyPatch) -> None:
    many = first(mapped(hardware(), 3)).effective
    monkeypatch.setattr("mho.circuits.wiring.AT_ONCE", 1)
    assert torch.allclose(first(mapped(hardware(), 3)).effective, many, rtol=1e-5, atol=1e-8)
    one = first(mapped(hardware(), 1)).effective
    assert torch.allclose(one[0], many[0], rtol=1e-5, atol=1e-8)


def test_each_write_is_seen_through_the_wires() -> None:
    net = mapped(hardware(), 2)
    for seed in range(3):
        move(net, seed=seed)
        mho.write(net)
        for layer in memristive_layers(net).values():
            assert off(layer) < 1e-5


def test_only_arrays_that_were_written_are_solved(monkeypatch: pytest.MonkeyPatch) -> None:
    net = mapped(hardware())
    layer, solved = first(net), []
    seen = mho.circuits.Wires.seen
    monkeypatch.setattr(
        mho.circuits.Wires, "seen", lambda w, g: (solved.append(g.shape[1]), seen(w, g))[1]
    )
    with torch.no_grad():
        layer.weight[0, 0] *= -1
    mho.write(net)
    assert solved == [1]
    assert layer.crossbar.tiling.tiles == 6


def test_between_refreshes_a_written_cell_is_estimated() -> None:
    net = mapped(hardware(wire_refresh=3))
    layer = first(net)
    for step in range(3):
        stale = layer.effective.clone()
        move(net, 0.05, seed=step)
        mho.write(net)
        if step < 2:
            before = (stale - exact(layer)).norm() / exact(layer).norm()
            assert 1e-5 < off(layer) < 0.3 * before
    assert off(layer) < 1e-5
    assert 1e-4 < layer.crossbar.staleness < 0.3
    assert layer.crossbar.counts.unsettled == 0


def test_evaluation_solves_what_is_pending() -> None:
    net = mapped(hardware(wire_refresh=100))
    move(net)
    mho.write(net)
    assert off(first(net)) > 1e-4
    mho.evaluate(net, [(torch.rand(4, 37), torch.zeros(4, dtype=torch.int64))])
    assert off(first(net)) < 1e-5


@pytest.mark.parametrize("refresh", [1, 3])
def test_saved_and_loaded_it_goes_on_as_if_nothing_had_been(refresh: int) -> None:
    net = mapped(hardware(wire_refresh=refresh), seed=3)
    move(net)
    mho.write(net)
    loaded = mapped(hardware(wire_refresh=refresh), seed=4)
    loaded.load_state_dict(net.state_dict())
    twin = copy.deepcopy(net)
    for each in (net, loaded, twin):
        x = torch.ones(2, 37)
        kept = each(x)
        for seed in (5, 6):
            move(each, seed=seed)
            mho.write(each)
        each.outcome = torch.cat([kept, each(x)])
        each.error = first(each).crossbar.staleness
    assert torch.equal(loaded.outcome, net.outcome)
    assert torch.equal(twin.outcome, net.outcome)
    assert loaded.error == net.error == twin.error > 0


def test_the_known_wires_give_a_gain() -> None:
    net = mapped(hardware(device=mho.cells.MultiLevel(g_min=5e-6, g_max=200e-6, levels=129)))
    layer = first(net)
    x = torch.randn(50, 37, generator=torch.Generator().manual_seed(0))
    wanted = x @ layer.target.T
    before = (layer(x) - wanted).norm()
    mho.correct(net)
    assert (layer(x) - wanted).norm() < 0.7 * before


def test_a_convolution_has_wires_too() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False))
    net = mho.convert(model, hardware(), 2)
    assert off(first(net)) < 1e-5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"wire_resistance": -1.0}, r"Hardware\.wire_resistance = -1\.0: .* \[0, 1e\+06\]"),
        ({"wire_resistance": float("nan")}, r"Hardware\.wire_resistance"),
        ({"wire_resistance": {"row": -2.0}}, r"Wires\.row = -2\.0"),
        ({"wire_refresh": 0}, r"Hardware\.wire_refresh = 0"),
        ({"predistortion": 1, "slices": 2, "weight_levels": None}, r"predistortion = 1: .*slices"),
        ({"predistortion": 1, "mapping": "single"}, r"Hardware\.predistortion = 1: .*'single'"),
    ],
)
def test_what_cannot_be_is_refused(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        hardware(**change)


def test_wires_go_through_toml_and_back() -> None:
    for kind in (hardware(), hardware(wire_resistance=1.5)):
        assert mho.Hardware.from_toml(kind.to_toml()) == kind


@pytest.mark.parametrize("refresh", [1, 3])
def test_slices_are_seen_through_the_wires_each(refresh: int) -> None:
    cell = CELL.replace(levels=4)
    kind = hardware(device=cell, slices=3, weight_levels=None, adc_bits=12, wire_refresh=refresh)
    net = mapped(kind)
    x = torch.rand(6, 37)
    mho.calibrate(net, x)
    factors = torch.tensor(first(net).crossbar.tiling.mapping.factors)
    for step in range(3):
        net(x)
        for layer in memristive_layers(net).values():
            assert layer.store.digits is not None
            added = torch.einsum("kpoi,p->koi", layer.store.digits, factors)
            torch.testing.assert_close(added, layer.effective, rtol=1e-4, atol=1e-6)
        move(net, seed=step)
        mho.write(net)
    assert off(first(net)) < (1e-5 if refresh == 1 else 0.3)
