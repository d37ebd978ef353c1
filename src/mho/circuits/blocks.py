"""Rectangular blocks of an array, joined two by two until one is left (nested dissection).

A block has ends on its rim, listed counter-clockwise from the top left corner: the left ends of its
word lines from top to bottom, the lower ends of its bit lines from left to right, the right ends
from bottom to top, the upper ends from right to left. Blocks at the top of the array have no upper
ends, as its bit lines end open there; blocks at the right rim have right ends only where a second
driver is connected.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Block:
    """Equal blocks of k arrays, i x j of each, with the matrix over their ends."""

    matrix: Float[Tensor, "k i j ends ends"]
    rows: int
    cols: int

    def at(self, axis: int, where: slice) -> Block:
        """Some of the blocks, along their rows (1) or columns (2)."""
        index = (slice(None),) * axis + (where,)
        return Block(self.matrix[index], self.rows, self.cols)

    def split(self, axis: int) -> tuple[Block, Block]:
        """The blocks next to the upper (1) or right rim (2), and all others."""
        if axis == 1:
            return self.at(1, slice(1)), self.at(1, slice(1, None))
        return self.at(2, slice(-1, None)), self.at(2, slice(-1))

    def closed(self, axis: int) -> Block:
        """Without the upper (1) or right ends (2): no current is given there."""
        matrix, driven = self.matrix, self.rows + self.cols
        if axis == 1:
            matrix = matrix[..., : -self.cols, : -self.cols]
        else:
            keep = [*range(driven), *range(driven + self.rows, matrix.shape[-1])]
            matrix = matrix[..., keep, :][..., keep]
        return Block(matrix, self.rows, self.cols)


@dataclass(frozen=True)
class Seam:
    """Where two neighbours meet, and in which order the ends follow that are left.

    Those of the guest stand together, from `at` to `to`, between those of the host: as many as
    before and behind the ends that the host shares. The guest shares its first or last ends, in the
    reverse order.
    """

    at: int
    to: int
    ends: int
    """How many are shared."""
    driven: int
    """How many of those left, the first ones, are left ends or lower ends."""
    guest_first: bool
    """Whether it is the first ends of the guest (on the right of the host) or the last (below)."""

    @property
    def guest_shared(self) -> slice:
        """Shared ends of the guest."""
        return slice(None, self.ends) if self.guest_first else slice(-self.ends, None)

    @property
    def guest_outer(self) -> slice:
        """All other ends of the guest."""
        return slice(self.ends, None) if self.guest_first else slice(None, -self.ends)


Join = Callable[[Tensor, Tensor, Seam], Tensor]
"""Matrix over the ends that are left, of the matrices of host and guest."""

WORTHWHILE = 4096
"""Cells at a rim of all arrays from which on its blocks are joined apart, without open ends."""


def join_all(
    cells: Float[Tensor, "k rows cols 4 4"], join: Join, *, keep_right: bool = False
) -> Block:
    """Join the cells of each array until one block is left: along columns and along rows in turn.

    Open ends at the rim of the array do no harm. They are dropped where that is worth the calls, as
    blocks are of four kinds from then on, or where the number of blocks is odd.

    Args:
        keep_right: whether the block that is left has right ends for certain.
    """
    k, rows, cols = cells.shape[:3]
    inside, right, top, corner = Block(cells, 1, 1), None, None, None
    while inside or right or top:
        inside, right = _halved(inside, right, 2, k * rows, join, not keep_right)
        top, corner = _halved(top, corner, 2, k * rows, join, not keep_right)
        inside, top = _halved(inside, top, 1, k * cols, join, True)
        right, corner = _halved(right, corner, 1, k * cols, join, True)
    assert corner is not None
    return corner


def _halved(
    blocks: Block | None, rim: Block | None, axis: int, along: int, join: Join, is_open: bool
) -> tuple[Block | None, Block | None]:
    """Join neighbours along an axis; one that is left over joins the block at the rim, or is it.

    Args:
        along: cells along the rim of all arrays.
        is_open: whether no current is given at the rim.
    """
    if blocks is None:
        return None, rim
    n = blocks.matrix.shape[axis]
    deep = blocks.rows if axis == 1 else blocks.cols
    if rim is None and (n % 2 or along * deep >= WORTHWHILE):
        rim, blocks = blocks.split(axis)
        rim, n = rim.closed(axis) if is_open else rim, n - 1
    if n % 2:
        alone, blocks = blocks.split(axis)
        assert rim is not None
        rim = _below(rim, alone, join) if axis == 1 else _beside(alone, rim, join)
    if n < 2:
        return None, rim
    join_two = _below if axis == 1 else _beside
    one, two = blocks.at(axis, slice(None, None, 2)), blocks.at(axis, slice(1, None, 2))
    return join_two(one, two, join), rim


def _beside(left: Block, right: Block, join: Join) -> Block:
    rows, cols = left.rows, left.cols + right.cols
    at, others = rows + left.cols, right.matrix.shape[-1] - rows
    seam = Seam(at, at + others, ends=rows, driven=rows + cols, guest_first=True)
    return Block(join(left.matrix, right.matrix, seam), rows, cols)


def _below(upper: Block, lower: Block, join: Join) -> Block:
    rows, cols = upper.rows + lower.rows, upper.cols
    at, others = upper.rows, lower.matrix.shape[-1] - cols
    seam = Seam(at, at + others, ends=cols, driven=rows + cols, guest_first=False)
    return Block(join(upper.matrix, lower.matrix, seam), rows, cols)
