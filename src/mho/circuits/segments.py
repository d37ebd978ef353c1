"""Cells of an array and the segments of wire beside and below them: checked, of one shape."""

from __future__ import annotations

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from mho.errors import invalid

Resistance = float | Tensor

THIN = {torch.float64: 1e-30, torch.float32: 1e-20}
"""Resistance of a segment that stands for none at all [ohm]."""


def segments(
    g: Shaped[Tensor, "*_ rows cols"],
    r_row: Resistance,
    r_col: Resistance,
    r_source: Resistance,
    r_sense: Resistance,
) -> tuple[
    Float[Tensor, "*lead rows cols"],
    Float[Tensor, "*lead rows cols"],
    Float[Tensor, "*lead rows cols"],
]:
    """Conductance of each cell [S], resistance of the wire to its left and of that below it [ohm].

    Drivers count with the first segments of their rows, amplifiers with the last of their columns.

    Raises:
        ValueError: as `effective_conductance`, whose arguments these are.
    """
    check(g, "g", "S")
    if g.dim() < 2 or min(g.shape[-2:]) < 1:
        raise invalid("g.shape", tuple(g.shape), "(..., rows, cols), at least 1 x 1")
    row, col = _resistance("r_row", r_row, g), _resistance("r_col", r_col, g)
    source = _resistance("r_source", r_source, g, lacks=-1)
    sense = _resistance("r_sense", r_sense, g, lacks=-2)
    shapes = [x.shape for x in (g, row, col, source, sense)]
    try:
        shape = torch.broadcast_shapes(*shapes)
    except RuntimeError:
        leads = [tuple(each[:-2]) for each in shapes]
        what = "leading dimensions of g, r_row, r_col, r_source, r_sense"
        raise invalid(what, leads, "what broadcasts together") from None
    row, col = row.expand(shape), col.expand(shape)
    row = torch.cat([row[..., :1] + source, row[..., 1:]], -1)
    col = torch.cat([col[..., :-1, :], col[..., -1:, :] + sense], -2)
    return g.expand(shape), row, col


def _resistance(name: str, r: Resistance, g: Tensor, lacks: int | None = None) -> Tensor:
    """A resistance in the precision of g, to broadcast with it.

    Args:
        lacks: the dimension of g that it does not have.
    """
    if not isinstance(r, Tensor):
        try:
            r = torch.tensor(float(r), dtype=torch.float64)
        except (TypeError, ValueError):
            raise invalid(name, r, "a number or a tensor [ohm]") from None
    shown = tuple(r.shape)
    check(r, name, "ohm")
    r = r.to(g)
    array = list(g.shape[-2:])
    if lacks is not None:
        array[lacks] = 1
        r = r.unsqueeze(lacks) if r.dim() else r
    fits = [have in (1, want) for have, want in zip(r.shape[::-1], array[::-1], strict=False)]
    if not all(fits):
        full = [n for k, n in enumerate(g.shape[-2:], -2) if k != lacks]
        allowed = f"a number, or what broadcasts with (..., {', '.join(map(str, full))})"
        raise invalid(f"{name}.shape", shown, allowed)
    return r


def thin(row: Float[Tensor, "*_ cols"]) -> Float[Tensor, "*_ cols"]:
    """Rows without any resistance as rows of thin wire.

    Two drivers with nothing between them share the current as in the limit of such wire.
    """
    return row + THIN[row.dtype] * (row.sum(-1, keepdim=True) == 0)


def check(values: Tensor, name: str, unit: str, *, signed: bool = False) -> None:
    """Refuse what is no conductance, no resistance, or (signed) no voltage."""
    if values.dtype not in (torch.float32, torch.float64):
        raise invalid(f"{name}.dtype", values.dtype, "torch.float32 or torch.float64")
    good = values.isfinite() if signed else (values >= 0) & (values < torch.inf)
    if not good.all():
        index = (~good).nonzero()[0].tolist()
        where = f"{name}{index}" if index else name
        allowed = f"a finite number [{unit}]" if signed else f"0 {unit} or more, and finite"
        raise invalid(where, values[tuple(index)].item(), allowed)
