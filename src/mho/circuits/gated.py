"""Arrays whose word lines drive the gates of transistors: current comes from lines of its own."""

from __future__ import annotations

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from mho.arguments import checked
from mho.circuits.segments import Resistance, segments
from mho.errors import InvalidInput, invalid


@checked
def gated_current(
    g: Shaped[Tensor, "*_ rows cols"],
    on: Shaped[Tensor, "*_"],
    r_line: Resistance,
    r_col: Resistance,
    r_source: Resistance = 0.0,
    r_sense: Resistance = 0.0,
) -> Float[Tensor, "*lead cols"]:
    """Current of each column over the voltage of the source lines, cells of some rows being on.

    A source line runs beside each bit line and is driven above its first cell, where the bit line
    is open; cell (i, j) joins the two where word line i turns its transistor on, an ideal switch:

        V -(r_source + r_line)- s[0,j] -r_line- s[1,j] ...        cell g[i,j] from s[i,j] to w[i,j]
        w[0,j] -r_col- w[1,j] ... w[rows-1,j] -(r_col + r_sense)- 0 V

    What a cell gives depends on which others of its column are on, so that there is no matrix for
    all inputs. Exact: the hybrid two-port of a column's first cells is joined with the next cell,
    row by row, in O(rows) operations; nothing is subtracted but from 1, no formula divides by a
    resistance, and it is differentiable.

    Args:
        g: conductance of the cells [S], (..., rows, cols), float32 or float64; 0: an open cell.
        on: which rows are on, (..., rows), bool. Leading dimensions of g and on are broadcast: an
            array of inputs needs g of shape (..., 1, rows, cols).
        r_line: source line from a cell to the one above, the first one's to the driver [ohm]: a
            number, or a tensor that broadcasts with g.
        r_col: bit line, as in `effective_conductance` [ohm].
        r_source: of the driver of each source line [ohm]: a number, or a tensor (..., cols).
        r_sense: of the amplifier of each column [ohm]: a number, or a tensor (..., cols).

    Returns:
        Currents over the voltage [S], (..., cols), in the precision of g.

    Raises:
        ValueError: as `effective_conductance`; `on` is not bool or does not fit.

    Source: arrays of separate source lines as in CrossSim (Sandia National Laboratories).
    """
    return _current(*_ladders(g, on, r_line, r_col, r_source, r_sense))


@checked
def gated_conductance(
    g: Shaped[Tensor, "*_ rows cols"],
    on: Shaped[Tensor, "*_"],
    r_line: Resistance,
    r_col: Resistance,
    r_source: Resistance = 0.0,
    r_sense: Resistance = 0.0,
) -> Float[Tensor, "*lead rows cols"]:
    """Current of each cell over the voltage of the source lines [S], as in `gated_current`, whose
    columns are the sums of these; arguments and errors as there."""
    cells, line, col = _ladders(g, on, r_line, r_col, r_source, r_sense)
    total, steps = _current(cells, line, col, keep := []), keep
    p, k = steps[-1]
    last = cells.shape[-2] - 1
    across = torch.where(p > 0, k / p.clamp(min=_LEAST[p.dtype]), 0.0) * total
    found = [cells[..., last, :] * across]
    for i in reversed(range(last)):
        p, k = steps[i]
        a, b = line[..., i + 1, :], col[..., i, :]
        across = (across + ((a + b) * k - b) * total) / (1 + (a + b) * p)
        found.append(cells[..., i, :] * across)
    return torch.stack(found[::-1], -2)


_LEAST = {torch.float32: 1e-38, torch.float64: 1e-300}
"""What stands for no conductance at all [S]."""


def _ladders(
    g: Tensor, on: Tensor, r_line: Resistance, r_col: Resistance, r_source: Resistance,
    r_sense: Resistance,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """Cells that conduct [S], the source line above each and the bit line below it [ohm]."""
    sideways = r_line.mT if isinstance(r_line, Tensor) and r_line.dim() > 1 else r_line
    cells, _, col = segments(g, 0.0, r_col, 0.0, r_sense)
    try:
        line = segments(g.mT, sideways, 0.0, r_source, 0.0)[1].mT
    except InvalidInput as error:  # rows of the transposed array are the source lines
        raise InvalidInput(str(error).replace("r_row", "r_line")) from None
    if on.dtype != torch.bool:
        raise invalid("on.dtype", on.dtype, "torch.bool")
    if not on.dim() or on.shape[-1] != g.shape[-2]:
        raise invalid("on.shape", tuple(on.shape), f"(..., {g.shape[-2]}), a row each")
    try:
        torch.broadcast_shapes(on.shape[:-1], cells.shape[:-2], line.shape[:-2])
    except RuntimeError:
        leads = [tuple(on.shape[:-1]), tuple(g.shape[:-2])]
        allowed = "what broadcasts together"
        raise invalid("leading dimensions of on and g", leads, allowed) from None
    return cells * on.unsqueeze(-1), line, col


def _current(
    cells: Tensor, line: Tensor, col: Tensor, steps: list[tuple[Tensor, Tensor]] | None = None
) -> Tensor:
    """Current of each column over the voltage.

    With I its current, the part of a column down to row i answers a voltage d I across cell i with
    a share u of I in the bit line, and with e I between the driver and the bit line:

        u = p d + 1 - k,    e = k d + h

    Args:
        steps: receives p and k of each row.
    """
    p, h = cells[..., 0, :], line[..., 0, :]
    k = torch.ones_like(p)
    if steps is not None:
        steps.append((p, k))
    for i in range(1, cells.shape[-2]):
        a, b = line[..., i, :], col[..., i - 1, :]
        joined = 1 + (a + b) * p
        h = h + (b * (1 - k) ** 2 + a * k**2 + a * b * p) / joined
        k = (k + b * p) / joined
        p = p / joined + cells[..., i, :]
        if steps is not None:
            steps.append((p, k))
    # all of the current is in the bit line at last: u = 1
    least = _LEAST[p.dtype]
    return torch.where(p > 0, p / (k**2 + p * (h + col[..., -1, :])).clamp(min=least), 0.0)
