"""Stanford-PKU RRAM: a gap in a filament grows and shrinks by hopping, and Joule heat helps."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from mho.config import Range
from mho.errors import invalid
from mho.physics.cell import Traits
from mho.physics.datasheet import Entry, Quantity
from mho.physics.dynamics.model import DynamicModel
from mho.quantities import Amperes, Kelvin, Metres, PositiveSeconds, PositiveVolts, Speed

K_OVER_Q = 1.380649e-23 / 1.602176634e-19
"""Boltzmann's constant over the elementary charge [V/K]."""
ROUNDING = 1e-5
"""Of the threshold of the field: a gap at its ceiling still counts as below [1]."""


class StanfordPku(DynamicModel):
    """State g = tunnelling gap [m]; a positive voltage closes it (SET).

        i = I0 exp(-g / g0) sinh(v / V0)
        T = T0 + R_th |v i|
        dg/dt = -v0 exp(-q E_a / k T) sinh(gamma (a0 / t_ox) q v / k T)
        gamma = gamma0 - beta (g / 1 nm)^alpha, with gamma0 and beta of SET or of RESET

    gamma counts as 0 where it would be negative or where the field gamma |v| / t_ox lies below
    `field_min`. That is the median device. From cycle to cycle the velocity of the gap also has a
    random part, chi standard normal and fresh each `noise_interval`, at rest too; here it acts at
    the end of each interval:

        dg/dt + delta(T) chi,  delta(T) = delta0 / (1 + exp((T_crit - T) / T_smth))

    A gap at rest so walks by delta sqrt(t noise_interval) in a time t: the interval is a parameter
    of the device, not of the solver. Source: Jiang et al., 10.1109/TED.2016.2545412, eqs. 1 to 6;
    `field_min` and the interval from the Verilog-A code, 10.4231/D37H1DN48.
    """

    family: ClassVar[str] = "stanford-pku"

    gap_min: Annotated[float, Range(least=0.0, most=1e-7)]
    """Smallest gap: stands for the compliance of a SET [m]."""
    gap_max: Annotated[float, Range(least=1e-12, most=1e-7)]
    """Largest gap [m]."""
    current_scale: Amperes
    """I0 [A]."""
    gap_scale: Metres
    """g0: how fast the current falls with the gap [m]."""
    voltage_scale: PositiveVolts
    """V0: how soon the current bends [V]."""
    velocity: Speed
    """v0: attempt rate times hopping distance [m/s]."""
    activation: Annotated[float, Range(least=1e-3, most=10.0)]
    """E_a: energy of a hop [eV]."""
    hop: Metres = 0.25e-9
    """a0: hopping distance [m]."""
    thickness: Metres
    """t_ox: of the oxide [m]."""
    gamma_set: Annotated[float, Range(least=0.0, most=1e6)]
    """gamma0 of SET: enhancement of the local field [1]."""
    gamma_reset: Annotated[float, Range(least=0.0, most=1e6)]
    """gamma0 of RESET [1]."""
    beta_set: Annotated[float, Range(least=0.0, most=1e6)]
    """beta of SET: how the enhancement falls with the gap [1]."""
    beta_reset: Annotated[float, Range(least=0.0, most=1e6)]
    """beta of RESET [1]."""
    alpha: Annotated[float, Range(least=1e-3, most=10.0)]
    """Exponent of the gap in the enhancement [1]."""
    field_min: Annotated[float, Range(least=0.0, most=1e15)] = 0.0
    """Least enhanced field that moves the gap [V/m]."""
    ambient: Kelvin = 300.0
    """T0 [K]."""
    thermal_resistance: Annotated[float, Range(least=0.0, most=1e15)]
    """R_th [K/W]."""
    noise: Annotated[float, Range(least=0.0, most=1e15)] = 0.0
    """delta0: random velocity of the gap when hot [m/s]; 0: the median device alone."""
    noise_temperature: Kelvin = 450.0
    """T_crit: temperature at which half of it acts [K]."""
    noise_smoothing: Kelvin = 500.0
    """T_smth: how far from T_crit it comes and goes [K]."""
    noise_interval: PositiveSeconds = 1e-9
    """Time for which one random number stands [s]."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.gap_min >= self.gap_max:
            raise invalid(
                "StanfordPku.gap_min", self.gap_min, f"below gap_max = {self.gap_max:g} m"
            )

    @property
    def set_voltage(self) -> float:
        """1.8 V."""
        return 1.8

    def family_datasheet(self) -> list[Entry]:
        """Gap, current and what moves the gap."""
        scales = (
            Quantity(self.current_scale, "A"),
            Quantity(self.gap_scale, "m"),
            Quantity(self.voltage_scale, "V"),
        )
        return [
            Entry("gap", "{} to {}", (Quantity(self.gap_min, "m"), Quantity(self.gap_max, "m"))),
            Entry("I0, g0, V0", "{}, {}, {}", scales),
            Entry("activation", "{} eV", (Quantity(self.activation, "1"),)),
            Entry("velocity", "{}", (Quantity(self.velocity, "m/s"),)),
            Entry("thermal", "{} K/W", (Quantity(self.thermal_resistance, "1"),)),
        ]

    def noise_of_cycles(self) -> Entry:
        """The random velocity of the gap, and for how long it stands."""
        if self.interval is None:
            return super().noise_of_cycles()
        values = (Quantity(self.noise, "m/s"), Quantity(self.interval, "s"))
        return Entry("noise of cycles", "{}, fresh each {}", values)

    def ends(self, traits: Traits) -> tuple[Any, Any]:
        """gap_max and gap_min [m]."""
        p = self.values(traits)
        return p.gap_max, p.gap_min

    def rate(
        self, x: Float[Tensor, "*#n"], v: Float[Tensor, "*#n"], traits: Traits
    ) -> Float[Tensor, "*#n"]:
        """dg/dt [m/s]."""
        p = self.values(traits)
        thermal = K_OVER_Q * self.temperature(x, v, traits)
        sets = (v > 0).to(x.dtype)
        gamma = p.gamma_reset + (p.gamma_set - p.gamma_reset) * sets
        beta = p.beta_reset + (p.beta_set - p.beta_reset) * sets
        gamma = (gamma - beta * (x / 1e-9) ** p.alpha).clamp(min=0.0)
        if self._has_threshold(traits):
            gamma = gamma * (gamma * v.abs() / p.thickness >= (1 - ROUNDING) * p.field_min)
        hops = gamma * p.hop / p.thickness * v.abs() / thermal
        # exp(-E) sinh(hops), as one exponential that does not overflow
        speed = (
            -0.5 * p.velocity * torch.exp(hops - p.activation / thermal) * torch.expm1(-2 * hops)
        )
        return -v.sign() * speed

    def ceiling(self, v: Float[Tensor, "*#n"], traits: Traits) -> Float[Tensor, "*#n"] | None:
        """Gap at which the field of a RESET falls to `field_min` [m]."""
        if not self._has_threshold(traits):
            return None
        p = self.values(traits)
        spare = p.gamma_reset - p.field_min * p.thickness / v.abs().clamp(min=1e-9)
        moves = spare > 0
        gap = 1e-9 * (spare.where(moves, 1.0) / p.beta_reset) ** (1 / p.alpha)
        return gap.where(moves, 0.0)

    def current(
        self, x: Float[Tensor, "*#n"], v: Float[Tensor, "*#n"], traits: Traits
    ) -> Float[Tensor, "*#n"]:
        """I0 exp(-g / g0) sinh(v / V0) [A]."""
        p = self.values(traits)
        return p.current_scale * torch.exp(-x / p.gap_scale) * torch.sinh(v / p.voltage_scale)

    def slope(
        self, x: Float[Tensor, "*#n"], v: Float[Tensor, "*#n"], traits: Traits
    ) -> Float[Tensor, "*#n"]:
        """I0 / V0 exp(-g / g0) cosh(v / V0) [S]."""
        p = self.values(traits)
        scale = p.current_scale / p.voltage_scale
        return scale * torch.exp(-x / p.gap_scale) * torch.cosh(v / p.voltage_scale)

    def voltage(
        self, x: Float[Tensor, "*#n"], i: Float[Tensor, "*#n"], traits: Traits
    ) -> Float[Tensor, "*#n"]:
        """V0 asinh(i exp(g / g0) / I0) [V]."""
        p = self.values(traits)
        return p.voltage_scale * torch.asinh(i / p.current_scale * torch.exp(x / p.gap_scale))

    def temperature(
        self, x: Float[Tensor, "*#n"], v: Float[Tensor, "*#n"], traits: Traits
    ) -> Float[Tensor, "*#n"]:
        """Of the filament [K]."""
        p = self.values(traits)
        return p.ambient + p.thermal_resistance * (v * self.current(x, v, traits)).abs()

    @property
    def interval(self) -> float | None:
        """`noise_interval`, if there is noise."""
        return self.noise_interval if self.noise > 0 else None

    def unrest(
        self, x: Float[Tensor, "*#n"], v: Float[Tensor, "*#n"], traits: Traits
    ) -> Float[Tensor, "*#n"]:
        """delta(T) [m/s]."""
        p = self.values(traits)
        heat = (self.temperature(x, v, traits) - p.noise_temperature) / p.noise_smoothing
        return p.noise * torch.sigmoid(heat)

    def _has_threshold(self, traits: Traits) -> bool:
        return self.field_min > 0 or "field_min" in traits

    def state_of(self, g: Float[Tensor, "*#n"], traits: Traits) -> Float[Tensor, "*#n"]:
        """Gap that reads as conductance g [m]."""
        p = self.values(traits)
        closed = self.conductance(torch.zeros_like(g), traits)
        return (-p.gap_scale * torch.log(g / closed)).clamp(*self.limits(traits, g))
