"""Currents of an array by Newton's method on Kirchhoff's current law, apart from what mho does."""

import numpy as np
import scipy.sparse as sparse
import torch
from scipy.sparse.linalg import splu
from torch import Tensor

from mho.circuits import Wires
from mho.physics import Conduction


def currents(g: Tensor, v: Tensor, wires: Wires, law: Conduction) -> Tensor:
    """Output currents (cols,) [A] of cells g (rows, cols) [S] driven by v (rows,) [V].

    One unknown for each end of each cell; row and col must have resistance.
    """
    rows, cols = g.shape
    word = np.arange(rows * cols).reshape(rows, cols)
    bit = word + rows * cols
    n = 2 * rows * cols
    to_source = 1 / (wires.source + wires.row)
    to_sense = 1 / (wires.sense + wires.col)
    a = np.concatenate([word[:, 1:].ravel(), bit[1:].ravel()])
    b = np.concatenate([word[:, :-1].ravel(), bit[:-1].ravel()])
    c = np.repeat([1 / wires.row, 1 / wires.col], [rows * (cols - 1), (rows - 1) * cols])
    driven = np.zeros(n)
    fixed = np.zeros(n)  # conductance to a fixed voltage
    for column in (0, -1)[: 1 + wires.both_ends]:
        fixed[word[:, column]] += to_source
        driven[word[:, column]] += to_source * v.numpy()
    fixed[bit[-1]] += to_sense
    lines = _laplacian(a, b, c, n) + sparse.diags(fixed)

    def excess(x: np.ndarray) -> np.ndarray:
        """Current that leaves each node, less that which enters."""
        through = law.current(torch.from_numpy(x[word] - x[bit]), g).numpy().ravel()
        return lines @ x - driven + np.concatenate([through, -through])

    x = np.zeros(n)
    residual = excess(x)
    for _ in range(200):
        slopes = law.slope(torch.from_numpy(x[word] - x[bit]), g).numpy().ravel()
        jacobian = lines + _laplacian(word.ravel(), bit.ravel(), slopes, n)
        step = splu(jacobian.tocsc()).solve(residual)
        share = 1.0
        while not np.linalg.norm(excess(x - share * step)) < np.linalg.norm(residual):
            share /= 2
            if share < 1e-9:  # nothing is gained any more: rounding
                return torch.from_numpy(x[bit[-1]] * to_sense)
        x = x - share * step
        residual = excess(x)
    raise RuntimeError("Newton's method found no operating point")


def _laplacian(a: np.ndarray, b: np.ndarray, c: np.ndarray, n: int) -> sparse.csr_matrix:
    """Conductance matrix of branches c between nodes a and b."""
    pairs = (np.r_[a, b, a, b], np.r_[a, b, b, a])
    return sparse.coo_matrix((np.r_[c, c, -c, -c], pairs), (n, n)).tocsr()
