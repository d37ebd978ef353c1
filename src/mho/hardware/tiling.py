"""Cutting a weight matrix into arrays of bounded size."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Int32, Int64, Shaped
from torch import Tensor

from mho.errors import invalid
from mho.hardware.mapping import Mapping


@dataclass(frozen=True)
class Tiling:
    """Balanced cut of a (in_features, out_features) matrix into equal tiles.

    The number of tiles is the smallest that fits; rows and columns are then shared evenly, so that
    784 inputs on arrays of 128 rows use 7 tiles of 112 rows, none of them half empty.

    With groups, as in grouped convolutions, the outputs are cut into as many equal parts, each of
    which has inputs, and so arrays, of its own.
    """

    in_features: int
    """Inputs of each output: of one group, if there are several."""
    out_features: int
    """Outputs of all groups, one group after another."""
    tile: tuple[int, int]
    """Rows and cell columns of one physical array."""
    mapping: Mapping
    groups: int = 1

    def __post_init__(self) -> None:
        if min(self.in_features, self.out_features) < 1:
            shape = (self.in_features, self.out_features)
            raise invalid("weight matrix (in, out)", shape, "at least 1 x 1")
        if self.groups < 1 or self.out_features % self.groups:
            allowed = f"a whole number that divides the outputs, {self.out_features}"
            raise invalid("groups of a weight matrix", self.groups, allowed)
        if self.tile[0] < self.mapping.lines:
            allowed = f"at least {self.mapping.lines}, those of one input"
            raise invalid("Hardware.tile rows", self.tile[0], allowed)
        if self.mapping.capacity(self.tile[1]) < 1:
            allowed = f"at least {self.mapping.width(1)}, the cells of one weight"
            raise invalid("Hardware.tile columns", self.tile[1], allowed)

    @cached_property
    def grid(self) -> tuple[int, int]:
        """Tiles along the inputs, and along the outputs of all groups."""
        inputs = self.tile[0] // self.mapping.lines
        return -(-self.in_features // inputs), self.groups * self.along

    @cached_property
    def along(self) -> int:
        """Tiles along the outputs of one group."""
        return -(-self.outputs // self.mapping.capacity(self.tile[1]))

    @property
    def inputs(self) -> int:
        """Inputs of all groups."""
        return self.groups * self.in_features

    @property
    def outputs(self) -> int:
        """Outputs of one group."""
        return self.out_features // self.groups

    @cached_property
    def rows(self) -> int:
        """Inputs of each tile: its rows in use, but for interleaved pairs."""
        return -(-self.in_features // self.grid[0])

    @property
    def lines(self) -> int:
        """Rows of cells (word lines) in use of each tile."""
        return self.rows * self.mapping.lines

    @cached_property
    def cols(self) -> int:
        """Weight columns of each tile."""
        return -(-self.outputs // self.along)

    @cached_property
    def width(self) -> int:
        """Cell columns in use of each tile."""
        return self.mapping.width(self.cols)

    @property
    def tiles(self) -> int:
        """Number of tiles."""
        return self.grid[0] * self.grid[1]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(tiles, lines, width): the cells of one chip."""
        return self.tiles, self.lines, self.width

    def cut(
        self, matrix: Shaped[Tensor, "*lead {self.out_features} {self.in_features}"], fill: float
    ) -> Shaped[Tensor, "*lead {self.tiles} {self.rows} {self.cols}"]:
        """Lay (..., out, in) out as (..., tiles, rows, cols), padded with `fill`."""
        r, c = self.grid
        pad = (0, r * self.rows - self.in_features, 0, self.along * self.cols - self.outputs)
        # (..., out, in) -> (..., groups, out of one, in) -> (..., c * cols, r * rows)
        by_group = matrix.unflatten(-2, (self.groups, self.outputs))
        padded = torch.nn.functional.pad(by_group, pad, value=fill).flatten(-3, -2)
        parts = padded.unflatten(-1, (r, self.rows)).unflatten(-3, (c, self.cols))
        # (..., c, cols, r, rows) -> (..., r, c, rows, cols)
        lead = tuple(range(parts.dim() - 4))
        n = len(lead)
        return parts.permute(*lead, n + 2, n, n + 3, n + 1).flatten(n, n + 1).contiguous()

    def join(
        self, tiles: Shaped[Tensor, "*lead {self.tiles} {self.rows} {self.cols}"]
    ) -> Shaped[Tensor, "*lead {self.out_features} {self.in_features}"]:
        """Inverse of `cut`: (..., tiles, rows, cols) to (..., out, in)."""
        r, c = self.grid
        parts = tiles.unflatten(-3, (r, c))
        n = parts.dim() - 4
        # (..., r, c, rows, cols) -> (..., c, cols, r, rows)
        parts = parts.permute(*range(n), n + 1, n + 3, n, n + 2)
        # (..., groups, cols of one, r * rows)
        joined = parts.flatten(n, n + 1).flatten(n + 1, n + 2).unflatten(n, (self.groups, -1))
        kept = joined[..., : self.outputs, : self.in_features]
        return kept.flatten(n, n + 1).contiguous()

    def driven(
        self, x: Shaped[Tensor, "*lead {self.inputs}"]
    ) -> Shaped[Tensor, "*lead {self.tiles} {self.rows}"]:
        """What stands on the rows of each tile for inputs (..., inputs), 0 where there are none.

        Tiles beside each other share inputs, those of another group have others.
        """
        r, n = self.grid[0], x.dim() - 1
        pad = (0, r * self.rows - self.in_features)
        # (..., groups, r, rows)
        each = torch.nn.functional.pad(x.unflatten(-1, (self.groups, self.in_features)), pad)
        each = each.unflatten(-1, (r, self.rows)).transpose(n, n + 1)
        # (..., r, groups, along, rows) -> (..., tiles, rows)
        each = each.unsqueeze(-2).expand(*each.shape[:-1], self.along, self.rows)
        return each.flatten(n, n + 2)

    def voltages(
        self, driven: Float[Tensor, "*lead {self.rows}"]
    ) -> Float[Tensor, "*lead {self.lines}"]:
        """What stands on the word lines, of inputs (..., rows) of a tile: the second line of an
        interleaved pair is driven the other way."""
        if self.mapping.lines == 1:
            return driven
        return torch.stack((driven, -driven), -1).flatten(-2)

    def added(
        self, y: Shaped[Tensor, "*lead {self.tiles} {self.cols}"]
    ) -> Shaped[Tensor, "*lead {self.grid[0]} {self.out_features}"]:
        """Columns (..., tiles, cols) as those of the outputs, by tile along the inputs: what is
        added to give an output."""
        n = y.dim() - 2
        # (..., r, groups, cols of one)
        each = y.unflatten(n, (self.grid[0], self.groups, self.along)).flatten(n + 2)
        return each[..., : self.outputs].flatten(n + 1)

    def columns(
        self, currents: Float[Tensor, "n {self.tiles} {self.width}"], by_digit: bool
    ) -> Float[Tensor, "n tiles columns"]:
        """Signed currents of the columns that are converted, by tile along the inputs, of those of
        cell columns (n, tiles, width), without what a mapping adds digitally.

        Args:
            by_digit: whether the digits of a weight are columns of their own, digit after digit; of
                several groups, group after group.
        """
        cells, no_window = self.mapping, (0.0, 0.0)
        # each (n, tiles, cols)
        digits = (
            cells.fold_digits(currents, self.cols, no_window)
            if by_digit
            else [cells.fold(currents, self.cols, no_window)]
        )
        # (n, tiles down, groups, digits, out of one)
        folded = [self.added(digit).unflatten(-1, (self.groups, 1, -1)) for digit in digits]
        return torch.cat(folded, -2).flatten(2)  # (n, tiles down, columns)

    def used(self) -> Bool[Tensor, "{self.tiles} {self.lines} {self.width}"]:
        """Boolean (tiles, lines, width): which cells belong to a weight or are its reference."""
        ones = self.cut(torch.ones(self.out_features, self.in_features), fill=0.0)
        terms = self.mapping.columns(torch.arange(self.cols), self.cols)  # (cols, terms)
        out = torch.zeros(self.tiles, self.rows, self.mapping.lines * self.width)
        for term in range(terms.shape[-1]):
            # (tiles, rows, cols) into (tiles, rows, all cells of an input)
            out.index_add_(-1, terms[:, term], ones)
        return (out > 0).view(self.shape)

    def cells(self, weights: Int[Tensor, " n"]) -> Int64[Tensor, "n terms"]:
        """Flat cell positions (n, terms) of flat weight positions (n,) in (out, in), int64."""
        return self.table(weights.device).index_select(0, weights).long()

    def table(self, device: torch.device) -> Int32[Tensor, "weights terms"]:
        """Flat cell positions (out * in, terms) of all weights, their own cells first."""
        if self._table.device != device:
            object.__setattr__(self, "_table", torch.from_numpy(self.cell_table).to(device))
        return self._table

    @cached_property
    def _table(self) -> Tensor:
        return torch.from_numpy(self.cell_table)

    @cached_property
    def cell_table(self) -> np.ndarray:
        """`table` for kernels, made when cells are first written."""
        out = torch.arange(self.out_features).unsqueeze(1)  # (out, 1)
        group, col = out // self.outputs, out % self.outputs
        row = torch.arange(self.in_features)  # (in,)
        tile_row, tile_col = row // self.rows, group * self.along + col // self.cols
        # (out, in): input of all tiles one under the other
        line = (tile_row * self.grid[1] + tile_col) * self.rows + row % self.rows
        # (out, 1, terms)
        columns = self.mapping.columns(col % self.cols, self.cols)
        # (out, in, terms) -> (out * in, terms)
        table = (columns + (line * self.mapping.lines * self.width).unsqueeze(-1)).flatten(0, 1)
        return table.to(torch.int32).numpy()

    def most_in_rows(
        self, cells: Int64[Tensor, " n"] | None, events: Int[Tensor, "chips n"]
    ) -> Int[Tensor, " chips"]:
        """Most events (chips, n) on any of some cells (n,), or all, of a row, summed over the rows:
        what follows one after another where a row's cells are served at once."""
        if cells is None:
            # (chips, rows of all tiles, width) -> (chips,)
            return events.view(len(events), -1, self.width).amax(2).sum(1)
        most = events.new_zeros(len(events), self.tiles * self.lines)
        # (chips, n)
        row = (cells // self.width).expand(events.shape)
        return most.scatter_reduce_(1, row, events, "amax").sum(1)

    def __getstate__(self) -> dict[str, object]:
        """Copies and pickles make the table anew."""
        return {k: v for k, v in self.__dict__.items() if k not in ("_table", "cell_table")}
