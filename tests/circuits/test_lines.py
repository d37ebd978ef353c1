"""Lines of an array alone, against dense algebra."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from builders.conductances import uniform
from mho.circuits.linear_circuit import LinearCircuit
from mho.circuits.lines import Lines, line_drop


def resistances(r: np.ndarray) -> np.ndarray:
    """Matrix P: what two nodes have in common on their ways to the held end."""
    to_end = r[::-1].cumsum()[::-1]
    return np.minimum.outer(to_end, to_end)


@pytest.fixture(params=[0, 10**9], ids=["torch", "lapack"])
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mho.circuits.lines.FEW", request.param)


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize("dim", [0, 1])
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 4, 2), (6, 1, 3), (5, 7, 1), (4, 3, 2)])
@pytest.mark.parametrize("zero", [0.0, 0.5, 1.1])
def test_lines_are_solved(shape: tuple[int, int, int], dim: int, zero: float) -> None:
    """(1 + P D) u = P b, which needs no inverse of P; along either dimension of an array."""
    r, leak, current = (uniform(*shape, seed=k) for k in range(3))
    r[uniform(*shape, seed=3) < zero] = 0
    leak[uniform(*shape, seed=4) < 0.3] = 0
    turned = [x.transpose(0, dim) for x in (r, leak, current)]
    drop, u = line_drop(r, current, dim).transpose(0, dim), current.clone().transpose(0, dim)
    Lines(*turned[:2]).solve_(u)
    for a in range(u.shape[1]):
        for b in range(u.shape[2]):
            ohm, siemens, ampere = (x[:, a, b].numpy() for x in turned)
            p = resistances(ohm)
            expected = np.linalg.solve(np.eye(len(p)) + p * siemens, p @ ampere)
            np.testing.assert_allclose(u[:, a, b], expected, rtol=1e-12, atol=1e-15)
            np.testing.assert_allclose(drop[:, a, b], p @ ampere, rtol=1e-13, atol=1e-15)


@pytest.mark.usefixtures("_way")
def test_thin_wires_lose_no_digits() -> None:
    """Cells of 1 G ohm, wires of 1 n ohm: nodal analysis has none left."""
    r, leak = torch.full((2, 50, 1, 1), 1e-9, dtype=torch.float64)
    current = uniform(50, 1, 1, seed=0)
    u = current.clone()
    Lines(r, leak).solve_(u)
    torch.testing.assert_close(u, line_drop(r, current, 0), rtol=1e-14, atol=0)


@pytest.mark.usefixtures("_way")
@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 2**31), st.floats(0, 1))
def test_a_linear_circuit_is_solved(rows: int, cols: int, seed: int, zero: float) -> None:
    """z = Z (1 + D Z)^-1 q."""
    row, col, slope, q = (uniform(rows, cols, 1, seed=seed + k) for k in range(4))
    row[uniform(rows, cols, 1, seed=seed + 4) < zero] = 0
    col[uniform(rows, cols, 1, seed=seed + 5) < zero] = 0
    slope[uniform(rows, cols, 1, seed=seed + 6) < 0.3] = 0
    z, left = LinearCircuit(row, col, slope).solve(q - 0.5, 1e-14)
    whole = np.zeros((rows, cols, rows, cols))
    for i in range(rows):
        whole[i, :, i, :] += resistances(row[i, :, 0].numpy())
    for j in range(cols):
        whole[:, j, :, j] += resistances(col[:, j, 0].numpy())
    whole = whole.reshape(rows * cols, -1)
    d, b = slope.numpy().reshape(-1, 1), q.numpy().ravel() - 0.5
    expected = whole @ np.linalg.solve(np.eye(len(whole)) + d * whole, b)
    np.testing.assert_allclose(z.numpy().ravel(), expected, rtol=0, atol=1e-12)
    assert (left <= 1e-14).all()
