"""Decks as text: what stands in them, that nothing floats, what is refused."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from mho.circuits import Ohmic, Sinh, Transistor, Wires, netlist
from mho.physics import Conduction

LAWS: list[Conduction] = [Ohmic(), Sinh(), Transistor()]

ohms = st.sampled_from([0.0, 2.0])
any_wires = st.builds(Wires, row=ohms, col=ohms, source=ohms, sense=ohms, both_ends=st.booleans())


def array(*shape: int, seed: int = 0, filled: float = 1.0) -> Tensor:
    """Conductances about 1 mS, some 0."""
    random = torch.rand((2, *shape), generator=torch.Generator().manual_seed(seed))
    return torch.where(random[0] < filled, 1e-3 * (1 + random[1]), 0.0).double()


def elements(deck: str) -> dict[str, list[str]]:
    """Elements of a deck by name, nodes and values as words."""
    body = deck[: deck.index(".control")]
    lines = [line for line in body.splitlines() if line and line[0] not in "*."]
    found = {line.split()[0]: line.split()[1:] for line in lines}
    assert len(found) == len(lines), "every element has a name of its own"
    return found


def test_a_small_deck_in_full() -> None:
    g = torch.tensor([[1e-3, 0.0], [5e-4, 2e-3]], dtype=torch.float64)
    wires = Wires(row=1.0, col=2.0, sense=4.0)
    deck = netlist(g, torch.tensor([0.1, -0.2], dtype=torch.float64), wires, title="two\n by two")
    assert deck.startswith("* two by two\n* 2 rows (inputs, word lines) x 2 columns")
    expected = """
        Vin0 in0 0 0.1
        Vin1 in1 0 -0.2
        Rr0_0 in0 u0_0 1.0
        Rr0_1 u0_0 u0_1 1.0
        Rr1_0 in1 u1_0 1.0
        Rr1_1 u1_0 u1_1 1.0
        Rc0_0 w0_0 w1_0 2.0
        Rc0_1 w0_1 w1_1 2.0
        Rc1_0 w1_0 e0 2.0
        Rc1_1 w1_1 e1 2.0
        Rg0_0 u0_0 w0_0 1000.0
        Rg1_0 u1_0 w1_0 2000.0
        Rg1_1 u1_1 w1_1 500.0
        Re0 e0 out0 4.0
        Vout0 out0 0 0
        Re1 e1 out1 4.0
        Vout1 out1 0 0
    """
    lines = [line for line in deck.splitlines() if line[0] not in "*."]
    assert lines[: lines.index("set numdgt=17")] == [x.strip() for x in expected.split("\n")][1:-1]
    assert deck.endswith("op\nprint i(vout0)\nprint i(vout1)\nquit\n.endc\n.end\n")


def test_cells_of_each_law() -> None:
    g, v = torch.full((1, 1), 1e-3, dtype=torch.float64), torch.full((1,), -0.5)
    cell = "Bg0_0 in0 out0 I=0.00025*sinh(V(in0,out0)/0.25)\n"
    assert cell in netlist(g, v, conduction=Sinh(v0=0.25))
    deck = netlist(g, v, conduction=Transistor(beta=3e-4, overdrive=0.75))
    assert "Rg0_0 in0 x0_0 1000.0\nMg0_0 x0_0 g0_0 out0 sub selector W=1u L=1u\n" in deck
    assert "Vg0_0 g0_0 out0 1.25\n" in deck
    assert "VTO=0.5 KP=0.0003 " in deck
    assert "Vsub sub 0 -1.5\n" in deck, "below the most negative input"


def test_numbers_keep_their_digits() -> None:
    g = torch.tensor([[1 / 3]], dtype=torch.float64)
    parts = elements(netlist(g, torch.tensor([math.pi], dtype=torch.float64), Wires(row=0.1 + 0.2)))
    assert float(parts["Vin0"][-1]) == math.pi
    assert float(parts["Rr0_0"][-1]) == 0.1 + 0.2
    assert 1 / float(parts["Rg0_0"][-1]) == pytest.approx(1 / 3, rel=3e-16)


@given(
    st.integers(1, 4), st.integers(1, 4), st.integers(0, 99), st.floats(0, 1), any_wires,
    st.sampled_from(LAWS),
)  # fmt: skip
def test_nothing_floats_and_nothing_is_shorted(
    rows: int, cols: int, seed: int, filled: float, wires: Wires, law: Conduction
) -> None:
    """All nodes lead to ground, not through gates; no resistor of 0 ohm, no loop of sources."""
    g = array(2, rows, cols, seed=seed, filled=filled)
    parts = elements(netlist(g, torch.ones(2, rows), wires, law))
    assert all(float(words[-1]) > 0 for name, words in parts.items() if name[0] == "R")
    of_cells = {name for name in parts if name[0] in "RBM" and name[1] == "g"}
    assert len([name for name in of_cells if name[0] != "M"]) == (g > 0).sum()
    group: dict[str, str] = {}

    def root(node: str) -> str:
        while group.get(node, node) != node:
            node = group[node]
        return node

    for name in sorted(parts, key=lambda name: name[0] != "V"):  # sources first
        a, b = parts[name][0], parts[name][2 if name[0] == "M" else 1]
        assert name[0] != "V" or root(a) != root(b), f"{name} closes a loop of sources"
        group[root(a)] = root(b)
    nodes = {n for name, words in parts.items() for n in words[: 4 if name[0] == "M" else 2]}
    assert {root(node) for node in nodes} == {root("0")}


@given(st.integers(1, 3), st.integers(1, 4), any_wires, st.sampled_from(LAWS))
def test_a_deck_of_tiles_is_the_decks_of_each(
    rows: int, cols: int, wires: Wires, law: Conduction
) -> None:
    g, v = array(3, rows, cols, filled=0.8), torch.linspace(0, 1, 3 * rows).view(3, rows)
    together = elements(netlist(g, v, wires, law))
    together.pop("Vsub", None)
    apart = {}
    for k in range(3):
        for name, words in elements(netlist(g[k], v[k], wires, law)).items():
            apart[f"{name}_t{k}"] = words[-1]
    apart = {name: value for name, value in apart.items() if not name.startswith("Vsub")}
    assert set(together) == set(apart)
    values = {name: words[-1] for name, words in together.items() if name[0] != "B"}
    assert values == {name: value for name, value in apart.items() if name[0] != "B"}


def test_both_ends_have_their_own_driver() -> None:
    wires = Wires(row=1.0, source=5.0, both_ends=True)
    parts = elements(netlist(array(2, 3), torch.tensor([0.1, 0.2], dtype=torch.float64), wires))
    assert parts["Vinr1"] == ["inr1", "0", "0.2"]
    assert parts["Rsr1"] == ["inr1", "dr1", "5.0"]
    assert parts["Rr1_3"] == ["dr1", "u1_2", "1.0"]


class Cubic(Conduction):
    """A law that has no SPICE model."""

    def current(self, v: Tensor, g: Tensor) -> Tensor:
        return g * v**3

    def slope(self, v: Tensor, g: Tensor) -> Tensor:
        return 3 * g * v**2


@pytest.mark.parametrize(
    ("g", "v", "message"),
    [
        (
            torch.ones(1, 1, 2, 3),
            torch.ones(2),
            r"g\.shape = \(1, 1, 2, 3\): expected \(rows, cols\) or",
        ),
        (torch.ones(0, 3), torch.ones(0), r"g\.shape = \(0, 3\)"),
        (torch.ones(2, 3), torch.ones(3), r"v\.shape = \(3,\): expected \(2,\), a voltage for"),
        (torch.ones(4, 2, 3), torch.ones(2), r"v\.shape = \(2,\): expected \(4, 2\)"),
        (torch.tensor([[1.0, -2.0]]), torch.ones(1), r"g\[0, 1\] = -2\.0: expected 0 S or more"),
        (torch.tensor([[math.nan]]), torch.ones(1), r"g\[0, 0\] = nan"),
        (torch.ones(1, 1), torch.tensor([math.inf]), r"v\[0\] = inf: expected a finite voltage"),
    ],
)
def test_bad_arrays_are_named(g: Tensor, v: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        netlist(g, v)


def test_a_law_without_a_model_is_named() -> None:
    with pytest.raises(ValueError, match="conduction = 'Cubic': expected a law with a SPICE"):
        netlist(torch.ones(1, 1), torch.ones(1), conduction=Cubic())
