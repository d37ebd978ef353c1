"""VTEAM: a voltage beyond a threshold moves the state, by a power of how far it lies beyond."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from mho.config import Range
from mho.errors import invalid
from mho.physics.cell import Traits
from mho.physics.datasheet import Entry, Quantity
from mho.physics.dynamics.resistive import Resistive
from mho.physics.dynamics.windows import Window
from mho.quantities import Metres, PositiveVolts, Speed


class Vteam(Resistive):
    """State w [m] between w_on (low resistance) and w_off; a positive voltage RESETs.

        dw/dt = k_off (v / v_off - 1)^alpha_off f(w)    v > v_off > 0
                k_on (v / v_on - 1)^alpha_on f(w)       v < v_on < 0
                0                                       between

    With s = (w - w_on) / (w_off - w_on) the resistance is R_on + (R_off - R_on) s ("linear") or
    R_on (R_off / R_on)^s ("exponential"). f is the window of s, 1 without one. Source: Kvatinsky et
    al., 10.1109/TCSII.2015.2433536.
    """

    family: ClassVar[str] = "vteam"

    w_on: Annotated[float, Range(least=0.0, most=1e-3)] = 0.0
    """State of low resistance [m]."""
    w_off: Metres = 3e-9
    """State of high resistance [m]."""
    k_on: Annotated[float, Range(least=-1e15, most=-1e-30)]
    """Speed of a SET at twice the threshold [m/s]."""
    k_off: Speed
    """Speed of a RESET at twice the threshold [m/s]."""
    v_on: Annotated[float, Range(least=-1e3, most=-1e-6)]
    """Threshold of SET [V]."""
    v_off: PositiveVolts
    """Threshold of RESET [V]."""
    alpha_on: Annotated[float, Range(least=1.0, most=100.0)]
    """Exponent of SET [1]."""
    alpha_off: Annotated[float, Range(least=1.0, most=100.0)]
    """Exponent of RESET [1]."""
    form: Literal["linear", "exponential"] = "linear"
    """How the resistance follows the state."""
    window: Window | None = None
    """Slows the state towards the ends; none: undiminished up to them."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.w_on >= self.w_off:
            raise invalid("Vteam.w_on", self.w_on, f"below w_off = {self.w_off:g} m")

    def ends(self, traits: Traits) -> tuple[Any, Any]:
        """w_off and w_on [m]."""
        p = self.values(traits)
        return p.w_off, p.w_on

    def rate(
        self, x: Float[Tensor, "*#n"], v: Float[Tensor, "*#n"], traits: Traits
    ) -> Float[Tensor, "*#n"]:
        """dw/dt [m/s]."""
        p = self.values(traits)
        off = p.k_off * (v / p.v_off - 1).clamp(min=0.0) ** p.alpha_off
        on = p.k_on * (v / p.v_on - 1).clamp(min=0.0) ** p.alpha_on
        if self.window is None:
            return (off + on).expand(torch.broadcast_shapes(x.shape, off.shape, on.shape))
        return (off + on) * self.window.factor(self._share(x, traits), v >= 0)

    def resistance(self, x: Float[Tensor, "*#n"], traits: Traits) -> Float[Tensor, "*#n"]:
        """R(w) [ohm]."""
        p, s = self.values(traits), self._share(x, traits)
        if self.form == "linear":
            return p.r_on + (p.r_off - p.r_on) * s
        return p.r_on * (p.r_off / p.r_on) ** s

    def state_of(self, g: Float[Tensor, "*#n"], traits: Traits) -> Float[Tensor, "*#n"]:
        """w at which R is 1 / g [m]."""
        p = self.values(traits)
        if self.form == "linear":
            s = (1 / g - p.r_on) / (p.r_off - p.r_on)
        else:
            s = torch.log(1 / (g * p.r_on)) / torch.log(g.new_tensor(1.0) * p.r_off / p.r_on)
        return (p.w_on + (p.w_off - p.w_on) * s).clamp(*self.limits(traits, g))

    @property
    def set_voltage(self) -> float:
        """1.5 times the larger threshold; a SET is negative."""
        return -1.5 * max(abs(self.v_on), abs(self.v_off))

    def family_datasheet(self) -> list[Entry]:
        """Thresholds, speeds, exponents and window."""
        exponents = (Quantity(self.alpha_on, "1"), Quantity(self.alpha_off, "1"))
        return [
            Entry("thresholds", "{}, {}", (Quantity(self.v_on, "V"), Quantity(self.v_off, "V"))),
            Entry("speeds", "{}, {}", (Quantity(self.k_on, "m/s"), Quantity(self.k_off, "m/s"))),
            Entry("exponents", "{}, {}", exponents),
            Entry("drift window", self.window.family if self.window else "none"),
        ]

    def _share(self, x: Tensor, traits: Traits) -> Tensor:
        p = self.values(traits)
        return (x - p.w_on) / (p.w_off - p.w_on)
