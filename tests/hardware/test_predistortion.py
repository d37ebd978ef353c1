"""Predistortion: levels that allow for the wires."""

import pytest
import torch
from torch import nn

import mho
from builders.wired_network import first, hardware, mapped


@pytest.mark.parametrize("mapping", ["differential", "offset"])
def test_predistortion_brings_weights_back_into_proportion(mapping: str) -> None:
    cell = mho.cells.MultiLevel(g_min=5e-6, g_max=200e-6, levels=257)
    x = torch.randn(50, 37, generator=torch.Generator().manual_seed(0))

    def error(rounds: int) -> float:
        kind = hardware(
            tile=(40, 48), device=cell, mapping=mapping, predistortion=rounds, wire_resistance=20.0
        )
        layer = first(mapped(kind))
        wanted = x @ layer.target.T
        if rounds == 0:
            mho.tune(nn.Sequential(layer), x)
        return ((layer(x) - wanted).norm() / wanted.norm()).item()

    plain = error(0)
    assert plain > 0.05
    assert error(30) < 0.2 * plain


def test_predistorted_weights_keep_what_they_stand_for() -> None:
    kind = hardware(predistortion=3)
    net, plain = mapped(kind), mapped(hardware())
    layer = first(net)
    assert torch.allclose(layer.target, first(plain).target, atol=1e-6)
    assert not torch.equal(layer.crossbar.level, first(plain).crossbar.level)
    assert mho.ledger(net).writes_per_cell().max() == 1
    loaded = mapped(kind, seed=9)
    loaded.load_state_dict(net.state_dict())
    x = torch.ones(2, 37)
    assert torch.equal(loaded(x), net(x))
    assert torch.equal(first(loaded).target, layer.target)


def test_predistorted_arrays_are_not_written_in_place() -> None:
    with pytest.raises(ValueError, match=r"Hardware\.predistortion = 2: expected 0 where"):
        mho.WriteStep(mapped(hardware(predistortion=2)))
