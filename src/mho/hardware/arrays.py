"""The arrays of an instrument that hold one weight matrix."""

from __future__ import annotations

from typing import Self

import torch
import torch.nn.functional as F
from jaxtyping import Float, Float32, Int32, Int64
from torch import Tensor

from mho.errors import invalid
from mho.hardware.instrument import Chip, Instrument, InstrumentError, Outcome
from mho.hardware.tiling import Tiling

_NUMBERS = 1 << 20
"""Voltages or currents of one request, if there is more than one vector."""

_CELLS = 1 << 18
"""Cells of one request."""


class Arrays:
    """Consecutive arrays of a chip, one for each tile of a matrix, filled from row and column 0.

    Args:
        instrument: where the chip is.
        chip: what the instrument says of it.
        tiling: how the matrix is cut; a tile must fit an array.
        first: the array of the first tile.
        retries: further attempts at a cell that refuses to program, before it is left alone.

    Raises:
        ValueError: a tile is larger than an array, or there are too few arrays.
    """

    def __init__(
        self, instrument: Instrument, chip: Chip, tiling: Tiling, first: int, retries: int
    ) -> None:
        if tiling.rows > chip.rows or tiling.width > chip.cols:
            allowed = f"at most {chip.rows} x {chip.cols}, the arrays of the chip"
            raise invalid("Hardware.tile in use", f"{tiling.rows} x {tiling.width}", allowed)
        if first + tiling.tiles > chip.arrays:
            allowed = f"at most the {chip.arrays} of the chip"
            raise invalid("arrays needed", first + tiling.tiles, allowed)
        self.instrument, self.chip = instrument, chip
        self.tiling, self.first, self.retries = tiling, first, retries

    @property
    def together(self) -> int:
        """Cells that are programmed by one request."""
        return min(self.chip.cells, _CELLS)

    def addresses(self, cells: Int64[Tensor, " n"]) -> Int32[Tensor, "n 3"]:
        """(array, row, column) on the chip of flat positions in the tiles."""
        _, rows, width = self.tiling.shape
        tile, place = cells // (rows * width), cells % (rows * width)
        where = (self.first + tile, place // width, place % width)
        return torch.stack(where, 1).to("cpu", torch.int32)

    def program(self, cells: Int64[Tensor, " n"], targets: Float[Tensor, " n"]) -> Outcome:
        """Bring cells at flat positions to target conductances [S]; one request."""
        outcome = self.instrument.program(self.addresses(cells), targets.float().cpu())
        _check_outcome(outcome, len(cells))
        return Outcome(*(part.to(cells.device) for part in outcome))

    def currents(
        self, volts: Float[Tensor, "n {self.tiling.tiles} {self.tiling.rows}"]
    ) -> Float32[Tensor, "n {self.tiling.tiles} {self.tiling.width}"]:
        """Currents [A] of the columns in use, for voltages [V] on the rows in use."""
        chip = self.chip
        driven = F.pad(volts.detach().float().cpu(), (0, chip.rows - self.tiling.rows))
        fitting = _NUMBERS // (self.tiling.tiles * max(chip.rows, chip.cols))
        parts = driven.split(max(1, min(chip.vectors, fitting)))
        read = [self.instrument.read(self.first, part) for part in parts]
        for part, amps in zip(parts, read, strict=True):
            if amps.shape != (*part.shape[:2], chip.cols):
                shape = tuple(amps.shape)
                raise InstrumentError(f"currents {shape} for voltages {tuple(part.shape)}")
        return torch.cat(read)[..., : self.tiling.width].to(volts.device)

    def conductances(self, rows: Int64[Tensor, " k"]) -> Float32[Tensor, "k tiles width"]:
        """Cells [S] of some rows of each tile, one row driven at a time."""
        volts = F.one_hot(rows, self.tiling.rows) * self.chip.volts
        amps = self.currents(volts.unsqueeze(1).expand(-1, self.tiling.tiles, -1).float())
        return amps / self.chip.volts

    def __deepcopy__(self, _memo: dict[int, object]) -> Self:
        """A copy of a network runs on the same arrays: there is one of each."""
        return self

    def __reduce__(self) -> str:
        raise InstrumentError("a network on an instrument cannot be pickled; save its state_dict")


def _check_outcome(outcome: Outcome, n: int) -> None:
    """Refuse an answer about n cells that cannot be, before it is recorded.

    Raises:
        InstrumentError: as said.
    """
    if any(part.shape != (n,) for part in outcome):
        raise InstrumentError(f"an outcome of {[len(part) for part in outcome]} cells, not {n}")
    conductance, pulses, reads, _ = outcome
    if ((conductance < 0) | conductance.isinf()).any():
        raise InstrumentError("conductances below 0 S, or infinite, of cells programmed")
    if n and min(int(pulses.min()), int(reads.min())) < 0:
        raise InstrumentError("counts below 0 of cells programmed")
