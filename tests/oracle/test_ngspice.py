"""ngspice, another program, finds the same currents: linear ones to 1e-8, non-linear to 1e-6."""

import pytest
import torch
from torch import Tensor, nn

import mho
from builders import kirchhoff
from builders.conductances import cells
from builders.programs import needed
from mho.circuits import (
    Ohmic,
    Sinh,
    Transistor,
    Wires,
    effective_conductance,
    netlist,
    operating_point,
    simulate,
)
from mho.learning.layers.layer import ArrayLayer, memristive_layers
from mho.physics import Conduction

LINEAR, NONLINEAR = 1e-8, 1e-6
"""Largest difference of any current, of itself."""

LAWS: dict[str, Conduction] = {
    "sinh": Sinh(),
    "steep sinh": Sinh(v0=0.1),
    "1T1R": Transistor(),
    "1T1R of a weak transistor": Transistor(beta=2e-5, overdrive=0.3),
}


@pytest.fixture(autouse=True)
def _ngspice() -> None:
    needed("ngspice")


def volts(rows: int, low: float = 0.1, high: float = 0.5) -> Tensor:
    """Voltages of the rows, in no order [V]."""
    random = torch.rand(rows, generator=torch.Generator().manual_seed(rows), dtype=torch.float64)
    return low + (high - low) * random


def agree(currents: Tensor, expected: Tensor, within: float) -> None:
    torch.testing.assert_close(currents, expected, rtol=within, atol=1e-22)


def agree_linear(g: Tensor, wires: Wires) -> None:
    """Effective conductance and the operating point against ngspice."""
    v = volts(len(g))
    currents = simulate(netlist(g, v, wires))
    agree(currents, v @ wires.seen(g), LINEAR)
    agree(currents, settled(g, v, wires, Ohmic()), LINEAR)


def settled(g: Tensor, v: Tensor, wires: Wires, law: Conduction) -> Tensor:
    """Output currents of the operating point."""
    return operating_point(g, v, **wires.arguments(g.shape[-2]), conduction=law).output_current


@pytest.mark.parametrize("r", [0.1, 1.0, 10.0])
@pytest.mark.parametrize(
    ("rows", "cols"), [(8, 8), (16, 16), (32, 32), (13, 21), (40, 7), (1, 32), (32, 1), (1, 1)]
)
def test_random_arrays(rows: int, cols: int, r: float) -> None:
    wires = Wires(row=r, col=0.7 * r, source=20 * r, sense=5 * r)
    agree_linear(cells(rows, cols), wires)
    agree_linear(cells(rows, cols, seed=1), wires.replace(source=0.0, sense=0.0))


BAD = Wires(row=10.0, col=10.0)
OTHER = Wires(row=20.0, col=5.0)
ON, OFF = 1e-3, 1e-6


def all_on(n: int) -> Tensor:
    return torch.full((n, n), ON, dtype=torch.float64)


def without(what: Tensor | slice) -> Tensor:
    g = cells(16, 16)
    g[what] = 0.0
    return g


checkers = torch.arange(16).view(-1, 1).add(torch.arange(16)) % 2 == 0

PATHOLOGICAL: dict[str, tuple[Tensor, Wires]] = {
    "all on": (all_on(32), BAD),
    "checkerboard": (torch.where(checkers, ON, OFF).double(), BAD),
    "checkerboard of open cells": (without(checkers), BAD),
    "an open row": (without(torch.arange(16) == 5), BAD),
    "an open column": (without(torch.arange(16).expand(16, 16) == 5), BAD),
    "only the far corner": (without(torch.arange(256).view(16, 16) != 15), BAD),
    "all open": (without(slice(None)), BAD),
    "one good row": (without(slice(None)) + OFF + (torch.arange(16) == 0).view(-1, 1) * ON, BAD),
    "twelve decades": (cells(16, 16) ** 4 * 1e9, BAD),
    "word lines only": (all_on(16), Wires(row=10.0)),
    "bit lines only": (all_on(16), Wires(col=10.0)),
    "drivers only": (all_on(16), Wires(source=500.0)),
    "amplifiers only": (all_on(16), Wires(sense=500.0)),
    "hardly any resistance": (all_on(16), Wires(row=1e-9, col=1e-12)),
    "no wires": (all_on(16), Wires()),
}


@pytest.mark.parametrize("name", PATHOLOGICAL)
def test_pathological_arrays(name: str) -> None:
    agree_linear(*PATHOLOGICAL[name])


@pytest.mark.parametrize("law", [Ohmic(), *LAWS.values()], ids=["ohmic", *LAWS])
@pytest.mark.parametrize(("rows", "cols"), [(8, 8), (16, 16), (32, 32), (9, 14)])
def test_laws_and_both_ends_against_newton(rows: int, cols: int, law: Conduction) -> None:
    within = LINEAR if isinstance(law, Ohmic) else NONLINEAR
    for both_ends in (False, True):
        wires = Wires(row=5.0, col=3.0, source=50.0, sense=20.0, both_ends=both_ends)
        for g, v in ((cells(rows, cols), volts(rows, -0.3, 0.7)), (all_on(rows), volts(rows))):
            currents = simulate(netlist(g, v, wires, law))
            agree(currents, kirchhoff.currents(g, v, wires, law), within)
            agree(currents, settled(g, v, wires, law), within)
            if isinstance(law, Ohmic):
                agree(currents, v @ wires.seen(g), within)


def test_newton_alone_is_right() -> None:
    g, v, wires = cells(9, 14), volts(9), Wires(row=5.0, col=3.0, source=50.0, sense=20.0)
    agree(
        kirchhoff.currents(g, v, wires, Ohmic()), v @ effective_conductance(g, 5, 3, 50, 20), 1e-10
    )


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
def test_a_cell_alone_from_reverse_to_saturation(law: Conduction) -> None:
    """One cell a column, each at a voltage of its own, without wires: the law itself."""
    v = torch.linspace(-2.0, 2.0, 41, dtype=torch.float64)
    g = cells(41)
    agree(simulate(netlist(g.diag(), v, conduction=law)), law.current(v, g), NONLINEAR)


def test_both_ends_without_wires_and_with_drivers_alone() -> None:
    g, v = cells(6, 5), volts(6)
    agree(simulate(netlist(g, v, Wires(both_ends=True))), v @ g, LINEAR)
    halves = effective_conductance(g, 0.0, 2.0, 50.0)
    currents = simulate(netlist(g, v, Wires(col=2.0, source=100.0, both_ends=True)))
    agree(currents, v @ halves, LINEAR)


def trained(mapping: str, **options: object) -> ArrayLayer:
    """A layer trained in place for a few steps, on two chips; six tiles of 8 x 6 cells or less."""
    cell = mho.devices.get("hfo2-1t1r")
    settings = {"device": cell, "mapping": mapping, "tile": (8, 6)} | options
    hardware = mho.Hardware(**settings)  # type: ignore[arg-type]
    with torch.random.fork_rng():
        torch.manual_seed(3)
        net = mho.convert(nn.Sequential(nn.Linear(20, 5)), hardware, chips=2)
    generator = torch.Generator().manual_seed(4)
    x = torch.randn(32, 20, generator=generator)
    mho.calibrate(net, x)
    optimizer, step = torch.optim.SGD(net.parameters(), 0.3), mho.WriteStep(net)
    for _ in range(10):
        optimizer.zero_grad()
        (net(x) - x[:, :5]).square().mean().backward()
        optimizer.step()
        step()
    (layer,) = memristive_layers(net).values()
    return layer


def test_a_trained_tile() -> None:
    layer = trained("differential")
    g = layer.crossbar.conductance[1, 2].double()
    assert g.unique().numel() > 30
    agree_linear(g, Wires(row=5.0, col=5.0, source=100.0))


@pytest.mark.parametrize("mapping", ["differential", "interleaved", "offset"])
@pytest.mark.parametrize(
    "wires", [Wires(), Wires(row=8.0, col=4.0, sense=30.0)], ids=["-", "wires"]
)
def test_currents_of_a_layer_are_its_output(mapping: str, wires: Wires) -> None:
    options: dict[str, object] = {"dac_bits": 6, "wire_resistance": wires}
    if mapping == "interleaved":
        mapping, options = "differential", options | {"interleaved": True, "tile": (8, 3)}
    layer = trained(mapping, **options)
    tiling = layer.crossbar.tiling
    assert tiling.grid[0] > 1
    assert tiling.grid[1] > 1
    x = torch.randn(20, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        outputs = mho.nn.Chips(layer, 2)(x.unsqueeze(0)).flatten(0, 1)
    for chip in (0, 1):
        currents = simulate(mho.nn.netlist_of(layer, x, volts_per_unit=0.1, chip=chip))
        assert currents.shape == (tiling.tiles, tiling.width)
        folded = currents
        if not layer.hardware.interleaved:
            folded = tiling.mapping.fold(currents.unsqueeze(1), tiling.cols, (0.0, 0.0)).squeeze(1)
        added = folded.view(*tiling.grid, -1).sum(0).flatten()[:5]
        assert layer.bias is not None
        ours = added * layer.scale / 0.1 + layer.bias.detach()
        torch.testing.assert_close(ours.float(), outputs[chip], rtol=1e-5, atol=2e-6)
        alone = simulate(mho.nn.netlist_of(layer, x, volts_per_unit=0.1, chip=chip, tile=3))
        agree(alone, currents[3], 1e-12)
        other = simulate(mho.nn.netlist_of(layer, x, volts_per_unit=0.1, chip=chip, wires=OTHER))
        assert (other - currents).norm() > 1e-3 * currents.norm()
