"""Handing out the surveyed cells of each chip so that its weights are in error the least."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int, Int64
from torch import Tensor

from mho.hardware.hardware import Hardware
from mho.hardware.placement import Placement
from mho.hardware.tiling import Tiling

_UNITS = 2.0**30
"""Units of error energy in the window squared."""

_TOGETHER = 1 << 22
"""Weights, of as many whole chips, that are worked on in one go."""


class Moves(NamedTuple):
    """Which place of a tile serves which row and column of weights, on each chip, group by group:
    tiles beside each other in a group share their inputs, those below each other their outputs."""

    row: Int64[Tensor, "chips groups tile_rows rows"]
    """Physical row of each row of weights."""
    col: Int64[Tensor, "chips groups tile_cols cols"]
    """Physical place of each column of weights."""
    flipped: Bool[Tensor, "chips groups tile_cols cols"]
    """Whether a column of weights is stored negated."""


class ErrorEnergy:
    """Expected squared error of each weight level at each place of surveyed chips.

        E_k = (fold(low + (high - low) level_k / (L - 1)) - fold(mean(level_k)))^2

    In whole units of 2^-30 window^2: their sums are exact in any order, so that a chip's placement
    cannot depend on what is simulated beside it, nor ties on how a processor adds.

    Args:
        low, high: conductance [S] of each cell at its lowest and its highest level.
        tiling: how the matrix is cut into arrays.
        hardware: the kind of chip.
    """

    def __init__(
        self,
        low: Float[Tensor, "chips {tiling.tiles} {tiling.lines} {tiling.width}"],
        high: Float[Tensor, "chips {tiling.tiles} {tiling.lines} {tiling.width}"],
        tiling: Tiling,
        hardware: Hardware,
    ) -> None:
        device, mapping, n = hardware.device, tiling.mapping, hardware.levels
        # level k in every weight of a row: (levels, 1, cols)
        each = torch.arange(n, device=low.device).view(n, 1, 1).expand(n, 1, tiling.cols)
        level = mapping.levels(each, n, device.states).double()  # (levels, lines of one, width)
        mean = hardware.writing.mean(device, level).to(low)
        # (levels, 1, cols)
        self._mean = mapping.fold(mean, tiling.cols, device.window)
        self._share = (level / (device.states - 1)).to(low)
        self._low, self._high, self._tiling, self._window = low, high, tiling, device.window

    def of(self, k: int) -> Float64[Tensor, "chips groups tile_rows tile_cols rows cols"]:
        """E_k in units."""
        lines = self._tiling.mapping.lines
        # (chips, tiles, rows, lines of one, width)
        low, high = (t.unflatten(2, (-1, lines)) for t in (self._low, self._high))
        g = (low + self._share[k] * (high - low)).flatten(2, 3)
        # (chips, tiles, lines, width) -> (chips, tiles, rows, cols)
        signed = self._tiling.mapping.fold(g, self._tiling.cols, self._window)
        error = (signed - self._mean[k]) / (self._window[1] - self._window[0])
        return _by_group((error.square() * _UNITS).round().double(), 1, self._tiling)


def sources(
    low: Float[Tensor, "chips {tiling.tiles} {tiling.lines} {tiling.width}"],
    high: Float[Tensor, "chips {tiling.tiles} {tiling.lines} {tiling.width}"],
    index: Int[Tensor, "{tiling.tiles} {tiling.rows} {tiling.cols}"],
    tiling: Tiling,
    hardware: Hardware,
    placement: Placement,
) -> Int64[Tensor, "chips {tiling.tiles} {tiling.lines} {tiling.width}"]:
    """Flat position, in its chip, of the cell that is to serve each position.

    Args:
        low, high: conductance [S] of each cell at its lowest and its highest level.
        index: weight levels wanted; -1: padding, which serves as spare.
        tiling: how the matrix is cut into arrays.
        hardware: the kind of chip.
        placement: the moves allowed.
    """
    # (1, groups, tile_rows, tile_cols, rows, cols)
    wanted = _by_group(index, 0, tiling).unsqueeze(0)
    if placement.polarity and tiling.mapping.flip is not None:
        negated = torch.where(wanted < 0, wanted, hardware.levels - 1 - wanted)
        wanted = torch.cat((wanted, negated))  # (2, groups, ...)
    together = max(1, _TOGETHER // index.numel())
    found = [
        _search(ErrorEnergy(off, on, tiling, hardware), wanted, len(on), placement)
        for off, on in zip(low.split(together), high.split(together), strict=True)
    ]
    return _positions(Moves(*map(torch.cat, zip(*found, strict=True))), tiling)


def _by_group(tiles: Tensor, dim: int, tiling: Tiling) -> Tensor:
    """Tiles along a dimension as three: of (groups, tile_rows, tile_cols)."""
    return tiles.unflatten(dim, (tiling.grid[0], tiling.groups, tiling.along)).transpose(
        dim, dim + 1
    )


def _search(
    energy: ErrorEnergy,
    wanted: Int[Tensor, "signs groups tile_rows tile_cols rows cols"],
    chips: int,
    placement: Placement,
) -> Moves:
    """Columns with their polarity, then rows, each given the other; never to a chip's harm."""
    _, groups, tile_rows, tile_cols, rows, cols = wanted.shape
    row = torch.arange(rows, device=wanted.device).repeat(chips, groups, tile_rows, 1)
    col = torch.arange(cols, device=wanted.device).repeat(chips, groups, tile_cols, 1)
    moves = Moves(row, col, torch.zeros_like(col, dtype=torch.bool))
    for _ in range(placement.rounds):
        before = moves
        if placement.columns or len(wanted) > 1:
            moves = _move_columns(energy, wanted, moves, placement.columns)
        if placement.rows:
            moves = _move_rows(energy, wanted, moves)
        if all(map(torch.equal, moves, before)):
            break
    return moves


def _move_columns(
    energy: ErrorEnergy,
    wanted: Int[Tensor, "signs groups tile_rows tile_cols rows cols"],
    moves: Moves,
    exchange: bool,
) -> Moves:
    """Best polarity of each column and, with `exchange`, best place; rows stay as they are."""
    row = moves.row[:, :, :, None, :, None]  # (chips, groups, tile_rows, 1, rows, 1)
    cost = wanted.new_zeros((), dtype=torch.float64)
    for k in _present(wanted):
        at = energy.of(k)
        at = at.gather(4, row.expand_as(at))
        # (signs, chips, groups, tile_cols, column wanted, place)
        cost = cost + torch.einsum("sgrcpl,ngrcpq->sngclq", (wanted == k).to(at), at)
    col = _assigned(cost.amin(0), moves.col) if exchange else moves.col
    # (chips, groups, tile_cols, cols)
    flipped = (cost[-1] < cost[0]).gather(4, col.unsqueeze(4)).squeeze(4)
    return moves._replace(col=col, flipped=flipped)


def _move_rows(
    energy: ErrorEnergy,
    wanted: Int[Tensor, "signs groups tile_rows tile_cols rows cols"],
    moves: Moves,
) -> Moves:
    """Best place of each row; columns stay as they are."""
    col = moves.col[:, :, None, :, None, :]  # (chips, groups, 1, tile_cols, 1, cols)
    # (chips, groups, tile_rows, tile_cols, rows, cols)
    stored = torch.where(moves.flipped[:, :, None, :, None, :], wanted[-1], wanted[0])
    cost = wanted.new_zeros((), dtype=torch.float64)
    for k in _present(wanted):
        at = energy.of(k)
        at = at.gather(5, col.expand_as(at))
        # (chips, groups, tile_rows, row wanted, place)
        cost = cost + torch.einsum("ngrcpl,ngrcql->ngrpq", (stored == k).to(at), at)
    return moves._replace(row=_assigned(cost, moves.row))


def _present(wanted: Int[Tensor, "*n"]) -> list[int]:
    """Weight levels that occur."""
    return [k for k in wanted.unique().tolist() if k >= 0]


def _assigned(
    cost: Float64[Tensor, "chips groups blocks n n"], now: Int64[Tensor, "chips groups blocks n"]
) -> Int64[Tensor, "chips groups blocks n"]:
    """Place of each line at the least total cost; as it is now where that is as good."""
    from scipy.optimize import linear_sum_assignment  # slow to import

    found = [linear_sum_assignment(matrix)[1] for matrix in cost.flatten(0, 2).cpu().numpy()]
    # (chips * groups * blocks, n) -> (chips, groups, blocks, n)
    best = torch.from_numpy(np.stack(found)).to(now).view_as(now)
    # each (chips, groups, blocks)
    totals = [cost.gather(4, each.unsqueeze(4)).sum((3, 4)) for each in (best, now)]
    return torch.where((totals[0] < totals[1]).unsqueeze(3), best, now)


def _positions(
    moves: Moves, tiling: Tiling
) -> Int64[Tensor, "chips {tiling.tiles} {tiling.lines} {tiling.width}"]:
    """Flat position of the cell that serves each position."""
    mapping, device = tiling.mapping, moves.row.device
    # (cols, terms) -> (cols, cells_per_weight)
    own = mapping.columns(torch.arange(tiling.cols, device=device), tiling.cols)
    own = own[:, : mapping.cells_per_weight]
    cells = own[moves.col]  # (chips, groups, tile_cols, cols, cells_per_weight)
    if mapping.flip is not None:
        cells = torch.where(moves.flipped.unsqueeze(-1), cells[..., list(mapping.flip)], cells)
    of_input = mapping.lines * tiling.width
    # (chips, groups, tile_cols, cells of an input)
    column = torch.arange(of_input, device=device).repeat(*moves.col.shape[:3], 1)
    column[..., own.flatten()] = cells.flatten(-2)
    # (groups, tile_rows, tile_cols, 1, 1)
    tile = _by_group(torch.arange(tiling.tiles, device=device), 0, tiling)[..., None, None]
    # (chips, groups, tile_rows, tile_cols, rows, 1)
    line = tile * tiling.rows + moves.row[:, :, :, None, :, None]
    found = line * of_input + column[:, :, None, :, None, :]
    # (chips, groups, tile_rows, tile_cols, rows, cells of an input) -> (chips, tiles, lines, width)
    return found.transpose(1, 2).reshape(-1, *tiling.shape)
