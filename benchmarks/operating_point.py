"""Operating points of arrays with wires against a plain sparse Newton and against plain passes.

Cells of 1k to 10k ohm, wires of 5 ohm a segment, inputs of 0 to 0.5 V; processor time of one thread
for an input, medians of rounds in turn. The rival: Newton's method on the voltages of all nodes,
SuperLU in each step, input by input (two of a batch are timed). The floor: as many multiply-add
passes over arrays of the same size, in the same parts, as ours makes: ten for each solution along
all lines, two of which are an iteration of conjugate gradients (four along the lines, six on whole
vectors). Single inputs go along the lines by LAPACK, in a pass of less memory and more waiting.
Run: python benchmarks/operating_point.py [--sizes 16 64 128] [--inputs 100] [--rounds 3]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from unittest import mock

import numpy as np
import scipy.sparse as sparse
import torch
from scipy.sparse.linalg import splu
from torch import Tensor

import mho
from mho.circuits.circuit import AT_ONCE
from mho.circuits.lines import Lines
from timing import in_turn, seconds

R = 5.0
"""Of a segment [ohm]."""


class SparseNewton:
    """The obvious alternative, its matrices assembled once."""

    def __init__(self, g: Tensor, conduction: mho.circuits.Conduction) -> None:
        rows, cols = g.shape
        count = rows * cols
        node = np.arange(count).reshape(rows, cols)
        driver, ground = 2 * count + np.arange(rows), 2 * count + rows
        left = np.concatenate([driver[:, None], node[:, :-1]], 1).ravel()
        below = np.concatenate([node[1:] + count, np.full((1, cols), ground)], 0).ravel()
        ends = np.concatenate([left, below])
        here = np.arange(2 * count)
        wires = sparse.coo_matrix(
            (np.r_[0 * here + 1.0, 0 * here + 1.0], (np.r_[here, ends], np.r_[here, ends]))
        )
        between = sparse.coo_matrix(
            (0 * here - 1.0, (here, ends)), (ground + 1, ground + 1), dtype=float
        )
        whole = ((wires + between + between.T) / R).tocsr()[: 2 * count]
        self.wires, self.drivers = whole[:, : 2 * count], whole[:, driver]
        self.across = sparse.hstack([sparse.eye(count), -sparse.eye(count)]).tocsr()
        self.g, self.conduction = g, conduction

    def outputs(self, v: Tensor) -> Tensor:
        """Output currents of one input [A]."""
        volts, source = np.zeros(self.wires.shape[0]), self.drivers @ v.numpy()
        while True:
            x = torch.from_numpy(self.across @ volts).view(self.g.shape)
            current = self.conduction.current(x, self.g)
            lack = self.wires @ volts + source + self.across.T @ current.numpy().ravel()
            slope = sparse.diags(self.conduction.slope(x, self.g).numpy().ravel())
            slopes = (self.wires + self.across.T @ slope @ self.across).tocsc()
            factors = splu(slopes, permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True})
            step = factors.solve(lack)
            volts -= step
            linear = isinstance(self.conduction, mho.circuits.Ohmic)
            if linear or np.abs(step).max() < 1e-7:  # its square is next
                x = torch.from_numpy(self.across @ volts).view(self.g.shape)
                return self.conduction.current(x, self.g).sum(0)


def floor(n: int, inputs: int, passes: int) -> Callable[[], None]:
    """Passes over n x n cells of all inputs."""
    at_once = min(inputs, max(1, AT_ONCE[True] // n**2))
    out, a, b = torch.rand(3, n, n, at_once, dtype=torch.float64)

    def run() -> None:
        for _ in range(passes * inputs // at_once):
            out.addcmul_(a, b, value=1e-9)

    return run


def line_solutions(work: Callable[[], object], parts: int) -> int:
    """How often all lines are solved, of one part of a batch on average."""
    plain = Lines.solve_
    with mock.patch.object(Lines, "solve_", autospec=True, side_effect=plain) as solve:
        work()
    return solve.call_count // parts


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[16, 64, 128])
    parser.add_argument("--inputs", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    head = f"{'cells':>6}{'N':>5}{'inputs':>8}{'sparse [ms]':>13}{'ours [ms]':>11}{'times':>7}"
    head += f"{'floor [ms]':>12}{'ratio':>7}{'+ backward [ms]':>17}"
    print(head + "  per input; output currents")
    for law in (mho.circuits.Ohmic(), mho.circuits.Sinh(), mho.circuits.Transistor()):
        for n in options.sizes:
            g = 10 ** (-3 - torch.rand(n, n, dtype=torch.float64))
            sparse_newton = SparseNewton(g, law)
            for inputs in (1, options.inputs):
                v = 0.5 * torch.rand(inputs, n, dtype=torch.float64)

                def ours(
                    v: Tensor = v, g: Tensor = g, law: mho.circuits.Conduction = law
                ) -> Tensor:
                    return mho.circuits.operating_point(g, v, R, R, conduction=law).output_current

                def trained(g: Tensor = g, ours: Callable[..., Tensor] = ours) -> None:
                    ours(g=g.clone().requires_grad_()).sum().backward()

                few = v[:2]
                theirs = torch.stack([sparse_newton.outputs(x) for x in few])
                off = (theirs / ours()[:2] - 1).abs().max().item()
                peer = min(
                    seconds(lambda few=few, s=sparse_newton: [s.outputs(x) for x in few])
                    for _ in range(2)
                ) / len(few)
                parts = -(-inputs // max(1, AT_ONCE[True] // n**2))
                passes = 10 * line_solutions(ours, parts)
                base, own, ratio = in_turn(floor(n, inputs, passes), ours, options.rounds)
                both = min(seconds(trained) for _ in range(2))
                base, own, both, peer = (1e3 * t for t in (base, own, both, peer * inputs))
                row = f"{law.family:>6}{n:5}{inputs:8}{peer / inputs:13.2f}{own / inputs:11.3f}"
                row += f"{peer / own:7.0f}{base / inputs:12.3f}{ratio:7.1f}{both / inputs:17.3f}"
                print(row + f"  {off:.0e} apart", flush=True)


if __name__ == "__main__":
    main()
