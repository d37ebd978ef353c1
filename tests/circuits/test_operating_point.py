"""Operating points of arrays, against a nodal Newton of its own and against physics."""

import math
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sparse
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.linalg import spsolve
from torch import Tensor

import mho
from builders.conductances import cells, uniform
from mho.circuits import Conduction, NotConverged, Ohmic, Sinh, Transistor, effective_conductance
from mho.circuits import operating_point as solve

LAWS = [Ohmic(), Sinh(), Sinh(v0=0.05), Transistor(), Transistor(beta=1e-4, overdrive=0.2)]
BENT = LAWS[1:]
sizes = st.tuples(st.integers(1, 9), st.integers(1, 9))
seeds = st.integers(0, 2**31)
laws = st.sampled_from(LAWS)


def nodal(
    law: Conduction, g: Tensor, v: Tensor, row: Tensor, col: Tensor
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Newton's method on the voltages of all nodes, sparse LU; word and bit lines, currents."""
    rows, cols = g.shape
    count = rows * cols
    u = np.arange(count).reshape(rows, cols)
    a = np.concatenate([u.ravel(), u.ravel() + count])
    left = np.concatenate([2 * count + np.arange(rows)[:, None], u[:, :-1]], 1)
    ground = 2 * count + rows
    below = np.concatenate([u[1:] + count, np.full((1, cols), ground)], 0)
    b = np.concatenate([left.ravel(), below.ravel()])
    c = 1 / np.concatenate([row.numpy().ravel(), col.numpy().ravel()])
    size = (ground + 1,) * 2
    wires = sparse.coo_matrix((np.r_[c, c, -c, -c], (np.r_[a, b, a, b], np.r_[a, b, b, a])), size)
    wires = wires.tocsr()[: 2 * count]
    given_at = np.r_[v.numpy(), 0.0]
    volts = np.zeros(2 * count)
    across = sparse.hstack([sparse.eye(count), -sparse.eye(count)]).tocsr()
    for _ in range(100):
        x = torch.from_numpy(across @ volts).view(rows, cols)
        lack = wires @ np.r_[volts, given_at] + across.T @ law.current(x, g).numpy().ravel()
        slope = sparse.diags(law.slope(x, g).numpy().ravel())
        step = spsolve((wires[:, : 2 * count] + across.T @ slope @ across).tocsc(), lack)
        volts -= step * min(1.0, 0.2 / max(np.abs(step).max(), 1e-300))
        if np.abs(step).max() < 1e-14:
            break
    x = torch.from_numpy(across @ volts).view(rows, cols)
    return volts[:count].reshape(g.shape), volts[count:].reshape(g.shape), law.current(x, g).numpy()


def kirchhoff(law: Conduction, point: mho.circuits.OperatingPoint, g: Tensor) -> None:
    """All laws hold, whatever the path to the solution: it is unique."""
    x = point.cell_voltage
    scale = max(point.v.abs().max().item(), point.v_sense.abs().max().item())
    current = law.current(x, g)
    most = 1e-30 + 1e-9 * current.abs().max().item()
    torch.testing.assert_close(point.cell_current, current, rtol=0, atol=most)
    before = torch.cat([point.v[..., None], point.word_voltage[..., :-1]], -1)
    ohm = point.row * point.word_current
    torch.testing.assert_close(before - point.word_voltage, ohm, rtol=0, atol=1e-13 * scale)
    ohm = point.row[..., 0] * point.end_current
    if point.end_current.any():
        last = point.word_voltage[..., -1]
        torch.testing.assert_close(point.v - last, ohm, rtol=0, atol=1e-13 * scale)
    below = torch.cat([point.bit_voltage[..., 1:, :], point.v_sense[..., None, :]], -2)
    ohm = point.col * point.bit_current
    torch.testing.assert_close(point.bit_voltage - below, ohm, rtol=0, atol=1e-13 * scale)
    by_left = point.input_current - point.end_current
    torch.testing.assert_close(point.word_current[..., 0], by_left, rtol=1e-7, atol=most)
    torch.testing.assert_close(point.bit_current[..., -1, :], point.output_current)
    taken = sum(p.sum((-2, -1)) for p in (point.cell_power, point.word_power, point.bit_power))
    taken = taken + point.end_power.sum(-1) + point.output_power.sum(-1)
    torch.testing.assert_close(point.input_power.sum(-1), taken, rtol=1e-9, atol=1e-25)


@given(sizes, seeds, st.floats(0, 100), st.floats(0, 100), st.booleans())
def test_ohmic_cells_are_an_effective_conductance(
    size: tuple[int, int], seed: int, r_row: float, r_col: float, both_ends: bool
) -> None:
    g, v = cells(*size, seed=seed), uniform(3, size[0], seed=seed, low=-0.5, high=0.5)
    wires = (r_row, r_col, r_row, 20.0)
    point = solve(g, v, *wires, both_ends=both_ends)
    expected = v @ effective_conductance(g, *wires, both_ends=both_ends)
    most = 1e-10 * expected.abs().max().item()
    torch.testing.assert_close(point.output_current, expected, rtol=0, atol=most)


@pytest.mark.parametrize(("rows", "cols"), [(33, 47), (128, 128)])
def test_large_arrays_of_ohmic_cells_too(rows: int, cols: int) -> None:
    g, v = cells(rows, cols, low=1e-4), uniform(rows, high=0.5)
    expected = v @ effective_conductance(g, 5.0, 5.0)
    found = solve(g, v, 5.0, 5.0).output_current
    assert ((found - expected).abs() / expected).max() < 1e-10


@pytest.mark.parametrize("law", BENT)
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (8, 1), (7, 12), (24, 20)])
def test_it_is_nodal_analysis(law: Conduction, size: tuple[int, int]) -> None:
    g, v = cells(*size), uniform(size[0], low=-0.3, high=0.5)
    row, col = (uniform(*size, seed=k, low=0.1, high=10) for k in (1, 2))
    point = solve(g, v, row, col, conduction=law)
    word, bit, current = nodal(law, g, v, row, col)
    assert np.abs(point.word_voltage.numpy() - word).max() < 1e-10
    assert np.abs(point.bit_voltage.numpy() - bit).max() < 1e-10
    assert np.abs(point.cell_current.numpy() - current).max() < 1e-9 * np.abs(current).max()
    kirchhoff(law, point, g)


@given(laws, sizes, seeds, st.sampled_from([0.0, 0.5, 1.0]), st.floats(0, 1), st.booleans())
def test_kirchhoff_holds_where_wires_are_perfect_and_cells_are_open(
    law: Conduction,
    size: tuple[int, int],
    seed: int,
    perfect: float,
    gaps: float,
    both_ends: bool,
) -> None:
    g, v = cells(*size, seed=seed), uniform(2, size[0], seed=seed, low=-0.5, high=0.5)
    row, col = (uniform(*size, seed=seed + k, high=100) for k in (1, 2))
    row[uniform(*size, seed=seed + 3) < perfect] = 0
    col[uniform(*size, seed=seed + 4) < perfect] = 0
    g[uniform(*size, seed=seed + 5) < gaps] = 0
    v_sense = uniform(2, size[1], seed=seed + 6, low=-0.3, high=0.3)
    for held in (0.0, 0.1, v_sense):
        settings = {"conduction": law, "both_ends": both_ends, "v_sense": held}
        kirchhoff(law, solve(g, v, row, col, **settings), g)


@given(laws, sizes, seeds, st.floats(-1, 1))
def test_only_differences_of_voltages_count(
    law: Conduction, size: tuple[int, int], seed: int, more: float
) -> None:
    g, v = cells(*size, seed=seed), uniform(size[0], seed=seed, high=0.5)
    held = uniform(size[1], seed=seed + 1, low=-0.2, high=0.2)
    point = solve(g, v, 20.0, 10.0, conduction=law, v_sense=held)
    lifted = solve(g, v + more, 20.0, 10.0, conduction=law, v_sense=held + more)
    most = 1e-8 * point.cell_current.abs().max().item()
    torch.testing.assert_close(lifted.cell_current, point.cell_current, rtol=0, atol=most)


def test_a_cell_that_is_written_disturbs_its_row_and_column_by_half() -> None:
    """Half-select: V on one row, 0 on one column, V / 2 on all others."""
    g, written, others = cells(16, 16, low=1e-5), 2.0, torch.ones(16, dtype=torch.float64)
    rows, cols = others.clone(), others.clone()
    rows[3], cols[5] = written, 0.0
    ideal = solve(g, rows, 0.0, 0.0, v_sense=cols).cell_voltage
    assert ideal[3, 5] == written
    assert (ideal == 1.0).sum() == 30
    assert (ideal == 0.0).sum() == 225
    wired = solve(g, rows, 5.0, 5.0, v_sense=cols)
    kirchhoff(Ohmic(), wired, g)
    assert 0.7 * written < wired.cell_voltage[3, 5] < 0.95 * written
    assert 0 < wired.cell_voltage.abs()[ideal == 0.0].max() < 0.2


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("which", [(0.0, 0.0), (3.0, 0.0), (0.0, 3.0)])
def test_either_side_may_be_perfect(law: Conduction, which: tuple[float, float]) -> None:
    g, v = cells(6, 7), uniform(6, high=0.5)
    point = solve(g, v, *which, conduction=law)
    kirchhoff(law, point, g)
    if which[0] == 0:
        assert torch.equal(point.word_voltage, v[:, None].expand(6, 7))
    if which[1] == 0:
        assert not point.bit_voltage.any()
    near = solve(g, v, which[0] + 1e-9, which[1] + 1e-9, conduction=law)
    torch.testing.assert_close(near.cell_current, point.cell_current, rtol=1e-6, atol=0)


@pytest.mark.parametrize("law", LAWS)
def test_a_symmetric_array_driven_from_both_ends_is_its_mirror_image(law: Conduction) -> None:
    g, v = cells(12, 9), uniform(12, low=-0.1, high=0.5)
    g = torch.maximum(g, g.flip(1))
    point = solve(g, v, 7.0, 5.0, 30.0, conduction=law, both_ends=True)
    kirchhoff(law, point, g)
    for part in (point.word_voltage, point.bit_voltage):
        torch.testing.assert_close(part, part.flip(1), rtol=0, atol=1e-11)
    torch.testing.assert_close(2 * point.end_current, point.input_current, rtol=1e-9, atol=1e-15)
    single = solve(g, v, 7.0, 5.0, 30.0, conduction=law)
    assert not single.end_current.any()
    assert single.input_power.sum() < point.input_power.sum()


@pytest.mark.parametrize("law", [Sinh(), Transistor()])
@pytest.mark.parametrize("low", [1e-3, 1e-4])
def test_hard_arrays_converge(law: Conduction, low: float) -> None:
    """Cells of 1k ohm, wires of 5 ohm, where fixed points diverge."""
    g, v = cells(128, 128, low=low), uniform(2, 128, high=0.5)
    kirchhoff(law, solve(g, v, 5.0, 5.0, conduction=law), g)


@pytest.mark.parametrize(
    "law", [Sinh(v0=0.025), Sinh(v0=1e-3), Transistor(beta=1e-5, overdrive=0.01)]
)
def test_steep_and_saturated_cells_converge(law: Conduction) -> None:
    g, v = cells(12, 9), uniform(12, low=-0.2, high=1.0)
    kirchhoff(law, solve(g, v, 5.0, 5.0, conduction=law), g)


def test_no_input_no_current() -> None:
    for law in LAWS:
        point = solve(cells(4, 5), torch.zeros(2, 4), 5.0, 5.0, conduction=law)
        assert not point.cell_current.any()
        assert not point.word_voltage.any()


@pytest.mark.parametrize("law", BENT)
def test_batches_are_loops(law: Conduction, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever way they are taken: at once, in parts, along lines or by LAPACK."""
    g, v = cells(2, 1, 6, 5), uniform(3, 6, high=0.5) * torch.tensor([[1.0], [0.0], [1e-3]])
    r = uniform(2, 1, 6, 5, seed=1, high=10)
    ways = [solve(g, v, r, 2.0, conduction=law)]
    monkeypatch.setattr("mho.circuits.lines.FEW", 0)
    ways += [solve(g, v, r, 2.0, conduction=law)]
    monkeypatch.setattr("mho.circuits.circuit.AT_ONCE", {True: 60, False: 60})
    ways += [solve(g, v, r, 2.0, conduction=law)]
    for point in ways:
        assert point.output_current.shape == (2, 3, 5)
        assert point.cell_power.shape == point.bit_power.shape == (2, 3, 6, 5)
        assert point.input_power.shape == (2, 3, 6)
        for a in range(2):
            for b in range(3):
                alone = solve(g[a, 0], v[b], r[a, 0], 2.0, conduction=law).cell_current
                most = 1e-9 * alone.abs().max().item()
                torch.testing.assert_close(point.cell_current[a, b], alone, rtol=0, atol=most)
    assert solve(g[:0], v, 1.0, 1.0).output_current.shape == (0, 3, 5)


def test_single_precision_is_solved_in_double() -> None:
    g, v = cells(20, 20).float(), uniform(20, high=0.5).float()
    point = solve(g, v, 5.0, 5.0, conduction=Sinh())
    exact = solve(g.double(), v.double(), 5.0, 5.0, conduction=Sinh())
    assert point.word_voltage.dtype == point.output_current.dtype == torch.float32
    torch.testing.assert_close(point.cell_current.double(), exact.cell_current, rtol=1e-7, atol=0)
    assert solve(g, v.double(), 5.0, 5.0).cell_current.dtype == torch.float64


@given(sizes, seeds, laws)
def test_voltages_lie_between_drivers_and_ground(
    size: tuple[int, int], seed: int, law: Conduction
) -> None:
    g, v = cells(*size, seed=seed), uniform(size[0], seed=seed, low=-0.2, high=0.5)
    point = solve(g, v, 50.0, 30.0, conduction=law)
    low, high = min(0.0, v.min().item()) - 1e-12, max(0.0, v.max().item()) + 1e-12
    for volts in (point.word_voltage, point.bit_voltage):
        assert low <= volts.min().item() <= volts.max().item() <= high
    for power in (point.cell_power, point.word_power, point.bit_power):
        assert (power >= -1e-20).all()


@pytest.mark.parametrize("both_ends", [False, True])
def test_gradients_of_ohmic_cells_are_those_of_the_effective_conductance(both_ends: bool) -> None:
    inputs = [cells(9, 7), uniform(3, 9, high=0.5), uniform(9, 7, high=10), uniform(9, 7, high=10)]
    inputs += [uniform(9, high=50), uniform(7, high=50)]
    inputs[2][::2], inputs[3][:, ::2], inputs[4][0] = 0, 0, 0
    inputs = [x.requires_grad_() for x in inputs]
    weights = uniform(3, 7, seed=5, low=-1)
    g, v, *wires = inputs
    point = solve(*inputs, both_ends=both_ends)
    expected = v @ effective_conductance(g, *wires, both_ends=both_ends)
    one = torch.autograd.grad((weights * point.output_current).sum(), inputs)
    two = torch.autograd.grad((weights * expected).sum(), inputs)
    for a, b in zip(one, two, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-9 * b.abs().max().item())


@pytest.mark.parametrize("law", [Sinh(), Transistor(beta=1.0, overdrive=0.6)])
@pytest.mark.parametrize(("size", "both_ends"), [((1, 1), False), ((3, 2), True), ((2, 4), False)])
def test_derivatives_by_differences(
    law: Conduction, size: tuple[int, int], both_ends: bool
) -> None:
    """In units of volts and ohms, where derivatives are of the order of 1; of everything told."""
    rows, cols = size
    g, v = cells(rows, cols, low=0.3, high=3), uniform(2, rows, low=-0.2, high=0.5)
    wires = [uniform(rows, cols, seed=k, low=0.1, high=1) for k in (1, 2)]
    wires += [uniform(n, seed=3, low=0.1, high=1) for n in size]
    held = uniform(cols, seed=4, low=-0.1, high=0.1)

    def told(*inputs: Tensor) -> tuple[Tensor, ...]:
        *inputs, v_sense = inputs
        settings = {"conduction": law, "tolerance": 1e-13, "both_ends": both_ends}
        p = solve(*inputs, v_sense=v_sense, **settings)
        powers = (p.cell_power, p.word_power, p.bit_power, p.end_power, p.input_power)
        powers += (p.output_power,)
        return p.word_voltage, p.bit_voltage, p.cell_current, p.output_current, *powers

    inputs = [x.requires_grad_() for x in (g, v, *wires, held)]
    assert torch.autograd.gradcheck(told, inputs)


@pytest.mark.parametrize("law", [Sinh(), Transistor()])
@pytest.mark.parametrize("r", [0.0, 5.0])
def test_derivatives_of_larger_arrays(law: Conduction, r: float) -> None:
    """Along random directions; at zero resistance forward differences, as there is no other."""
    shapes = [(24, 20), (2, 24), (24, 20), (24, 20), (24,), (20,)]
    inputs = [cells(*shapes[0], low=1e-4), uniform(*shapes[1], low=-0.1, high=0.5)]
    inputs += [torch.full(shape, r, dtype=torch.float64) for shape in shapes[2:]]
    inputs = [x.requires_grad_() for x in inputs]
    weights = uniform(2, 20, seed=4, low=-1)

    def loss(*inputs: Any) -> Tensor:
        return (weights * solve(*inputs, conduction=law, tolerance=1e-13).output_current).sum()

    grads = torch.autograd.grad(loss(*inputs), inputs)
    for k, (x, grad) in enumerate(zip(inputs, grads, strict=True)):
        step = uniform(*x.shape, seed=k, low=0.5) * (1e-3 * x.detach() if k < 2 else 1e-3)
        with torch.no_grad():
            ends = [loss(*inputs[:k], x + h * step, *inputs[k + 1 :]).item() for h in (0, 0.5, 1)]
        slope = 4 * ends[1] - 3 * ends[0] - ends[2]
        assert (grad * step).sum().item() == pytest.approx(slope, rel=1e-5)


def test_gradients_reach_single_precision_and_batches() -> None:
    g = cells(2, 1, 8, 8).float().requires_grad_()
    v = uniform(3, 8, high=0.5).float().requires_grad_()
    point = solve(g, v, 5.0, 5.0, conduction=Sinh())
    point.output_current.sum().backward()
    assert g.grad is not None
    assert g.grad.dtype == torch.float32
    assert g.grad.shape == g.shape
    assert v.grad is not None
    assert v.grad.shape == v.shape


def test_second_derivatives_are_refused() -> None:
    g = cells(2, 3).requires_grad_()
    loss = solve(g, torch.ones(2), 1.0, 1.0, conduction=Sinh()).output_current.sum()
    with pytest.raises(RuntimeError, match="first derivatives only"):
        torch.autograd.grad(loss, g, create_graph=True)


def test_an_answer_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    g, v = cells(5, 5), uniform(3, 5, high=0.5) * torch.tensor([[1.0], [0.0], [1.0]])
    monkeypatch.setattr("mho.circuits.newton.STEPS", 1)
    with pytest.raises(NotConverged, match=r"residual .*, tolerance 1e-11, in 2 of 3 samples") as e:
        solve(g, v, 100.0, 100.0, conduction=Sinh())
    assert e.value.residual > e.value.tolerance
    monkeypatch.undo()
    with pytest.raises(NotConverged, match="tolerance 1e-18, in 2 of 3 samples after"):
        solve(g, v, 100.0, 100.0, conduction=Sinh(), tolerance=1e-18)
    x = solve(g.requires_grad_(), v, 100.0, 100.0, conduction=Sinh())
    monkeypatch.setattr("mho.circuits.linear_circuit.ITERATIONS", 1)
    with pytest.raises(NotConverged, match="tolerance 1e-12, in 3 of 3 samples after"):
        x.output_current.sum().backward()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_it_is_the_same_on_a_gpu() -> None:
    g, v = cells(3, 1, 20, 17), uniform(4, 20, high=0.5)
    here, there = (
        solve(g.to(device), v.to(device), 5.0, 5.0, conduction=Sinh()).cell_current.cpu()
        for device in ("cpu", "cuda")
    )
    torch.testing.assert_close(here, there, rtol=1e-8, atol=0)


def test_the_inputs_are_left_alone() -> None:
    g, v = cells(3, 4), uniform(3)
    kept = g.clone(), v.clone()
    point = solve(g, v, 0.0, 0.0)
    for part in (point.v, point.cell_current, point.word_voltage, point.bit_voltage, point.row):
        part.zero_()
    assert torch.equal(g, kept[0])
    assert torch.equal(v, kept[1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"g": torch.tensor([[1.0, -2.0]])}, r"g\[0, 1\] = -2\.0: expected 0 S or more"),
        ({"g": torch.ones(2, 2, dtype=torch.int64)}, r"g\.dtype = torch\.int64"),
        ({"g": torch.ones(3, 0)}, r"g\.shape = \(3, 0\)"),
        ({"r_row": -1.0}, r"r_row = -1\.0: expected 0 ohm or more"),
        ({"r_sense": torch.ones(2)}, r"r_sense\.shape = \(2,\): expected .*\(\.\.\., 3\)"),
        ({"v": torch.tensor([0.0, math.nan])}, r"v\[1\] = nan: expected a finite number \[V\]"),
        ({"v": torch.ones(3)}, r"v\.shape = \(3,\): expected \(\.\.\., 2\)"),
        ({"v": torch.tensor(1.0)}, r"v\.shape = \(\): expected \(\.\.\., 2\)"),
        ({"v": torch.ones(2, dtype=torch.int64)}, r"v\.dtype = torch\.int64"),
        (
            {"g": torch.ones(4, 2, 3), "v": torch.ones(5, 2)},
            r"leading dimensions of .* = \[\(4,\), \(5,\), \(\)\]: expected what broadcasts",
        ),
        ({"v_sense": torch.ones(2)}, r"v_sense\.shape = \(2,\): expected \(\.\.\., 3\)"),
        ({"v_sense": math.inf}, r"v_sense = inf: expected a finite number or a tensor"),
        ({"tolerance": 0.0}, r"tolerance = 0\.0: expected a number above 0, below 1"),
        ({"tolerance": math.nan}, r"tolerance = nan"),
        ({"conduction": "sinh"}, r"conduction = 'sinh': expected an Ohmic or a Sinh"),
    ],
)
def test_what_cannot_be_is_refused(change: dict, message: str) -> None:
    settings = {"g": torch.ones(2, 3), "v": torch.ones(2), "r_row": 1.0, "r_col": 1.0, **change}
    with pytest.raises(ValueError, match=message):
        mho.circuits.operating_point(**settings)
