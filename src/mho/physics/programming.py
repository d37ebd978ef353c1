"""Programming a set of cells to target levels: what every way of it answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import lru_cache
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int32, Shaped
from torch import Tensor

from mho.config import Config
from mho.physics.cell import Cell, Landing, Traits
from mho.physics.noise import Noise, SobolNoise

_SAMPLES, _FEWEST, _MOST = 1 << 20, 1 << 10, 1 << 16
"""Cells that averages are taken over: in all, and at least and at most of each level."""


class Programmed(NamedTuple):
    """Outcome of a programming event, one value a cell."""

    conductance: Float[Tensor, "*n"]
    """Where the cell ended [S]."""
    pulses: Int32[Tensor, "*n"]
    """Programming pulses spent, SET and RESET together, int32."""
    reads: Int32[Tensor, "*n"]
    """Verify reads spent, int32."""


class Present(NamedTuple):
    """What cells hold when programming starts; cells that do not remember need none."""

    conductance: Float[Tensor, "*n"]
    """Where each cell stands [S]."""
    level: Shaped[Tensor, "*#n"]
    """Level that the controller believes it holds; 0 if it was never programmed."""


class Programming(Config, ABC):
    """One way to bring cells to their levels; leaves are final, all methods pure."""

    @abstractmethod
    def most_pulses(self, cell: Cell) -> int:
        """Most pulses that one event spends on a cell."""

    @property
    @abstractmethod
    def verifies(self) -> bool:
        """Whether a cell is read to see if it arrived."""

    @property
    def failures(self) -> int:
        """Failed events in a row after which a cell is given up and left alone; 0: never."""
        return 0

    def failed(
        self, cell: Cell, level: Shaped[Tensor, "*#n"], done: Programmed
    ) -> Bool[Tensor, "*n"]:
        """Whether all attempts were spent on a cell that is off its `level` (...) still."""
        return torch.zeros_like(done.conductance, dtype=torch.bool)

    def needs_present(self, cell: Cell) -> bool:
        """Whether `program` must be told what cells hold."""
        return cell.remembers

    def check(self, cell: Cell) -> None:
        """Refuse a cell that cannot be programmed so.

        Raises:
            ValueError: it cannot.
        """

    def mean(self, cell: Cell, level: Shaped[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Expected conductance of cells brought to `level` (...) by their first programming [S],
        over devices and cycles, defects left aside.

        What cells that remember hold later depends on all that was programmed before, and is not
        counted in.
        """
        return of_level(landed(self, cell).mean, level)

    @abstractmethod
    def program(
        self,
        cell: Cell,
        level: Shaped[Tensor, "*#n"],
        traits: Traits,
        noise: Noise,
        present: Present | None = None,
    ) -> Programmed:
        """Program `level` (...); all results are (...).

        `present` (...) is what they hold, where it `needs_present`; None: they were never
        programmed.
        """

    def within(
        self, cell: Cell, level: Shaped[Tensor, "*#n"], done: Programmed, worn: Float[Tensor, "*n"]
    ) -> Programmed:
        """`done` (...) on cells whose window has closed: they stop at its edge; see `Cell.limits`.
        Where nobody looks, it takes what it would on new cells.

        Args:
            cell: the cell that was programmed.
            level: (...) target.
            done: (...) what it would be on new cells.
            worn: (...) pulses over endurance.
        """
        return done._replace(conductance=done.conductance.clamp(*cell.limits(worn)))

    def missed(
        self, cell: Cell, level: Shaped[Tensor, "*#n"], g: Float[Tensor, "*n"]
    ) -> Bool[Tensor, "*n"]:
        """Whether a cell at g (...) [S] is known to be off its `level` (...)."""
        return torch.zeros_like(g, dtype=torch.bool)

    def stuck(self, cell: Cell, level: Shaped[Tensor, "*n"], done: Programmed) -> Programmed:
        """`done` (...) on cells that stay at `done.conductance`, whatever is spent on them. Where
        nobody looks, or when somebody gives up is not known, what cells that move take.

        Args:
            cell: the cell that was programmed.
            level: (...) target, as float.
            done: (...) where they stay, and what would be spent on cells that move.
        """
        return done

    def landing(self, cell: Cell) -> Landing | None:
        """The numbers of an event, where it is a single attempt that lands so, on a cell of any
        wear; None: it is not."""
        return None


class Landed(NamedTuple):
    """Where cells end that are programmed once, over devices and cycles; one value a level."""

    mean: Float[Tensor, " levels"]
    """Mean conductance [S], float64."""
    spread: Float[Tensor, " levels"]
    """Standard deviation [S], float64."""


@lru_cache(maxsize=128)
def landed(programming: Programming, cell: Cell) -> Landed:
    """Averages over simulated cells; their error is about 1e-4 of the spread on cells that land."""
    share = max(1, min(cell.states, _SAMPLES // _FEWEST))
    mean, spread = [], []
    for level in torch.arange(cell.states, dtype=torch.float64).split(share):
        each = max(_FEWEST, min(_MOST, _SAMPLES // len(level)))
        noise = SobolNoise(1 << (each.bit_length() - 1), len(level))
        traits = cell.traits(noise)
        present = None
        if programming.needs_present(cell):
            nothing = torch.zeros(noise.shape, dtype=torch.float64)
            present = Present(nothing, nothing)
        g = programming.program(cell, level, traits, noise, present).conductance
        mean.append(g.mean(0))
        spread.append(g.std(0))
    return Landed(torch.cat(mean), torch.cat(spread))


def of_level(table: Float[Tensor, " levels"], level: Shaped[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """The entries of levels (...), in their type if that is real, else float32."""
    kind = level.dtype if level.is_floating_point() else torch.float32
    return table.to(level.device, kind)[level.long().clamp(min=0)]


def never_programmed(cell: Cell, z: Float[Tensor, "*n"]) -> Present:
    """Cells that were never programmed, one for each number of z."""
    return Present(torch.full_like(z, cell.window[0]), torch.zeros_like(z))
