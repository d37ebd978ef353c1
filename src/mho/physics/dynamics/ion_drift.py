"""Linear ion drift: the boundary between a doped and an undoped film moves with the charge."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from mho.config import Range
from mho.errors import invalid
from mho.physics.cell import Traits
from mho.physics.dynamics.model import DynamicModel
from mho.physics.dynamics.windows import Window


class IonDrift(DynamicModel):
    """State x = doped share of the film, 0 to 1; a positive voltage makes it grow.

        v = (R_on x + R_off (1 - x)) i
        dx/dt = (mu R_on / D^2) i f(x)

    f is the window, 1 without one: then R^2 falls linearly with the flux, the integral of v.
    Source: Strukov et al., 10.1038/nature06932, eqs. 5 and 6.
    """

    family: ClassVar[str] = "ion-drift"

    r_on: Annotated[float, Range(above=0.0)]
    """Resistance of the film doped throughout [ohm]."""
    r_off: Annotated[float, Range(above=0.0)]
    """Resistance of the film without dopants [ohm]."""
    mobility: Annotated[float, Range(above=0.0)]
    """Mobility of the dopants [m^2/V/s]."""
    depth: Annotated[float, Range(above=0.0)]
    """Thickness of the film [m]."""
    window: Window | None = None
    """Slows drift towards the ends; none: undiminished up to them."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.r_on >= self.r_off:
            raise invalid("IonDrift.r_on", self.r_on, f"below r_off = {self.r_off:g} ohm")

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

    def current(
        self, x: Float[Tensor, "*#n"], v: Float[Tensor, "*#n"], traits: Traits
    ) -> Float[Tensor, "*#n"]:
        """v / R(x) [A]."""
        return v / self._resistance(x, traits)

    def slope(
        self, x: Float[Tensor, "*#n"], v: Float[Tensor, "*#n"], traits: Traits
    ) -> Float[Tensor, "*#n"]:
        """1 / R(x) [S]."""
        return (1 / self._resistance(x, traits)).expand(torch.broadcast_shapes(x.shape, v.shape))

    def voltage(
        self, x: Float[Tensor, "*#n"], i: Float[Tensor, "*#n"], traits: Traits
    ) -> Float[Tensor, "*#n"]:
        """i R(x) [V]."""
        return i * self._resistance(x, traits)

    def state_of(self, g: Float[Tensor, "*#n"], traits: Traits) -> Float[Tensor, "*#n"]:
        """(R_off - 1 / g) / (R_off - R_on)."""
        p = self.values(traits)
        return ((p.r_off - 1 / g) / (p.r_off - p.r_on)).clamp(*self.limits(traits, g))

    def _resistance(self, x: Tensor, traits: Traits) -> Tensor:
        p = self.values(traits)
        return p.r_off - (p.r_off - p.r_on) * x
