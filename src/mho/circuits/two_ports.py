"""Crossbars with wires as networks of blocks, in a form that has no singular limit.

A block of cells is driven where the current comes from and goes to: voltages are given at its left
ends V_L and lower ends V_B, currents at its right ends I_R and upper ends I_T. A symmetric matrix
answers with the other half,

    [I_L, I_B, -V_R, -V_T] = M [V_L, V_B, I_R, I_T],     M = [[G, -W^T], [-W, -R]]

(currents counted into the block). G [S] is a conductance, R [ohm] a resistance, W [1] divides
voltages: none of them becomes infinite in a wire of no resistance or an open cell.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from mho.circuits.blocks import join_all
from mho.circuits.segments import thin
from mho.circuits.star_product import star_product


def conductance(
    g: Float[Tensor, "k rows cols"],
    row: Float[Tensor, "k rows cols"],
    col: Float[Tensor, "k rows cols"],
    *,
    both_ends: bool = False,
) -> Float[Tensor, "k rows cols"]:
    """Effective conductance [S]; `row`, `col`: wire before and below each cell [ohm].

    A second driver at the right, behind r_end, gives (R + r_end) I_R = V - W_L V: at the lower ends
    arrives G_LB + (1 - W_L)^T (R + r_end)^-1 W_B, but for the sign of the first.
    """
    rows, driven = g.shape[1], sum(g.shape[1:])
    if both_ends:
        row = thin(row)
    whole = join_all(_cells(g, row, col), star_product, keep_right=both_ends).matrix[:, 0, 0]
    # Twice the same numbers, so that the gradient of M is symmetric as M is.
    direct = -(whole[:, :rows, rows:driven] + whole[:, rows:driven, :rows].mT) / 2
    if not both_ends:
        return direct
    right = slice(driven, driven + rows)
    given = -(whole[:, right, :driven] + whole[:, :driven, right].mT).flip(1) / 2
    from_left, from_below = given[..., :rows], given[..., rows:]
    resistance = -(whole[:, right, right] + whole[:, right, right].mT).flip(1, 2) / 2
    # Lines of W add up to 1: so found, what 1 - W_L lacks of 1 keeps its digits.
    others = from_left - torch.diag_embed(from_left.diagonal(dim1=1, dim2=2))
    missing = torch.diag_embed(others.sum(-1) + from_below.sum(-1)) - others
    ends = resistance + torch.diag_embed(row[..., 0])
    return direct + missing.mT @ torch.linalg.solve(ends, from_below)


def _cells(
    g: Float[Tensor, "k rows cols"],
    r: Float[Tensor, "k rows cols"],
    s: Float[Tensor, "k rows cols"],
) -> Float[Tensor, "k rows cols 4 4"]:
    """M of every cell with the wire r at its left and s below it.

    The cell carries q (V_L - V_B + r I_R - s I_T) with q = g / (1 + g (r + s)). The matrix comes
    first in memory: blocks are many and small.
    """
    share = 1 / (1 + g * (r + s))
    q, left, below = g * share, (1 + g * s) * share, (1 + g * r) * share
    rq, sq, rsq = r * q, s * q, r * s * q
    lines = (
        (q, -q, -left, -sq),
        (-q, q, -rq, -below),
        (-left, -rq, -r * left, -rsq),
        (-sq, -below, -rsq, -s * below),
    )
    entries = torch.stack([x for line in lines for x in line]).unflatten(0, (4, 4))
    return entries.movedim((0, 1), (-2, -1))
