"""What every memristive cell answers: its levels, its spread, its defects."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Annotated, ClassVar, NamedTuple, Self

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from mho.config import Config, Range, Taken, otherwise
from mho.errors import invalid, unknown
from mho.physics import of_conductance
from mho.physics.datasheet import Entry, Quantity
from mho.physics.imperfection import Imperfection
from mho.physics.noise import Noise
from mho.physics.of_conductance import OfConductance
from mho.quantities import Seconds

Traits = dict[str, Float[Tensor, "*#n"]]
"""What makes one device differ from the next: drawn when the chip is made, one value a cell."""


LEAST_SPREAD = 1e-6
"""Spread of an attempt, in steps between levels, that a smaller one counts as in scores [1]."""


class Landing(NamedTuple):
    """Attempts that land at `line + offset + spread z` of a level: see `kernels.programming`."""

    line: tuple[float, float]
    """Conductance of level 0, and the step to the next [S]."""
    spread: np.ndarray
    """Standard deviation of an attempt at each level [S], float32."""
    spent: tuple[int, int] = (1, 0)
    """Pulses and verify reads that are counted [1]."""


class SourceWrite(Config):
    """How the source of a spread had written the cells that it was measured of."""

    pulses: Annotated[int, Range(least=1, most=10_000)] = 10
    """Programming pulses of a write [1]; where the source does not say it, our choice."""
    reads: Annotated[int, Range(least=0, most=10_000)] | None = None
    """Verify reads of a write [1]; None: one after each pulse."""
    after: Seconds = 0.0
    """Time from the write to the measurement [s]: what cells relaxed until then is in the spread.
    """

    @property
    def verify_reads(self) -> int:
        """Verify reads of a write."""
        return self.pulses if self.reads is None else self.reads


class Cell(Config, ABC):
    """One family of cells; all leaves are final, all methods pure.

    Where programming ends either depends on the target alone (`LandingCell`) or on what the cell
    held too (`remembers`); device-to-device spread enters through the traits alone.
    """

    remembers: ClassVar[bool]
    """Whether programming starts from what the cell holds, which the caller then has to say."""

    read_noise: Annotated[float, Range(least=0.0, most=1.0)] | OfConductance = 0.0
    """Standard deviation of one read of one cell, as a share of the window [1]; one that depends on
    the conductance is taken at what the cell holds."""
    stuck_off: Annotated[float, Range(least=0.0, most=1.0)] = 0.0
    """Share of cells made stuck at the lowest conductance [1]."""
    stuck_on: Annotated[float, Range(least=0.0, most=1.0)] = 0.0
    """Share of cells made stuck at the highest conductance [1]."""
    endurance: Annotated[float, Range(least=1.0, most=1e18)] | None = None
    """Programming pulses after which a cell keeps its value for good [1]; None: never."""
    endurance_spread: Annotated[float, Range(least=0.0, most=3.0)] = 0.0
    """Standard deviation of ln(endurance) between devices [1]."""
    closing: Taken[
        float | Sequence[float], Annotated[tuple[float, float], Range(least=0.0, most=1.0)]
    ] = otherwise(default=(0.0, 0.0))
    """Shares of the window lost at its lower and at its upper end when a cell's endurance is spent;
    in between the loss is `closing (pulses / endurance)^closing_power` [1]."""
    closing_power: Annotated[float, Range(least=1e-2, most=10.0)] = 1.0
    """How late the window closes: 1 in even steps, above 1 mostly near the end [1]."""
    written: SourceWrite | None = None
    """What the spread of a cell that lands is of. None: of single attempts, one pulse each, which
    verifying can repeat; else of cells as a whole write had left them, verified by the source or
    relaxed since, which `AsMeasured` reproduces and `Verify` would verify once more."""
    doi: str = ""
    """Where the numbers come from."""
    note: str = ""
    """What the source gives and what is chosen here."""

    def __post_init__(self) -> None:
        super().__post_init__()
        stuck = self.stuck_on + self.stuck_off
        if stuck > 1.0:
            raise invalid(f"{type(self).__name__}.stuck_on + stuck_off", stuck, "at most 1")
        if self.closes and self.endurance is None:
            allowed = "(0, 0) without an endurance"
            raise invalid(f"{type(self).__name__}.closing", self.closing, allowed)
        if sum(self.closing) > 1.0:
            raise invalid(f"{type(self).__name__}.closing", self.closing, "a sum of at most 1")

    @property
    @abstractmethod
    def states(self) -> int:
        """Number of programmable levels, at least 2."""

    @property
    @abstractmethod
    def window(self) -> tuple[float, float]:
        """Nominal conductance of the lowest and the highest level [S]."""

    @property
    def closes(self) -> bool:
        """Whether the window closes as a cell wears."""
        return any(self.closing)

    def limits(self, worn: Float[Tensor, "*n"]) -> tuple[Float[Tensor, "*n"], Float[Tensor, "*n"]]:
        """Least and most that a cell can be programmed to [S], of the share worn of its endurance.

        Args:
            worn: (...) pulses over endurance; 1 counts for all above.
        """
        low, high = self.window
        lost = worn.clamp(0.0, 1.0) ** self.closing_power * (high - low)
        return low + self.closing[0] * lost, high - self.closing[1] * lost

    @property
    def step(self) -> float:
        """Nominal distance between neighbouring levels [S]."""
        low, high = self.window
        return (high - low) / (self.states - 1)

    def read_variance(self, g: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Variance of one read of cells that hold g (...) [S], of shares of the window [1]."""
        shares = of_conductance.at(self.read_noise, g)
        shares = shares if isinstance(shares, Tensor) else torch.full_like(g, shares)
        return shares.square()

    def nominal(self, level: Shaped[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Conductance that a level stands for [S]; `level` (...) of any number type."""
        return self.window[0] + self.step * level

    @abstractmethod
    def traits(self, noise: Noise) -> Traits:
        """Draw the device-to-device traits of new cells."""

    @property
    @abstractmethod
    def burst(self) -> int:
        """Most pulses that one attempt spends on a cell."""

    @property
    def landing(self) -> Landing | None:
        """The numbers of an attempt, where one attempt is that simple; None: it is not."""
        return None

    @abstractmethod
    def mean(self, level: Shaped[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Expected conductance over devices and cycles [S], open loop, defects left aside."""

    def imperfections(self) -> dict[str, Imperfection]:
        """What makes the cell differ from an ideal one and can be changed, by name; families add
        their own."""
        stuck = self.stuck_off + self.stuck_on
        read = of_conductance.mean(self.read_noise, self.window)
        return {
            "read noise": Imperfection(read, "of each read of a cell"),
            "stuck cells": Imperfection(stuck, "at the ends of the window"),
        }

    def with_imperfection(self, name: str, value: float) -> Self:
        """The same cell with so much of one of its `imperfections`; 0: without it.

        Where one has several numbers, or one that depends on the conductance, they keep their
        proportions, and the value is their mean; from 0 they grow evenly.

        Raises:
            ValueError: the family has none of that name, or cannot have so much of it.
        """
        if name == "read noise":
            course = of_conductance.with_mean(self.read_noise, value, self.window)
            return self.replace(read_noise=course)
        if name == "stuck cells":
            both = self.stuck_off + self.stuck_on
            share = self.stuck_off / both if both else 0.5
            return self.replace(stuck_off=share * value, stuck_on=(1 - share) * value)
        raise unknown(f"imperfection of {self.family} cells", name, self.imperfections())

    def ideal(self) -> Self:
        """The same cell without any of its `imperfections`."""
        cell = self
        for name in self.imperfections():
            cell = cell.with_imperfection(name, 0.0)
        return cell

    def datasheet(self) -> list[Entry]:
        """What is known of the cell, in numbers."""
        low, high = self.window
        window = Entry("window", "{} to {}", (Quantity(low, "S"), Quantity(high, "S")))
        if low > 0:
            ratio = Quantity(high / low, "1")
            window = Entry("window", "{} to {}, ratio {}", (*window.values, ratio))
        levels = Entry("levels", f"{self.states}, {{}} apart", (Quantity(self.step, "S"),))
        stuck = {"{} off": self.stuck_off, "{} on": self.stuck_on}
        shares = {text: Quantity(share, "%") for text, share in stuck.items() if share > 0}
        defects = Entry("stuck cells", ", ".join(shares), tuple(shares.values()))
        wear = Entry("endurance")
        if self.endurance is not None:
            wear = Entry("endurance", "{} pulses", (Quantity(self.endurance, "1"),))
        return [window, levels, *self.family_datasheet(), defects, wear]

    def family_datasheet(self) -> list[Entry]:
        """What only this family has; the first entry is its "spread", if it says that."""
        return []

    def spread_of(self) -> Entry:
        """What the spread is of, in words."""
        if self.written is None:
            return Entry("spread", "a pulse")
        text = f"after a write of {self.written.pulses} pulses"
        if self.written.after == 0:
            return Entry("spread", text)
        return Entry("spread", text + " and {}", (Quantity(self.written.after, "s"),))


class LandingCell(Cell):
    """A cell whose every attempt is one pulse that lands afresh, whatever the cell held.

    An attempt lands at `draw(z, level, traits)` with z standard normal, the cycle-to-cycle part.
    Where the numbers are those of cells that the source had verified or left to relax, this is
    where the whole write ends.
    """

    remembers: ClassVar[bool] = False

    @property
    def burst(self) -> int:
        """Always 1."""
        return 1

    @abstractmethod
    def draw(
        self,
        z: Float[Tensor, "*#n"],
        level: Shaped[Tensor, "*#n"],
        traits: Traits,
        *,
        corrected: bool,
    ) -> Float[Tensor, "*#n"]:
        """Conductance after one programming attempt [S], increasing in the normal score z.

        Args:
            z: (...) standard normal.
            level: (...) target level.
            traits: (...) each, of the cells addressed.
            corrected: the controller has read the cell and allows for what is systematic in it.
        """

    @abstractmethod
    def score(
        self,
        g: Float[Tensor, "*#n"],
        level: Shaped[Tensor, "*#n"],
        traits: Traits,
        *,
        corrected: bool,
    ) -> Float[Tensor, "*#n"]:
        """Normal score at which `draw` gives the conductance g [S]; +-inf out of reach."""
