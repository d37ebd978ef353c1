"""What every cell answers that pulses move up and down from wherever it stands."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Annotated, ClassVar, Literal, Self

import torch
from jaxtyping import Float, Int32, Shaped
from torch import Tensor

from mho.config import Range
from mho.errors import invalid
from mho.physics.cell import Cell, Traits
from mho.physics.datasheet import Entry, Quantity
from mho.physics.imperfection import Imperfection
from mho.physics.multi_level import MAX_LEVELS
from mho.physics.noise import Noise
from mho.physics.spread import Spread

Response = Literal["linear", "curve"]
"""What a controller takes the response for: even steps, or the nominal curve."""


ROUNDING = 1e-5
"""Share within which a number of pulses in single precision is taken as half a pulse [1]."""


class PulsedCell(Cell):
    """Analog cell moved up by SET and down by RESET pulses, all of one shape.

    How far a pulse moves depends on where the cell stands, and on a step factor of the device.
    A cell that was never programmed lies at the low end of the window, which no pulse leaves.
    """

    remembers: ClassVar[bool] = True

    levels: Annotated[int, Range(least=2, most=MAX_LEVELS)] = 9
    """Number of programmable levels, evenly spaced in conductance [1]."""
    device_spread: Annotated[float, Range(least=0.0, most=1.0)] = 0.0
    """Device-to-device coefficient of variation of the step factor, lognormal of mean 1 [1]."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.written is not None:
            allowed = "None: the numbers of cells that pulses move are of single pulses"
            raise invalid(f"{type(self).__name__}.written", self.written, allowed)

    @property
    def states(self) -> int:
        """The number of levels."""
        return self.levels

    @property
    @abstractmethod
    def crossing(self) -> tuple[float, float]:
        """Pulses that take a nominal device from one end of the window to the other: SET, RESET."""

    @property
    def burst(self) -> int:
        """Pulses that cross the window in the direction that needs more."""
        return math.ceil(max(self.crossing))

    def traits(self, noise: Noise) -> Traits:
        """Step factor of each device."""
        if self.device_spread == 0.0:
            return {}
        spread = Spread(distribution="lognormal", cov=self.device_spread)
        return {"step_factor": spread.factor(noise.normal())}

    @abstractmethod
    def respond(
        self,
        z: Float[Tensor, "*#n"],
        g: Float[Tensor, "*#n"],
        pulses: Int32[Tensor, "*#n"],
        traits: Traits,
    ) -> Float[Tensor, "*#n"]:
        """Conductance after a burst [S], increasing in the normal score z.

        Args:
            z: (...) standard normal, the cycle-to-cycle part of the whole burst.
            g: (...) conductance before the burst [S]; what lies outside the window is set to its
                bound.
            pulses: (...) SET pulses, or RESET pulses with a minus sign.
            traits: (...) each, of the cells addressed.
        """

    @abstractmethod
    def pulses_to(
        self,
        target: Float[Tensor, "*#n"],
        g: Float[Tensor, "*#n"],
        response: Response = "curve",
    ) -> Int32[Tensor, "*#n"]:
        """Pulses that bring a nominal device from g nearest to the target, as in `respond`.

        Both responses know how many pulses cross the window each way; "linear" takes every one
        for the same step.

        Args:
            target: (...) conductance wanted [S].
            g: (...) conductance before [S].
            response: what the controller takes the response for.
        """

    def mean(self, level: Shaped[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """The nominal level: where a burst of known start is aimed.

        The expectation itself depends on every burst since the cell was made.
        """
        return self.nominal(level)

    def pulse_spread(self) -> Entry:
        """Spread of one pulse's step, in words and numbers; without text, it is not said."""
        return Entry("spread")

    def imperfections(self) -> dict[str, Imperfection]:
        """The spread between devices is that of the step factor."""
        device = Imperfection(self.device_spread, "from device to device")
        return {"device spread": device, **super().imperfections()}

    def with_imperfection(self, name: str, value: float) -> Self:
        """That of the step factor, besides what every cell has."""
        if name == "device spread":
            return self.replace(device_spread=value)
        return super().with_imperfection(name, value)

    def family_datasheet(self) -> list[Entry]:
        """Spread of a pulse and between devices, and how many pulses cross the window."""
        spread = self.pulse_spread()
        if self.device_spread > 0:
            text = f"{spread.text}; devices {{}}".removeprefix("; ")
            device = Quantity(self.device_spread, "%")
            spread = Entry("spread", text, (*spread.values, device))
        across = tuple(Quantity(pulses, "1") for pulses in self.crossing)
        return [spread, Entry("pulses across", "SET {}, RESET {}", across)]


def whole_pulses(n: Float[Tensor, "*n"]) -> Int32[Tensor, "*n"]:
    """The nearest whole numbers of pulses. Half a pulse goes to the even one, and counts as half
    within what the precision leaves open, so that single and double choose the same."""
    half = (2 * n).round() / 2
    close = (n - half).abs() <= ROUNDING * n.abs().clamp(min=1.0)
    return torch.where(close, half, n).round().to(torch.int32)


def pulsed(cell: Cell) -> PulsedCell | None:
    """The cell as one that pulses move up and down; None: its attempts land afresh."""
    return cell if isinstance(cell, PulsedCell) else None
