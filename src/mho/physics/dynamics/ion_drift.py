"""Linear ion drift: the boundary between a doped and an undoped film moves with the charge."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from jaxtyping import Float
from torch import Tensor

from mho.config import Range
from mho.physics.cell import Traits
from mho.physics.datasheet import Entry, Quantity
from mho.physics.dynamics.resistive import Resistive
from mho.physics.dynamics.windows import Window
from mho.quantities import Metres


class IonDrift(Resistive):
    """State x = doped share of the film, 0 (R_off) to 1 (R_on); a positive voltage makes it grow.

        v = (R_on x + R_off (1 - x)) i
        dx/dt = (mu R_on / D^2) i f(x)

    f is the window, 1 without one: then R^2 falls linearly with the flux, the integral of v.
    Source: Strukov et al., 10.1038/nature06932, eqs. 5 and 6.
    """

    family: ClassVar[str] = "ion-drift"

    mobility: Annotated[float, Range(least=1e-30, most=1.0)]
    """Mobility of the dopants [m^2/V/s]."""
    depth: Metres
    """Thickness of the film [m]."""
    window: Window | None = None
    """Slows drift towards the ends; none: undiminished up to them."""

    def ends(self, traits: Traits) -> tuple[Any, Any]:
        """0 and 1."""
        return 0.0, 1.0

    def rate(
        self, x: Float[Tensor, "*#n"], v: Float[Tensor, "*#n"], traits: Traits
    ) -> Float[Tensor, "*#n"]:
        """(mu R_on / D^2) i f(x) [1/s]."""
        p = self.values(traits)
        drift = p.mobility * p.r_on / p.depth**2 * self.current(x, v, traits)
        return drift if self.window is None else drift * self.window.factor(x, v >= 0)

    def resistance(self, x: Float[Tensor, "*#n"], traits: Traits) -> Float[Tensor, "*#n"]:
        """R_off - (R_off - R_on) x [ohm]."""
        p = self.values(traits)
        return p.r_off - (p.r_off - p.r_on) * x

    def state_of(self, g: Float[Tensor, "*#n"], traits: Traits) -> Float[Tensor, "*#n"]:
        """(R_off - 1 / g) / (R_off - R_on)."""
        p = self.values(traits)
        return ((p.r_off - 1 / g) / (p.r_off - p.r_on)).clamp(*self.limits(traits, g))

    def family_datasheet(self) -> list[Entry]:
        """Mobility, thickness and window."""
        return [
            Entry("mobility", "{} m^2/V/s", (Quantity(self.mobility, "1"),)),
            Entry("thickness", "{}", (Quantity(self.depth, "m"),)),
            Entry("drift window", self.window.family if self.window else "none"),
        ]
