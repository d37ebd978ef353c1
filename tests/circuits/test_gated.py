"""Arrays with source lines of their own, against nodal analysis."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import mho
from builders.programs import needed
from mho.circuits import Wires, gated_conductance, gated_current, netlist, simulate
from mho.errors import InvalidInput

WIRES: dict[str, tuple[float, float, float, float]] = {
    "all": (2.0, 3.0, 40.0, 25.0),
    "source line": (5.0, 0.0, 0.0, 0.0),
    "bit line": (0.0, 5.0, 0.0, 0.0),
    "ends": (0.0, 0.0, 100.0, 50.0),
    "none": (0.0, 0.0, 0.0, 0.0),
    "large": (2e3, 1e3, 0.0, 0.0),
}


def array(rows: int = 9, cols: int = 4) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    g = 10 ** -(3 + 3 * torch.rand(rows, cols, generator=generator, dtype=torch.float64))
    g[2, 1] = 0.0
    return g, torch.rand(rows, generator=generator) < 0.6


def nodal(g: Tensor, on: Tensor, line: float, col: float, source: float, sense: float) -> Tensor:
    """Currents over the voltage, column by column, by a dense solution; no wire counts as thin."""
    rows, cols = g.shape
    thin = 1e-7
    found = []
    for j in range(cols):
        matrix, driven = np.zeros((2 * rows, 2 * rows)), np.zeros(2 * rows)

        def join(a: int, b: int, c: float, into: np.ndarray = matrix) -> None:
            into[a, a] += c
            into[b, b] += c
            into[a, b] -= c
            into[b, a] -= c

        first = 1 / max(line + source, thin)
        last = 1 / max(col + sense, thin)
        matrix[0, 0] += first
        driven[0] = first
        matrix[-1, -1] += last
        for i in range(rows):
            if on[i]:
                join(i, rows + i, g[i, j].item())
            if i:
                join(i - 1, i, 1 / max(line, thin))
                join(rows + i - 1, rows + i, 1 / max(col, thin))
        found.append(np.linalg.solve(matrix, driven)[-1] * last)
    return torch.tensor(np.array(found))


@pytest.mark.parametrize("name", WIRES)
def test_currents_are_those_of_nodal_analysis(name: str) -> None:
    g, on = array()
    found = gated_current(g, on, *WIRES[name])
    torch.testing.assert_close(found, nodal(g, on, *WIRES[name]), rtol=1e-6, atol=1e-15)
    cells = gated_conductance(g, on, *WIRES[name])
    torch.testing.assert_close(cells.sum(-2), found, rtol=1e-12, atol=0)
    assert (cells[~on] == 0).all()
    single = gated_current(g.float(), on, *WIRES[name])
    torch.testing.assert_close(single.double(), found, rtol=1e-5, atol=0)


def test_the_limits_are_plain() -> None:
    g, on = array()
    torch.testing.assert_close(gated_current(g, on, 0.0, 0.0), (g * on[:, None]).sum(0))
    none = torch.zeros_like(on)
    assert (gated_current(g, none, 2.0, 3.0) == 0).all()
    assert (gated_conductance(g, none, 2.0, 3.0) == 0).all()
    one = none.clone()
    one[4] = True
    expected = 1 / (1 / g[4] + 5 * 2.0 + 40 + (9 - 4) * 3.0 + 25)
    torch.testing.assert_close(gated_current(g, one, 2.0, 3.0, 40.0, 25.0), expected)
    more = gated_conductance(g, torch.ones_like(on), 2.0, 3.0)[4]
    assert (more < gated_conductance(g, one, 2.0, 3.0)[4]).all()  # others load its lines


def test_arrays_and_inputs_broadcast_and_segments_may_differ() -> None:
    g = torch.rand(2, 1, 5, 3, dtype=torch.float64) * 1e-4
    on = torch.rand(2, 6, 5) < 0.5
    line, col = torch.rand(5, 1, dtype=torch.float64), torch.rand(5, 3, dtype=torch.float64)
    together = gated_current(g, on, line, col, torch.rand(3, dtype=torch.float64).mul(9))
    assert together.shape == (2, 6, 3)
    torch.manual_seed(0)
    ends = torch.rand(3, dtype=torch.float64)
    together = gated_current(g, on, line, col, ends, 2 * ends)
    each = [[gated_current(g[k, 0], on[k, n], line, col, ends, 2 * ends) for n in range(6)]
            for k in range(2)]  # fmt: skip
    torch.testing.assert_close(together, torch.stack([torch.stack(row) for row in each]))


def test_it_is_differentiable() -> None:
    g, on = array(4, 2)
    r = torch.tensor([2.0, 3.0, 4.0, 5.0], dtype=torch.float64).mul(100).unbind()
    inputs: Any = (g.clone().requires_grad_(), *(x.clone().requires_grad_() for x in r))

    def scaled(g: Tensor, *r: Tensor) -> Tensor:
        return 1e3 * gated_current(1e-3 * g, on, *r)

    big = (1e3 * inputs[0]).detach().clamp(min=1e-3).requires_grad_()
    assert torch.autograd.gradcheck(scaled, (big, *inputs[1:]))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"on": torch.ones(9)}, r"on\.dtype"),
        ({"on": torch.ones(8, dtype=torch.bool)}, r"on\.shape = \(8,\): expected .*9"),
        ({"g": -torch.ones(9, 4)}, r"g\[0, 0\]"),
        ({"r_line": -1.0}, "r_row|r_line"),
    ],
)
def test_what_is_no_array_is_refused(changes: dict[str, Any], said: str) -> None:
    g, on = array()
    with pytest.raises(InvalidInput, match=said):
        gated_current(**{"g": g, "on": on, "r_line": 1.0, "r_col": 1.0} | changes)


# ------------------------------------------------------------------ as wires, and as a deck


@pytest.mark.parametrize("name", ["all", "source line", "bit line", "none"])
def test_ngspice_finds_the_same_currents(name: str) -> None:
    needed("ngspice")
    g, on = array()
    line, col, source, sense = WIRES[name]
    wires = Wires(source_line=line, col=col, source=source, sense=sense)
    deck = netlist(g, 0.3 * on.double(), wires)
    found = simulate(deck)
    torch.testing.assert_close(found, 0.3 * gated_current(g, on, *WIRES[name]), rtol=1e-8, atol=0)
    law = mho.circuits.Transistor(beta=2e-4, overdrive=0.5)
    assert (simulate(netlist(g, 0.3 * on.double(), wires, law)) < found).all()


def test_wires_know_what_cells_show_with_all_rows_on() -> None:
    g = array()[0]
    wires = Wires(source_line=2.0, col=3.0, source=4.0, sense=5.0)
    all_on = torch.ones(9, dtype=torch.bool)
    expected = gated_conductance(g, all_on, 2.0, 3.0, 4.0, 5.0)
    torch.testing.assert_close(wires.seen(g), expected)
    assert wires.gated
    assert not Wires(row=1.0).gated
    with pytest.raises(InvalidInput, match="source_line"):
        wires.arguments(9)


@pytest.mark.parametrize("other", [{"row": 1.0}, {"both_ends": True}, {"paired": True}])
def test_word_lines_that_drive_gates_carry_no_current(other: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=rf"Wires\.{next(iter(other))}.*source_line"):
        Wires(source_line=1.0, **other)
    g, on = array()
    with pytest.raises(InvalidInput, match="one voltage"):
        netlist(g, on.double() * torch.linspace(0.1, 0.2, 9), Wires(source_line=1.0))
