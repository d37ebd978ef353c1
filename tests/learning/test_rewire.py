"""The same chips behind other wires."""

import pytest
import torch

import mho
from builders.wired_network import exact, first, hardware, mapped, move


def test_rewired_chips_are_those_that_were_made_so() -> None:
    net, other = mapped(hardware()), mapped(hardware(wire_resistance=1.0))
    plain = mapped(hardware(wire_resistance=0.0))
    mho.rewire(net, 1.0)
    x = torch.ones(2, 37)
    assert torch.allclose(net(x), other(x), rtol=1e-5)
    move(net)
    mho.write(net)
    assert off_with(first(net), 1.0) < 1e-5
    mho.rewire(other, 0.0)
    assert torch.equal(other(x), plain(x))
    assert set(other.state_dict()) == set(plain.state_dict())
    with pytest.raises(ValueError, match=r"Hardware\.wire_resistance"):
        mho.rewire(net, -1.0)


def off_with(layer: mho.nn.MemristiveLinear, r: float) -> float:
    true = exact(layer, mho.circuits.Wires(row=r, col=r))
    return ((layer.effective - true).norm() / true.norm()).item()
