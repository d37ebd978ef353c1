"""What a real chip, or whatever stands for one, is asked: program, pulse, read, report.

A chip has arrays of the same size; a cell is addressed by (array, row, column), from 0. All that
the host knows of it passes through an `Instrument`.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple, Protocol

import torch
from jaxtyping import Bool, Float32, Int32
from torch import Tensor

from mho.config import Config, Range
from mho.errors import Failed, invalid
from mho.quantities import PositiveVolts, Siemens

_COUNT = Range(least=1, below=2**31)


class InstrumentError(Failed):
    """An instrument did not do what it was asked."""


class InstrumentLost(InstrumentError):
    """No proper answer came within the limits; the request was carried out once, or not at all."""


class InstrumentRefused(InstrumentError):
    """The instrument answered that it cannot do this; nothing was carried out."""


class Chip(Config):
    """What an instrument says of its chip."""

    arrays: Annotated[int, _COUNT]
    """Arrays [1]."""
    rows: Annotated[int, _COUNT]
    """Rows (inputs) of an array [1]."""
    cols: Annotated[int, _COUNT]
    """Columns (outputs) of an array [1]."""
    low: Siemens
    """Conductance of the lowest level [S]."""
    high: Siemens
    """Conductance of the highest level [S]."""
    levels: Annotated[int, Range(least=2, below=2**31)]
    """Levels that cells are programmed to, evenly spaced from low to high [1]."""
    volts: PositiveVolts
    """Largest voltage of a read, of either sign [V]."""
    pulses: bool = False
    """Whether cells are moved by counted pulses, which add up."""
    vectors: Annotated[int, _COUNT] = 1024
    """Most input vectors of one request [1]."""
    cells: Annotated[int, _COUNT] = 65536
    """Most cells of one request [1]."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.low >= self.high:
            raise invalid("Chip.low", self.low, f"below high = {self.high:g} S")

    def flat(self, cells: Int32[Tensor, "n 3"]) -> Tensor:
        """Positions (n,) of cells, array by array, row by row.

        Raises:
            ValueError: a cell is not on the chip, is named twice, or there are too many.
        """
        if len(cells) > self.cells:
            raise invalid("cells", f"{len(cells)} cells", f"at most {self.cells} a request")
        size = (self.arrays, self.rows, self.cols)
        outside = ((cells < 0) | (cells >= cells.new_tensor(size))).any(1)
        if outside.any():
            allowed = "(array, row, column) below " + ", ".join(map(str, size))
            raise invalid("cell", tuple(cells[outside][0].tolist()), allowed)
        array, row, col = cells.long().unbind(1)
        flat = (array * self.rows + row) * self.cols + col
        if len(flat.unique()) < len(flat):
            raise invalid("cells", "the same cell twice", "each cell once a request")
        return flat

    def index(self, targets: Float32[Tensor, " n"]) -> Tensor:
        """Levels (n,) of target conductances [S].

        Raises:
            ValueError: a target is farther than a thousandth of a step from any level.
        """
        step = (self.high - self.low) / (self.levels - 1)
        place = (targets.double() - self.low) / step
        index = place.round()
        # float32 is no finer than 1e-7 of the target itself, which may be many steps.
        slack = 1e-3 + 1e-6 * targets.double().abs() / step
        good = ((place - index).abs() <= slack) & (index >= 0) & (index < self.levels)
        if not good.all():
            allowed = f"one of the {self.levels} levels from {self.low:g} to {self.high:g} S"
            raise invalid("target", targets[~good][0].item(), allowed)
        return index.long()

    def check_read(self, first: int, volts: Float32[Tensor, "n arrays rows"]) -> None:
        """Refuse a read beyond the chip, too long, or of too high a voltage.

        Raises:
            ValueError: as said.
        """
        vectors, arrays, rows = volts.shape
        self.check_size(first, arrays, vectors)
        if rows != self.rows:
            raise invalid("read rows", rows, f"{self.rows}, all rows of an array")
        most = volts.abs().max().item()
        if not most <= self.volts * (1 + 1e-6):  # nan too
            raise invalid("read voltage", most, f"at most {self.volts:g} V")

    def check_size(self, first: int, arrays: int, vectors: int) -> None:
        """Refuse a read beyond the chip, or of too many vectors.

        Raises:
            ValueError: as said.
        """
        if not (first >= 0 and arrays >= 1 and first + arrays <= self.arrays):
            allowed = f"arrays 0 to {self.arrays - 1}"
            raise invalid("read arrays", f"{first} to {first + arrays - 1}", allowed)
        if not 1 <= vectors <= self.vectors:
            raise invalid("read vectors", vectors, f"1 to {self.vectors} a request")


def check_each(what: str, values: Tensor, cells: Tensor) -> None:
    """Refuse anything but one value for each cell.

    Raises:
        ValueError: there are more, or fewer.
    """
    if len(values) != len(cells):
        raise invalid(f"number of {what}", len(values), f"{len(cells)}, one for each of the cells")


class Outcome(NamedTuple):
    """What became of cells that were programmed, one value a cell."""

    conductance: Float32[Tensor, " n"]
    """As the instrument read it last [S]; nan where it did not look."""
    pulses: Int32[Tensor, " n"]
    """Programming pulses spent."""
    reads: Int32[Tensor, " n"]
    """Verify reads spent."""
    refused: Bool[Tensor, " n"]
    """Whether it gave the cell up: not within its own tolerance."""


class Report(NamedTuple):
    """Counts since the chip was made."""

    changes: int
    """Requests that programmed or pulsed cells."""
    vectors: int
    """Input vectors, counted for each array that they were applied to."""
    set_pulses: int
    """Pulses towards higher conductance."""
    reset_pulses: int
    """All other pulses."""
    verify_reads: int
    """Reads of single cells while programming."""


class Instrument(Protocol):
    """A chip on the bench.

    A call that raises `InstrumentRefused` has changed nothing; after `InstrumentLost` what it asked
    for has happened once or not at all, and asking for the same targets again is safe.
    """

    def describe(self) -> Chip:
        """What the chip is."""
        ...

    def program(self, cells: Int32[Tensor, "n 3"], targets: Float32[Tensor, " n"]) -> Outcome:
        """Bring cells (array, row, column) to target conductances [S]."""
        ...

    def pulse(self, cells: Int32[Tensor, "n 3"], counts: Int32[Tensor, " n"]) -> None:
        """Apply SET pulses to cells, or RESET pulses where a count is negative; do not look."""
        ...

    def read(
        self, first: int, volts: Float32[Tensor, "n arrays rows"]
    ) -> Float32[Tensor, "n arrays cols"]:
        """Currents [A] of all columns of arrays `first` and following, for voltages [V] on all
        their rows, vector after vector."""
        ...

    def report(self) -> Report:
        """Counts."""
        ...


def empty_outcome() -> Outcome:
    """The outcome of programming no cells."""
    whole = torch.zeros(0, dtype=torch.int32)
    return Outcome(torch.zeros(0), whole, whole, whole.bool())
