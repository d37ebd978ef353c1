"""Voltages across the cells of an array with wires, by Newton's method.

With x the voltages across the cells and i(x) their currents, Kirchhoff's laws are

    F(x) = x - V + (P + Q) i(x) = 0

where P i and Q i are what the currents drop along word lines and bit lines (`line_drop`). No
resistance stands below a fraction. Arrays come last, and turned so that all lines begin at their
open ends: (rows, cols, k), word lines driven behind their last column.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mho.errors import NotConverged
from mho.hardware.lines import Lines, line_drop
from mho.physics.conduction import Conduction

AT_ONCE = {True: 2**17, False: 2**24}
"""Cells that are solved at once: on a CPU (True) what fits into its cache, elsewhere (False)."""
STEPS = 200
"""Newton steps before it is given up."""
HALVINGS = 40
"""How often a step is halved that makes things worse."""
LOOSEST = 1e-3
"""Part of its error that conjugate gradients may leave of a Newton step."""
ITERATIONS = 1000
"""Of conjugate gradients, for one system."""


@dataclass(frozen=True)
class Circuit:
    """Arrays with wires, and the voltages of their drivers."""

    g: Float[Tensor, "rows cols k"]
    v: Float[Tensor, "rows k"]
    row: Float[Tensor, "rows cols k"]
    col: Float[Tensor, "rows cols k"]
    conduction: Conduction

    def at(self, where: Bool[Tensor, " k"] | slice) -> Circuit:
        """Some of the arrays."""
        parts = {name: getattr(self, name)[..., where] for name in ("g", "v", "row", "col")}
        return replace(self, **parts)

    def chunks(self) -> Iterator[slice]:
        """Arrays to be solved at once."""
        rows, cols, k = self.g.shape
        many = max(1, AT_ONCE[self.g.device.type == "cpu"] // (rows * cols))
        return (slice(at, at + many) for at in range(0, k, many))

    def word_drop(self, current: Float[Tensor, "rows cols k"]) -> Float[Tensor, "rows cols k"]:
        """P i: between the drivers and the word line at each cell [V]."""
        return line_drop(self.row, current, 1)

    def bit_drop(self, current: Float[Tensor, "rows cols k"]) -> Float[Tensor, "rows cols k"]:
        """Q i: between the bit line at each cell and 0 V [V]."""
        return line_drop(self.col, current, 0)

    def residual(self, x: Float[Tensor, "rows cols k"]) -> Float[Tensor, "rows cols k"]:
        """F(x) [V], which is 0 at the operating point."""
        current = self.conduction.current(x, self.g)
        return x - self.v[:, None] + self.word_drop(current) + self.bit_drop(current)

    def span(self) -> Float[Tensor, " k"]:
        """Largest voltage that can be between two nodes: drivers and 0 V bound all of them [V]."""
        return self.v.amax(0).clamp(min=0) - self.v.amin(0).clamp(max=0)

    def linear(self, x: Float[Tensor, "rows cols k"]) -> Linear:
        """What the circuit is for small changes about x."""
        return Linear(self.row, self.col, self.conduction.slope(x, self.g))


class Linear:
    """Arrays of ohmic cells, drivers at 0 V.

    With Z = P + Q and D = slope, currents q put through the cells from outside leave z there:

        z = Z (1 + D Z)^-1 q

    Conjugate gradients on the bit lines' voltages, the word lines being eliminated exactly, with
    the bit lines alone as the preconditioner: (L + D)^-1, and L (L + D)^-1 r = r - D (L + D)^-1 r
    saves the product with L, the inverse of Q, which need not exist.
    """

    def __init__(self, row: Tensor, col: Tensor, slope: Float[Tensor, "rows cols k"]) -> None:
        self.slope = slope
        self._word = Lines(row.transpose(0, 1), slope.transpose(0, 1))
        self._bit = Lines(col, slope)

    def solve(
        self, q: Float[Tensor, "rows cols k"], within: Float[Tensor, " k"] | float
    ) -> tuple[Float[Tensor, "rows cols k"], Float[Tensor, " k"]]:
        """z [V] of q [A], and the part that is left of its error, in the norm of power.

        Args:
            within: what part may be left; more is after `ITERATIONS` only.
        """
        slope, w = self.slope, torch.zeros_like(q)
        r = torch.addcmul(q, slope, self._words(q), value=-1)
        z = self._bit.solve(r)
        power = first = (r * z).sum((0, 1))
        most = first * within**2
        p, ap, again = torch.zeros_like(q), torch.zeros_like(q), torch.zeros_like(first)
        for _ in range(ITERATIONS):
            going = power > most
            if not going.any():
                break
            p.mul_(again).add_(z)
            ap.mul_(again).add_(r).addcmul_(slope, self._words(slope * z), value=-1)
            ahead = torch.where(going, power / (p * ap).sum((0, 1)), 0.0)
            w.addcmul_(ahead, p)
            r.addcmul_(ahead, ap, value=-1)
            z, before = self._bit.solve(r), power
            power = (r * z).sum((0, 1))
            again = torch.where(going, power / before, 0.0)
        left = torch.where(first > 0, power / first, 0.0).sqrt()
        return w + self._words(q - slope * w), left

    def _words(self, current: Tensor) -> Tensor:
        """What currents put into the word lines alone leave there [V]."""
        return self._word.solve(current.transpose(0, 1)).transpose(0, 1)


def voltages(circuit: Circuit, tolerance: float) -> Float[Tensor, "rows cols k"]:
    """Voltages across the cells [V]: F(x) is 0 within `tolerance` times the circuit's span.

    Raises:
        NotConverged: more than `STEPS` steps are needed, or no step makes F less.
    """
    x = torch.empty_like(circuit.g)
    far = torch.empty_like(circuit.v[0])
    steps = 0
    for some in circuit.chunks():
        x[..., some], far[some], taken = _newton(circuit.at(some), tolerance)
        steps = max(steps, taken)
    failed = ~(far <= tolerance)
    if failed.any():
        worst = far.nan_to_num(torch.inf).max().item()
        raise NotConverged(worst, tolerance, int(failed.sum()), len(far), steps)
    return x


def _newton(circuit: Circuit, tolerance: float) -> tuple[Tensor, Tensor, int]:
    """x; how far F(x) is from 0, in spans; steps taken. Arrays that are done are left alone."""
    x = torch.zeros_like(circuit.g)
    f = circuit.residual(x)
    span = circuit.span()
    unit = torch.where(span > 0, span, 1.0)
    far = f.abs().amax((0, 1)) / unit
    for step in range(STEPS):
        todo = ~(far <= tolerance)
        if not todo.any():
            return x, far, step
        where = slice(None) if todo.all() else todo
        part, at, rest, off = circuit.at(where), x[..., where], f[..., where], far[where]
        linear = part.linear(at)
        within = torch.maximum(0.1 * off, 0.1 * tolerance / off).clamp(max=LOOSEST)
        z, _ = linear.solve(-linear.slope * rest, within)
        moved, less = _moved(part, at, rest, -rest - z, span[where])
        stuck = torch.equal(moved, at)
        x[..., where], f[..., where] = moved, less
        far[where] = less.abs().amax((0, 1)) / unit[where]
        if stuck:
            return x, far, step
    return x, far, STEPS


def _moved(
    circuit: Circuit, x: Tensor, f: Tensor, step: Tensor, most: Tensor
) -> tuple[Tensor, Tensor]:
    """Voltages after a step, and their F.

    The step is halved until it lessens the norm of F, and confined to voltages of at most `most`.
    Where nothing helps, nothing moves.
    """
    norm = f.square().sum((0, 1))
    share = torch.ones_like(norm)
    for _ in range(HALVINGS):
        moved = torch.addcmul(x, share, step).clamp(-most, most)
        less = circuit.residual(moved)
        worse = ~(less.square().sum((0, 1)) < norm * (1 - 1e-4 * share))
        if not worse.any():
            return moved, less
        share = torch.where(worse, share / 2, share)
    return torch.where(worse, x, moved), torch.where(worse, f, less)
