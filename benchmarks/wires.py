"""Effective conductance of arrays with wires against badcrossbar 1.1.0 and against plain matmuls.

Cells of 10k to 1M ohm, wires of 1 ohm a segment; processor time of one thread, medians of rounds in
turn. badcrossbar solves Kirchhoff's equations for the inputs given; ours gives a matrix once, with
which inputs are multiplied. The floor: matmuls of N x N with the operations of the published
algorithm, 56 N^3. badcrossbar is no dependency: pip install badcrossbar==1.1.0 (it needs cairo).
Accuracy is that of every entry against nodal analysis by a sparse LU, cells of 1k to 10M ohm.
Run: python benchmarks/wires.py [--sizes 32 64 128] [--inputs 1000] [--large] [--accuracy]
"""

from __future__ import annotations

import argparse
import logging
import resource
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sparse
import torch
from scipy.sparse.linalg import splu
from torch import Tensor

import mho
from timing import in_turn, seconds

R = 1.0
"""Of a segment [ohm]."""


def cells(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    """Log-uniform conductances [S]."""
    return 10 ** (torch.rand(shape, dtype=dtype) * 2 - 6)


@torch.no_grad()
def ours(g: Tensor, v: Tensor | None = None) -> Tensor:
    """The matrix, or currents (inputs, cols) of all inputs (inputs, rows)."""
    effective = mho.circuits.effective_conductance(g, R, R)
    return effective if v is None else v @ effective


def trained(g: Tensor) -> None:
    """The matrix and its derivative."""
    mho.circuits.effective_conductance(g.requires_grad_(), R, R).sum().backward()


def nodal(g: Tensor, r: float) -> Tensor:
    """Kirchhoff's current law at every node, float64."""
    n = len(g)
    word = np.arange(n * n).reshape(n, n)
    left = np.c_[2 * n * n + np.arange(n), word[:, :-1]]
    below = np.r_[word[1:] + n * n, np.full((1, n), 2 * n * n + n)]
    ends = [(word, word + n * n, g.numpy()), (word, left, 1 / r), (word + n * n, below, 1 / r)]
    a, b, c = (
        np.concatenate([np.broadcast_to(end[k], (n, n)).ravel() for end in ends]) for k in range(3)
    )
    matrix = sparse.coo_matrix(
        (np.r_[c, c, -c, -c], (np.r_[a, b, a, b], np.r_[a, b, b, a]))
    ).tocsc()
    free = 2 * n * n
    driven = -matrix[:free, free : free + n].toarray()
    volts = splu(matrix[:free, :free], "MMD_AT_PLUS_A", options={"SymmetricMode": True}).solve(
        driven
    )
    return torch.from_numpy(volts[free - n :].T / r)


def accuracy(sizes: list[int]) -> None:
    """Table: largest relative error of any entry."""
    print(f"{'N':>6}{'r [ohm]':>9}{'float64':>10}{'float32':>10}   largest error of an entry")
    for n in sizes:
        g = 10 ** (torch.rand(n, n, dtype=torch.float64) * 4 - 7)
        for r in (0.1, 1.0, 10.0):
            exact = nodal(g, r)
            found = (
                mho.circuits.effective_conductance(g.to(t), r, r) for t in (g.dtype, torch.float32)
            )
            errors = (((x.double() - exact) / exact).abs().max().item() for x in found)
            print(f"{n:6}{r:9}" + "".join(f"{e:10.1e}" for e in errors), flush=True)
    print()


def floor(n: int, dtype: torch.dtype, count: int = 1) -> Callable[[], None]:
    """28 matmuls of n x n, of `count` tiles at once."""
    a, b = torch.rand(2, count, n, n, dtype=dtype)

    def run() -> None:
        for _ in range(28):
            a @ b

    return run


def rival() -> Any:
    """badcrossbar if it can be imported; says what is missing otherwise."""
    try:
        import badcrossbar  # type: ignore[import-not-found]
    except ImportError as error:
        print(f"badcrossbar is left out: {error} (pip install badcrossbar==1.1.0)\n")
        return None
    logging.disable(logging.INFO)
    return badcrossbar


def against_matmuls(sizes: list[int], rounds: int) -> None:
    """Table: one array, and many tiles."""
    head = f"{'arrays':>6}{'N':>6}{'':>9}{'floor [ms]':>12}{'ours [ms]':>11}{'ratio':>7}"
    print(head + f"{'+ backward [ms]':>17}   per array")
    for count, n in [*((1, n) for n in sizes), (256, 32)]:
        for dtype in (torch.float64, torch.float32):
            g = cells(count, n, n, dtype=dtype)
            many = max(1, rounds // 2) if count > 1 else rounds
            base, own, ratio = in_turn(floor(n, dtype, count), lambda g=g: ours(g), many)
            both = min(seconds(lambda g=g: trained(g)) for _ in range(3))
            base, own, both = (1e3 * t / count for t in (base, own, both))
            row = f"{count:6}{n:6}{str(dtype)[6:]:>9}{base:12.3f}{own:11.3f}{ratio:7.1f}"
            print(row + f"{both:17.3f}", flush=True)


def against_badcrossbar(badcrossbar: Any, sizes: list[int], inputs: int, rounds: int) -> None:
    """Table: a single input, and many."""
    print(f"\n{'N':>6}{'inputs':>8}{'badcrossbar [ms]':>18}{'ours [ms]':>11}{'times':>7}  currents")
    for n in sizes:
        g = cells(n, n)
        ohm = (1 / g).numpy()
        for count in (1, inputs):
            v = torch.rand(count, n, dtype=torch.float64)

            def solve(v: Tensor = v, ohm: Any = ohm) -> Any:
                return badcrossbar.compute(
                    v.T.numpy(), ohm, r_i=R, node_voltages=False, all_currents=False
                )

            theirs = torch.from_numpy(solve().currents.output).reshape(count, n)
            off = (theirs / ours(g, v) - 1).abs().max().item()
            few = rounds if count == 1 else max(1, rounds // 5)
            own, peer, _ = in_turn(lambda g=g, v=v: ours(g, v), solve, few)
            row = f"{n:6}{count:8}{1e3 * peer:18.1f}{1e3 * own:11.2f}{peer / own:7.0f}"
            print(row + f"  {off:.0e} apart", flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 64, 128])
    parser.add_argument("--inputs", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--large", action="store_true", help="one array of 1024 x 1024, memory too")
    parser.add_argument(
        "--accuracy", action="store_true", help="against nodal analysis, to N = 256"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    if options.large:
        g = cells(1024, 1024, dtype=torch.float32)
        spent = seconds(lambda: ours(g))
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
        print(f"N = 1024, float32: {spent:.2f} s, {most:.2f} GB at most in the process\n")
    if options.accuracy:
        accuracy([16, 64, 128, 256])
    against_matmuls(options.sizes, options.rounds)
    badcrossbar = rival()
    if badcrossbar is not None:
        against_badcrossbar(badcrossbar, options.sizes, options.inputs, options.rounds)


if __name__ == "__main__":
    main()
