"""Effective conductance of arrays with wires, against plain nodal analysis and against physics."""

import math

import numpy as np
import pytest
import scipy.sparse as sparse
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu
from torch import Tensor

import mho
from builders import conductances
from mho.circuits import effective_conductance

EASY = (1e-6, 1e-4)
"""Conductances of cells of 10k to 1M ohm [S]."""
WIDE = (1e-7, 1e-3)

sizes = st.tuples(st.integers(1, 9), st.integers(1, 9))
seeds = st.integers(0, 2**31)
ohms = st.floats(0, 100)


def cells(*shape: int, seed: int = 0, span: tuple[float, float] = WIDE) -> Tensor:
    """Log-uniform conductances [S]."""
    return conductances.cells(*shape, seed=seed, low=span[0], high=span[1])


def nodal(
    g: Tensor,
    r_row: float | Tensor,
    r_col: float | Tensor,
    r_source: float | Tensor = 0.0,
    r_sense: float | Tensor = 0.0,
    *,
    both_ends: bool = False,
) -> Tensor:
    """Kirchhoff's current law at every node, one sparse LU; nodes joined by 0 ohm are one node."""
    rows, cols = g.shape
    row, col = (torch.as_tensor(r, dtype=torch.float64).expand(rows, cols) for r in (r_row, r_col))
    row, col = row.clone().numpy(), col.clone().numpy()
    row[:, 0] += np.asarray(r_source, dtype=float)
    col[-1] += np.asarray(r_sense, dtype=float)
    u = np.arange(rows * cols).reshape(rows, cols)
    w = u + rows * cols
    driver = 2 * rows * cols + np.arange(rows)
    ground = driver[-1] + 1 + np.arange(cols)
    left = np.concatenate([driver[:, None], u[:, :-1]], 1)
    below = np.concatenate([w[1:], ground[None]], 0)
    ends = [(u, left, row), (w, below, col)]
    if both_ends:
        ends.append((u[:, -1], driver, row[:, 0]))
    a, b, r = (np.concatenate([x.ravel() for x in part]) for part in zip(*ends, strict=True))
    count = ground[-1] + 1
    joined = sparse.coo_matrix((np.ones((r == 0).sum()), (a[r == 0], b[r == 0])), (count, count))
    whole = connected_components(joined, directed=False)[1]
    name = np.zeros(count, dtype=int)
    np.maximum.at(name, whole, np.arange(count))
    name = name[whole]
    a, b = name[np.r_[a, u.ravel()]], name[np.r_[b, w.ravel()]]
    c = np.r_[1 / np.where(r, r, np.inf), g.numpy().ravel()]
    pairs = sparse.coo_matrix(
        (np.r_[c, c, -c, -c], (np.r_[a, b, a, b], np.r_[a, b, b, a])), (len(name),) * 2
    ).tocsc()
    free = np.setdiff1d(np.unique(name), np.r_[driver, ground])
    volts = np.zeros((len(name), rows))
    volts[driver, np.arange(rows)] = 1
    if len(free):
        volts[free] = splu(pairs[free][:, free].tocsc()).solve(-(pairs @ volts)[free])
    return torch.from_numpy(-(pairs @ volts)[ground].T.copy())


def off(result: Tensor, exact: Tensor) -> float:
    """Largest relative error of an entry; both 0 counts as equal."""
    error = (result.double() - exact).abs() / exact.abs()
    return error[(result != 0) | (exact != 0)].max().item()


@pytest.mark.parametrize("r", [0.0, 1e-9, 0.1, 1.0, 10.0])
@pytest.mark.parametrize(
    ("rows", "cols"),
    [(1, 1), (1, 2), (2, 1), (1, 13), (13, 1), (2, 2), (3, 5), (7, 4), (8, 8), (13, 21), (31, 29)],
)
def test_it_is_nodal_analysis(rows: int, cols: int, r: float) -> None:
    g = cells(rows, cols)
    exact = nodal(g, r, r)
    assert off(effective_conductance(g, r, r), exact) < 1e-11
    assert off(effective_conductance(g.float(), r, r), exact) < 5e-6


@pytest.mark.parametrize(
    "way",
    [
        {"blocks.WORTHWHILE": 0},
        {"blocks.WORTHWHILE": 10**9},
        {"star_product.NARROW": 0},
        {"star_product.NARROW": 0, "star_product.WIDE": 1},
    ],
)
def test_ways_of_joining_differ_in_speed_alone(
    way: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in way.items():
        monkeypatch.setattr(f"mho.circuits.{name}", value)
    for size in [(1, 1), (1, 6), (7, 1), (4, 4), (8, 8), (5, 12), (9, 7)]:
        g, weights = cells(*size).requires_grad_(), cells(*size, seed=1, span=(0.1, 1))
        result = effective_conductance(g, 3.0, 2.0)
        assert off(result.detach(), nodal(g.detach(), 3.0, 2.0)) < 1e-12
        (slope,) = torch.autograd.grad((weights * result).sum(), g)
        step = 1e-4 * g.detach() * cells(*size, seed=2, span=(0.1, 1))
        ends = [(weights * effective_conductance(g + k * step, 3.0, 2.0)).sum() for k in (-1, 1)]
        assert (slope * step).sum().item() == pytest.approx((ends[1] - ends[0]).item() / 2, 1e-5)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize(("dtype", "within"), [(torch.float64, 1e-11), (torch.float32, 4e-6)])
def test_it_is_the_same_on_a_gpu(dtype: torch.dtype, within: float) -> None:
    g = cells(3, 40, 33)
    device_g = g.to("cuda", dtype).requires_grad_()
    result = effective_conductance(device_g, 2.0, 1.0, 30.0)
    result.sum().backward()
    expected_g = g.clone().requires_grad_()
    expected = effective_conductance(expected_g, 2.0, 1.0, 30.0)
    expected.sum().backward()
    assert off(result.detach().cpu(), expected.detach()) < within
    assert (device_g.grad.cpu() - expected_g.grad).abs().max() < 10 * within


@pytest.mark.parametrize("r", [0.1, 1.0, 10.0])
@pytest.mark.parametrize("span", [(1e-3, 1e-3), WIDE, EASY, (1e-7, 1e-7)])
def test_large_arrays_keep_their_digits(span: tuple[float, float], r: float) -> None:
    g = cells(64, 64, span=span)
    exact = nodal(g, r, r)
    assert off(effective_conductance(g, r, r), exact) < 1e-11
    assert off(effective_conductance(g.float(), r, r), exact) < 4e-6


@pytest.mark.parametrize("zero", ["r_row", "r_col", "r_source", "r_sense", "r_row r_source", ""])
def test_each_resistance_may_be_zero_or_the_only_one(zero: str) -> None:
    g = cells(6, 7)
    values = {"r_row": 3.0, "r_col": 4.0, "r_source": 50.0, "r_sense": 60.0}
    without = {k: 0.0 if k in zero.split() else v for k, v in values.items()}
    alone = {k: v if k in zero.split() else 0.0 for k, v in values.items()}
    for r in (without, alone):
        assert off(effective_conductance(g, **r), nodal(g, **r)) < 1e-12


@given(sizes, seeds)
def test_every_segment_may_have_its_own_resistance(size: tuple[int, int], seed: int) -> None:
    g = cells(*size, seed=seed)
    row, col = (cells(*size, seed=seed + k, span=(0.1, 1e3)) for k in (1, 2))
    row[cells(*size, seed=seed + 3, span=(1, math.e)).log() < 0.3] = 0
    source, sense = (cells(n, seed=seed + 4, span=(1, 1e3)) for n in size)
    exact = nodal(g, row, col, source, sense)
    assert off(effective_conductance(g, row, col, source, sense), exact) < 1e-10


@given(sizes, seeds, st.floats(0, 1))
def test_cells_may_be_open(size: tuple[int, int], seed: int, share: float) -> None:
    g = cells(*size, seed=seed)
    g[cells(*size, seed=seed + 1, span=(1, math.e)).log() < share] = 0
    result = effective_conductance(g, 5.0, 3.0)
    exact = nodal(g, 5.0, 3.0)
    torch.testing.assert_close(result, exact, rtol=1e-10, atol=1e-16)
    torch.testing.assert_close(effective_conductance(0 * g, 5.0, 3.0), 0 * g, rtol=0, atol=0)


@given(sizes, seeds, st.floats(0, 1), st.booleans())
def test_rows_may_be_driven_from_both_ends(
    size: tuple[int, int], seed: int, share: float, source: bool
) -> None:
    g = cells(*size, seed=seed)
    row, col = (cells(*size, seed=seed + k, span=(0.1, 1e3)) for k in (1, 2))
    row[cells(*size, seed=seed + 3, span=(1, math.e)).log() < share] = 0
    ends = {"r_source": 30.0 * source, "r_sense": 2.0, "both_ends": True}
    exact = nodal(g, row, col, **ends)
    assert off(effective_conductance(g, row, col, **ends), exact) < 1e-10
    assert off(effective_conductance(g.float(), row, col, **ends), exact) < 1e-4
    g[cells(*size, seed=seed + 4, span=(1, math.e)).log() < 0.5] = 0
    result, exact = effective_conductance(g, row, col, **ends), nodal(g, row, col, **ends)
    torch.testing.assert_close(result, exact, rtol=1e-10, atol=1e-16)


@pytest.mark.parametrize("r", [0.0, 1e-9, 1.0, 10.0])
@pytest.mark.parametrize("worthwhile", [0, 10**9])
def test_both_ends_of_larger_arrays(
    r: float, worthwhile: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mho.circuits.blocks.WORTHWHILE", worthwhile)
    g = cells(21, 40)
    exact = nodal(g, r, r, both_ends=True)
    result = effective_conductance(g, r, r, both_ends=True)
    assert off(result, exact) < 1e-10
    assert off(effective_conductance(g.float(), r, r, both_ends=True), exact) < 5e-6
    mirrored = effective_conductance(g.flip(1), r, r, both_ends=True).flip(1)
    torch.testing.assert_close(mirrored, result, rtol=1e-11, atol=0)
    assert (result.sum() >= effective_conductance(g, r, r).sum()).item()


def test_derivatives_with_both_ends_driven() -> None:
    """In units of 100k ohm; at zero resistance as in the limit of thin wires."""

    def both(*inputs: Tensor) -> Tensor:
        return effective_conductance(*inputs, both_ends=True)

    g = cells(2, 3, 4, span=(0.3, 3)).requires_grad_()
    wires = [cells(3, 4, seed=k, span=(0.1, 1)).requires_grad_() for k in (1, 2)]
    wires += [cells(n, seed=3, span=(0.1, 1)).requires_grad_() for n in (3, 4)]
    assert torch.autograd.gradcheck(both, (g, *wires))
    slopes = []
    for at in (0.0, 1e-7):
        r = torch.tensor(at, dtype=torch.float64, requires_grad=True)
        result = effective_conductance(g.detach(), r, 0.1, both_ends=True)
        slopes.append(torch.autograd.grad(result.sum(), r)[0].item())
    assert slopes[0] == pytest.approx(slopes[1], rel=1e-5)
    assert slopes[0] < 0


@given(sizes, seeds, ohms, ohms)
def test_batches_are_loops(size: tuple[int, int], seed: int, r_row: float, r_col: float) -> None:
    g = cells(2, 3, *size, seed=seed)
    together = effective_conductance(g, r_row, r_col)
    for chip, of_chip in zip(g, together, strict=True):
        for tile, result in zip(chip, of_chip, strict=True):
            alone = effective_conductance(tile, r_row, r_col)
            torch.testing.assert_close(result, alone, rtol=1e-12, atol=0)


def test_resistances_of_chips_are_broadcast() -> None:
    g, r = cells(4, 6, 5), torch.tensor([0.0, 1.0, 5.0], dtype=torch.float64)
    source = cells(3, 1, 6, span=(1, 100))
    result = effective_conductance(g, r.view(3, 1, 1, 1), 2.0, source)
    assert result.shape == (3, 4, 6, 5)
    for k in range(3):
        alone = effective_conductance(g, r[k], 2.0, source[k])
        torch.testing.assert_close(result[k], alone, rtol=1e-12, atol=0)
    assert effective_conductance(g[:0], 1.0, 1.0).shape == (0, 6, 5)


@pytest.mark.parametrize("scale", [0.0, 1.0])
@pytest.mark.parametrize(("rows", "cols"), [(1, 1), (3, 2), (2, 5)])
def test_derivatives_by_differences(rows: int, cols: int, scale: float) -> None:
    """In units of 100k ohm, where derivatives are of the order of 1; and at zero resistance."""
    g = cells(2, rows, cols, span=(0.3, 3)).requires_grad_()
    row, col = (scale * cells(rows, cols, seed=k, span=(0.1, 1)) for k in (1, 2))
    source, sense = (scale * cells(n, seed=3, span=(0.1, 1)) for n in (rows, cols))
    # differences about zero must not leave what is allowed: the derivative there is one-sided
    wires = [(x + 2e-6).requires_grad_() for x in (row, col, source, sense)]
    assert torch.autograd.gradcheck(effective_conductance, (g, *wires))


@pytest.mark.parametrize("scale", [0.0, 1.0])
@pytest.mark.parametrize(("rows", "cols"), [(9, 11), (35, 37)])
def test_derivatives_of_larger_arrays(rows: int, cols: int, scale: float) -> None:
    """Along random directions, in all inputs at once; in units as above."""
    g = cells(rows, cols, span=(0.3, 3))
    row, col = (scale * cells(rows, cols, seed=k, span=(0.01, 0.1)) for k in (1, 2))
    source, sense = (scale * cells(n, seed=3, span=(0.1, 1)) for n in (rows, cols))
    inputs = [x.requires_grad_() for x in (g, row + 1e-5, col + 1e-5, source + 1e-5, sense + 1e-5)]
    weights = cells(rows, cols, seed=4, span=(0.1, 10))
    grads = torch.autograd.grad((weights * effective_conductance(*inputs)).sum(), inputs)
    for which in range(5):
        ways = [cells(*x.shape, seed=5, span=(0.1, 1)) * (k == which) for k, x in enumerate(inputs)]
        ends = [
            (
                weights
                * effective_conductance(*(x + h * w for x, w in zip(inputs, ways, strict=True)))
            ).sum()
            for h in (-1e-6, 1e-6)
        ]
        slope = (ends[1] - ends[0]).item() / 2e-6
        expected = sum((d * w).sum().item() for d, w in zip(grads, ways, strict=True))
        assert slope == pytest.approx(expected, rel=1e-6)


def test_derivatives_in_single_precision_keep_their_digits() -> None:
    g, r = cells(33, 34, span=EASY), torch.tensor(1.0, dtype=torch.float64)
    weights = cells(33, 34, seed=1, span=(0.1, 10))
    exact, rough = (
        torch.autograd.grad((weights.to(dtype) * effective_conductance(a, b, b)).sum(), (a, b))
        for dtype in (torch.float64, torch.float32)
        for a, b in [[x.to(dtype).requires_grad_() for x in (g, r)]]
    )
    for one, other in zip(exact, rough, strict=True):
        assert (one - other).abs().max() < 2e-5 * one.abs().max()


def test_second_derivatives_are_refused() -> None:
    g = cells(2, 3).requires_grad_()
    with pytest.raises(RuntimeError, match="first derivatives only"):
        torch.autograd.grad(effective_conductance(g, 1.0, 1.0).sum(), g, create_graph=True)


def test_first_derivatives_at_zero_resistance() -> None:
    """G_eff = g - r sum of currents that pass: of g[i,j], by all cells of its wires beyond it."""
    g = cells(4, 3, span=(0.5, 2))
    r = torch.zeros((), dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(effective_conductance(g, r, 0.0).sum(), r)
    torch.testing.assert_close(slope, -(g.flip(1).cumsum(1) ** 2).sum(), rtol=1e-12, atol=0)
    (slope,) = torch.autograd.grad(effective_conductance(g, 0.0, r).sum(), r)
    torch.testing.assert_close(slope, -(g.cumsum(0) ** 2).sum(), rtol=1e-12, atol=0)


@given(sizes, seeds, ohms, ohms)
def test_a_turned_array_is_the_array_turned(
    size: tuple[int, int], seed: int, r_row: float, r_col: float
) -> None:
    """Reciprocity: driven from below and read at the left, the same array is its transpose."""
    g = cells(*size, seed=seed)
    turned = effective_conductance(g.T.flip(0, 1), r_col, r_row)
    expected = effective_conductance(g, r_row, r_col).T.flip(0, 1)
    torch.testing.assert_close(turned, expected, rtol=1e-11, atol=0)


@given(sizes, seeds, st.sampled_from(["r_row", "r_col", "r_source", "r_sense"]), ohms)
def test_resistance_takes_current(
    size: tuple[int, int], seed: int, which: str, more: float
) -> None:
    """Rayleigh: with all rows at 1 V, no resistance that grows lets more current through."""
    g = cells(*size, seed=seed)
    r = {"r_row": 2.0, "r_col": 3.0, "r_source": 10.0, "r_sense": 20.0}
    before = effective_conductance(g, **r)
    after = effective_conductance(g, **{**r, which: r[which] + more})
    assert (after.sum() <= before.sum() * (1 + 1e-12)).item()


@given(sizes, seeds, ohms, ohms)
def test_an_array_is_passive(size: tuple[int, int], seed: int, r_row: float, r_col: float) -> None:
    """All rows at 1 V: a column draws no more than its cells would; no conductance is negative."""
    g = cells(*size, seed=seed)
    result = effective_conductance(g, r_row, r_col)
    assert (result >= 0).all()
    assert (result.sum(0) <= g.sum(0) * (1 + 1e-12)).all()
    assert (result.sum(1) <= g.sum(1) * (1 + 1e-12)).all()


@given(sizes, seeds)
def test_wires_without_resistance_are_no_wires(size: tuple[int, int], seed: int) -> None:
    g = cells(*size, seed=seed)
    torch.testing.assert_close(effective_conductance(g, 0, 0), g, rtol=1e-14, atol=0)
    torch.testing.assert_close(effective_conductance(g, 1e-15, 1e-15), g, rtol=1e-13, atol=0)


@given(sizes, seeds, st.floats(1e-6, 1e6))
def test_only_the_product_of_conductance_and_resistance_counts(
    size: tuple[int, int], seed: int, unit: float
) -> None:
    g = cells(*size, seed=seed)
    scaled = effective_conductance(g * unit, 5.0 / unit, 7.0 / unit, 50.0 / unit)
    expected = effective_conductance(g, 5.0, 7.0, 50.0) * unit
    torch.testing.assert_close(scaled, expected, rtol=1e-11, atol=0)


def test_the_input_is_left_alone() -> None:
    g = cells(5, 6)
    kept = g.clone()
    result = effective_conductance(g, 0.0, 0.0)
    result.zero_()
    assert torch.equal(g, kept)
    assert (
        effective_conductance(g.float(), 1.0, torch.tensor(1.0, dtype=torch.float64)).dtype
        == torch.float32
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"g": torch.tensor([[1.0, -2.0]])}, r"g\[0, 1\] = -2\.0: expected 0 S or more"),
        ({"g": torch.tensor([[math.nan]])}, r"g\[0, 0\] = nan: expected 0 S or more, and finite"),
        (
            {"g": torch.ones(2, 2, dtype=torch.int64)},
            r"g\.dtype = torch\.int64: expected torch\.f",
        ),
        ({"g": torch.ones(2, 2, dtype=torch.float16)}, r"g\.dtype = torch\.float16"),
        (
            {"g": torch.ones(3, 0)},
            r"g\.shape = \(3, 0\): expected \(\.\.\., rows, cols\), at least",
        ),
        ({"r_row": -1.0}, r"r_row = -1\.0: expected 0 ohm or more, and finite"),
        ({"r_col": math.inf}, r"r_col = inf: expected"),
        ({"r_sense": "thick"}, r"r_sense = 'thick': expected a finite number or a tensor"),
        ({"r_source": torch.tensor([1.0, -3.0])}, r"r_source\[1\] = -3\.0: expected 0 ohm"),
        (
            {"r_row": torch.ones(3, 2)},
            r"r_row\.shape = \(3, 2\): expected .*\(\.\.\., 2, 3\)",
        ),
        ({"r_source": torch.ones(3)}, r"r_source\.shape = \(3,\): expected .*\(\.\.\., 2\)"),
        ({"r_sense": torch.ones(2)}, r"r_sense\.shape = \(2,\): expected .*\(\.\.\., 3\)"),
        (
            {"g": torch.ones(4, 2, 3), "r_col": torch.ones(5, 1, 1)},
            r"leading dimensions of g, .* = \[\(4,\), \(\), \(5,\), .*broadcasts together",
        ),
        ({"r_row": torch.ones(2, 2, dtype=torch.int32)}, r"r_row\.dtype = torch\.int32"),
    ],
)
def test_what_cannot_be_is_refused(change: dict, message: str) -> None:
    settings = {"g": torch.ones(2, 3), "r_row": 1.0, "r_col": 1.0, **change}
    with pytest.raises(ValueError, match=message):
        mho.circuits.effective_conductance(**settings)
