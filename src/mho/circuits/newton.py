"""Voltages across the cells of an array with wires, by Newton's method.

Each step solves the linear circuit about the voltages so far, the more exactly the closer they are.
All arrays step at once, each until it is done.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from mho.circuits.circuit import Circuit
from mho.errors import NotConverged

STEPS = 200
"""Newton steps before it is given up."""
HALVINGS = 40
"""How often a step is halved that makes things worse."""
LOOSEST = 1e-3
"""Part of its error that conjugate gradients may leave of a Newton step."""


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
        moved, less = _moved(part, at, rest, -rest - z)
        stuck = torch.equal(moved, at)
        x[..., where], f[..., where] = moved, less
        far[where] = less.abs().amax((0, 1)) / unit[where]
        if stuck:
            return x, far, step
    return x, far, STEPS


def _moved(circuit: Circuit, x: Tensor, f: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
    """Voltages after a step, and their F.

    The step is halved until it lessens the norm of F: exponentials neither overflow nor overshoot.
    Where nothing helps, nothing moves.
    """
    norm = f.square().sum((0, 1))
    share = torch.ones_like(norm)
    moved, less, worse = x, f, norm > 0
    for _ in range(HALVINGS):
        moved = torch.addcmul(x, share, step)
        less = circuit.residual(moved)
        worse = ~(less.square().sum((0, 1)) < norm * (1 - 1e-4 * share))
        if not worse.any():
            break
        share = torch.where(worse, share / 2, share)
    return torch.where(worse, x, moved), torch.where(worse, f, less)
