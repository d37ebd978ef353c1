"""How the current through a cell follows the voltage across it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Annotated, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from mho.config import Config, Range
from mho.errors import invalid
from mho.physics.datasheet import Entry, Quantity

THRESHOLD = 0.5
"""Threshold of selector transistors in SPICE [V]; only what the gate has above it counts."""


class Conduction(Config, ABC):
    """One law of conduction; leaves are final, all methods pure.

    The current is 0 at 0 V and never falls with the voltage. `g` [S] is the conductance that was
    programmed; 0: an open cell.
    """

    @abstractmethod
    def current(self, v: Float[Tensor, "*#n"], g: Float[Tensor, "*#n"]) -> Float[Tensor, "*#n"]:
        """Current [A] at voltage v [V], differentiable in both."""

    @abstractmethod
    def slope(self, v: Float[Tensor, "*#n"], g: Float[Tensor, "*#n"]) -> Float[Tensor, "*#n"]:
        """Differential conductance di/dv [S] at voltage v [V], 0 or more."""

    @property
    def telling_voltage(self) -> float:
        """Voltage up to which a curve shows what is particular to the law [V]."""
        return 0.3

    def datasheet(self) -> Entry:
        """The law in its numbers."""
        return Entry("I-V", self.family)

    def spice_shared(self, low: float) -> list[str]:
        """Lines of a SPICE deck that all its cells share; `low`: below all voltages there [V]."""
        return []

    def spice(self, name: str, u: str, w: str, g: float) -> list[str]:
        """Elements of a cell of conductance g [S] in a SPICE deck, named by `name`, from node u of
        its word line to node w of its bit line.

        Raises:
            ValueError: the law has no SPICE model.
        """
        raise invalid("conduction", self.family or type(self).__name__, "a law with a SPICE model")


class Ohmic(Conduction):
    """i = g v."""

    family: ClassVar[str] = "ohmic"

    def current(self, v: Float[Tensor, "*#n"], g: Float[Tensor, "*#n"]) -> Float[Tensor, "*#n"]:
        """g v."""
        return g * v

    def slope(self, v: Float[Tensor, "*#n"], g: Float[Tensor, "*#n"]) -> Float[Tensor, "*#n"]:
        """g."""
        return g.expand(torch.broadcast_shapes(g.shape, v.shape))

    def spice(self, name: str, u: str, w: str, g: float) -> list[str]:
        """A resistor."""
        return [f"Rg{name} {u} {w} {1 / g!r}"]


class Sinh(Conduction):
    """i = g v0 sinh(v / v0): g at low voltage, exponential beyond v0 (hopping, tunnelling)."""

    family: ClassVar[str] = "sinh"

    v0: Annotated[float, Range(least=1e-3, most=100.0)] = 0.25
    """Voltage that sets how soon the current bends [V]."""

    def current(self, v: Float[Tensor, "*#n"], g: Float[Tensor, "*#n"]) -> Float[Tensor, "*#n"]:
        """g v0 sinh(v / v0)."""
        return g * self.v0 * torch.sinh(v / self.v0)

    def slope(self, v: Float[Tensor, "*#n"], g: Float[Tensor, "*#n"]) -> Float[Tensor, "*#n"]:
        """g cosh(v / v0)."""
        return g * torch.cosh(v / self.v0)

    @property
    def telling_voltage(self) -> float:
        """3 v0."""
        return 3 * self.v0

    def datasheet(self) -> Entry:
        """v0."""
        return Entry("I-V", "sinh, v0 = {}", (Quantity(self.v0, "V"),))

    def spice(self, name: str, u: str, w: str, g: float) -> list[str]:
        """A source of that current."""
        return [f"Bg{name} {u} {w} I={g * self.v0!r}*sinh(V({u},{w})/{self.v0!r})"]


class Transistor(Conduction):
    """1T1R: an ohmic cell g in series with a selector transistor, between it and the bit line.

    Square law (Shichman and Hodges, IEEE J. Solid-State Circuits 3 (1968) 285), gate held at a
    fixed voltage above the source, no channel-length modulation. With x across the channel,

        i = beta (overdrive x - x^2 / 2) = g (v - x)    up to x = overdrive, constant beyond.

    Below 0 V the same parabola goes on: drain and source change places.
    """

    family: ClassVar[str] = "1t1r"

    beta: Annotated[float, Range(least=1e-12, most=1e6)] = 1e-3
    """Transconductance parameter, mobility x oxide capacitance x width / length [A/V^2]."""
    overdrive: Annotated[float, Range(least=1e-6, most=100.0)] = 1.0
    """Gate-source voltage above the threshold [V]."""

    def current(self, v: Float[Tensor, "*#n"], g: Float[Tensor, "*#n"]) -> Float[Tensor, "*#n"]:
        """That of the channel."""
        saturated, x = self._channel(v, g)
        most = 0.5 * self.beta * self.overdrive**2
        return torch.where(saturated, most, self.beta * x * (self.overdrive - 0.5 * x))

    def slope(self, v: Float[Tensor, "*#n"], g: Float[Tensor, "*#n"]) -> Float[Tensor, "*#n"]:
        """Cell and channel in series, beta (overdrive - x) of the latter; 0 in saturation."""
        saturated, x = self._channel(v, g)
        channel = self.beta * (self.overdrive - x)
        return torch.where(saturated, 0.0, g * channel / (g + channel))

    @property
    def telling_voltage(self) -> float:
        """1.5 times the overdrive: beyond saturation of a good cell."""
        return 1.5 * self.overdrive

    def datasheet(self) -> Entry:
        """beta and overdrive."""
        values = (Quantity(self.beta, "A"), Quantity(self.overdrive, "V"))
        return Entry("I-V", "1T1R, beta = {}/V^2, overdrive {}", values)

    def spice_shared(self, low: float) -> list[str]:
        """The model of the transistors, and their substrate below all voltages."""
        return [
            f".model selector NMOS(LEVEL=1 VTO={THRESHOLD} KP={self.beta!r} LAMBDA=0 GAMMA=0 "
            "IS=1e-30)",
            f"Vsub sub 0 {low!r}",
        ]

    def spice(self, name: str, u: str, w: str, g: float) -> list[str]:
        """A resistor, a level-1 NMOS, and its gate's voltage above the bit line."""
        return [
            f"Rg{name} {u} x{name} {1 / g!r}",
            f"Mg{name} x{name} g{name} {w} sub selector W=1u L=1u",
            f"Vg{name} g{name} {w} {THRESHOLD + self.overdrive!r}",
        ]

    def _channel(self, v: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
        """Whether it saturates, and where not, the voltage across it."""
        saturated = g * (v - self.overdrive) >= 0.5 * self.beta * self.overdrive**2
        v = torch.where(saturated, self.overdrive, v)
        b = self.beta * self.overdrive + g
        root = torch.sqrt(b * b - 2 * self.beta * g * v)
        return saturated, 2 * g * v / (b + root)
