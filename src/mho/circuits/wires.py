"""What wires of finite resistance make of an array of ohmic cells: another, smaller conductance."""

from __future__ import annotations

from jaxtyping import Float, Shaped
from torch import Tensor

from mho.arguments import checked
from mho.circuits.segments import Resistance, segments
from mho.circuits.two_ports import conductance


@checked
def effective_conductance(
    g: Shaped[Tensor, "*_ rows cols"],
    r_row: Resistance,
    r_col: Resistance,
    r_source: Resistance = 0.0,
    r_sense: Resistance = 0.0,
    *,
    both_ends: bool = False,
) -> Float[Tensor, "*lead rows cols"]:
    """Conductance matrix that an array shows at its ends, wires included: i = v @ G_eff.

    Row i is driven at its left end, its right end is open or driven too; column j is held at 0 V
    below its last cell, its upper end is open. Between the source V_i and the word line of cell
    (i, j) lie the resistances of r_source and of the j + 1 segments up to there; below it, those of
    rows - i segments and of r_sense:

        V_i -(r_source + r_row)- u[i,0] -r_row- u[i,1] ...        cell g[i,j] from u[i,j] to w[i,j]
        w[0,j] -r_col- w[1,j] ... w[rows-1,j] -(r_col + r_sense)- 0 V

    Exact: a direct solution of Kirchhoff's equations, in O(N^3) operations for N x N cells and
    without a right-hand side. All arrays are solved at once, and results are differentiable in g
    and in the resistances, once, also where those are zero. Every entry is right to 3e-12 of itself
    in float64 and to 6e-6 in float32 (256 x 256 cells of 1k to 10M ohm, wires up to 10 ohm); with
    both ends driven, to 3e-5 in float32.

    Args:
        g: conductance of the cells [S], (..., rows, cols), float32 or float64; 0: an open cell.
        r_row: word line from a cell to its left neighbour, the first one's to the driver [ohm]:
            a number, or a tensor that broadcasts with g, a segment for each cell.
        r_col: bit line from a cell to the one below, the last one's to the amplifier [ohm]: as
            r_row.
        r_source: of the driver of each row [ohm]: a number, or a tensor (..., rows).
        r_sense: of the amplifier of each column [ohm]: a number, or a tensor (..., cols).
        both_ends: whether each row is driven at its right end too, by a second driver of the same
            voltage, through r_source and a segment like the row's first. The derivative in a row of
            no resistance at all is then that of a row whose segments grow alike.

    Returns:
        Effective conductance [S], shape and dtype of g; leading dimensions of g and of the
        resistances are broadcast.

    Raises:
        ValueError: g is not float32 or float64 or has no rows and columns; shapes do not fit; a
            conductance or resistance is negative, infinite or nan.

    Sources: nested dissection (A. George, SIAM J. Numer. Anal. 10 (1973) 345) in hybrid parameters
    joined by star products (R. Redheffer, J. Math. Phys. 41 (1962) 1).
    """
    g, row, col = segments(g, r_row, r_col, r_source, r_sense)
    if not g.numel():
        return g.clone()
    arrays = (x.reshape(-1, *g.shape[-2:]) for x in (g, row, col))
    return conductance(*arrays, both_ends=both_ends).reshape(g.shape)
