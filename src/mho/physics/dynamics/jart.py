"""JART VCM v1b: oxygen vacancies drift between a disc at the contact and a plug, and heat helps."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from mho.config import Range
from mho.errors import invalid
from mho.physics.cell import Traits
from mho.physics.datasheet import Entry, Quantity
from mho.physics.dynamics.contact_in_series import LEAST_CURRENT, SMALL, ContactInSeries, Point
from mho.physics.dynamics.model import DynamicModel
from mho.physics.dynamics.root import root
from mho.physics.dynamics.schottky import K_OVER_Q, Contact, image_lowering, tunnelling_energy
from mho.quantities import Hertz, Kelvin, Metres, PositiveVolts

PER_CUBIC_METRE = 1e26
"""Unit of concentrations [1/m^3]."""
ELEMENTARY = 1.602176634e-19
"""Elementary charge [C]."""
CHARGES = 2.0
"""Elementary charges of a vacancy [1]."""
SHARPNESS = 10.0
"""Exponent with which drift stops at the ends of the concentration [1]."""
STEEPEST = 1.0 - 1e-6
"""Field, over that at which the barrier to a hop is gone, up to which it is counted [1]."""

Concentration = Annotated[float, Range(least=1e-6, most=1e6)]
"""A concentration of vacancies [1e26/m^3]."""


class JartVcm(DynamicModel):
    """State x = ln(N_disc / 1e26 m^-3); a negative voltage raises it (SET), a positive lowers it.

    Contact, disc, plug, oxide and line lie in series:

        v = v_s + i (R_disc + R_plug + R_TiOx + R_0 (1 + R_0 alpha R_th,line i^2))
        R_disc = l / (z e mu N_disc A), R_plug = (l_cell - l) / (z e mu N_plug A), A = pi r^2
        T = T_0 + R_th i (v_s + i (R_disc + R_plug)), R_th = R_th0 (r_det / r)^2, scaled in RESET
        dN_disc/dt = -+ (N_plug + N_disc) / 2 a nu_0 / l (exp(-W_- / kT) - exp(-W_+ / kT)) F
        W_-+ = W (sqrt(1 - g^2) -+ g pi / 2 + g asin g), g = z a E / (pi W)
        E = i R_disc / l in SET, (v_s + i (R_disc + R_plug)) / l_cell in RESET
        F = 1 - (N_disc / N_max)^10 in SET, 1 - (N_min / N_disc)^10 in RESET

    and i is that of a Schottky contact at v_s and T, over its barrier where v > 0 and through it
    too where v < 0 (see `schottky`). Where v > 0 up to three currents fit, for the barrier rises
    steeply just before its bands are flat: that of the least v_s is taken, to which a device comes
    from 0 V.

    Source: C. Bengel et al., 10.1109/TCSI.2020.3018502, in the polarity of its Verilog-A code,
    10.26165/JUELICH-DATA/FERGKU. Currents are held to a fit that others published to that code in a
    circuit simulator, 10.1109/SMACD58065.2023.10192107, within some 5 %; courses in time to SciPy's
    stiff solvers, and a loop of SET and RESET to ngspice. Figures of the source itself were not at
    hand.
    """

    family: ClassVar[str] = "jart-vcm-v1b"

    n_min: Concentration
    """Least concentration in the disc [1e26/m^3]."""
    n_max: Concentration
    """Largest concentration in the disc [1e26/m^3]."""
    n_plug: Concentration
    """Concentration in the plug [1e26/m^3]."""
    radius: Metres
    """r: of the filament [m]."""
    nominal_radius: Metres
    """r_det: for which the thermal resistance is given [m]."""
    disc_length: Metres
    """l: of the disc [m]."""
    cell_length: Metres
    """l_cell: of disc and plug [m]."""
    mobility: Annotated[float, Range(least=1e-12, most=10.0)]
    """mu: of electrons [m^2/V/s]."""
    barrier: PositiveVolts
    """phi_Bn0: of the contact, without image force [eV]."""
    band_offset: PositiveVolts
    """phi_n: from the Fermi level to the edge of the conduction band [eV]."""
    permittivity: Annotated[float, Range(least=1.0, most=1e4)]
    """Of the oxide, static [1]."""
    image_permittivity: Annotated[float, Range(least=1.0, most=1e4)]
    """Of the oxide, for the image force [1]."""
    hop: Metres
    """a: hopping distance [m]."""
    attempts: Hertz
    """nu_0: attempt frequency [Hz]."""
    activation: Annotated[float, Range(least=1e-3, most=10.0)]
    """W: energy of a hop [eV]."""
    ambient: Kelvin
    """T_0 [K]."""
    thermal_resistance: Annotated[float, Range(least=0.0, most=1e15)]
    """R_th0: of the filament, in SET [K/W]."""
    reset_heating: Annotated[float, Range(least=0.0, most=10.0)]
    """Thermal resistance in RESET over that in SET [1]."""
    oxide_resistance: Annotated[float, Range(least=0.0, most=1e9)]
    """R_TiOx: of the layer in series [ohm]."""
    line_resistance: Annotated[float, Range(least=1e-3, most=1e9)]
    """R_0: of the line, cold [ohm]."""
    line_coefficient: Annotated[float, Range(least=1e-9, most=1.0)]
    """alpha: of the line's resistance in temperature [1/K]."""
    line_thermal_resistance: Annotated[float, Range(least=1e-3, most=1e15)]
    """R_th,line [K/W]."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for low, high, unit in (
            ("n_min", "n_max", "1e26/m^3"),
            ("disc_length", "cell_length", "m"),
            ("band_offset", "barrier", "eV"),
        ):
            value, most = getattr(self, low), getattr(self, high)
            if value >= most:
                raise invalid(f"JartVcm.{low}", value, f"below {high} = {most:g} {unit}")

    @property
    def set_voltage(self) -> float:
        """-1.3 V."""
        return -1.3

    @property
    def most_voltage(self) -> float:
        """1.9 V: beyond, the filament of a SET is some 5,000 K hot, and its current falls again."""
        return 1.9

    def family_datasheet(self) -> list[Entry]:
        """Vacancies, filament, contact and what moves the vacancies."""
        vacancies = (Quantity(1e26 * self.n_min, "1/m^3"), Quantity(1e26 * self.n_max, "1/m^3"))
        filament = (Quantity(self.radius, "m"), Quantity(self.disc_length, "m"))
        return [
            Entry("vacancies in the disc", "{} to {}", vacancies),
            Entry("radius, disc length", "{}, {}", filament),
            Entry("barrier of the contact", "{} eV", (Quantity(self.barrier, "1"),)),
            Entry("activation", "{} eV", (Quantity(self.activation, "1"),)),
            Entry("thermal", "{} K/W", (Quantity(self.thermal_resistance, "1"),)),
        ]

    def ends(self, traits: Traits) -> tuple[Any, Any]:
        """ln n_min and ln n_max."""
        p = self.values(traits)
        return _log(p.n_min), _log(p.n_max)

    def rate(
        self, x: Float[Tensor, "*#n"], v: Float[Tensor, "*#n"], traits: Traits
    ) -> Float[Tensor, "*#n"]:
        """dx/dt [1/s]."""
        p, sets, (off, on) = self.values(traits), v < 0, self.ends(traits)
        path, at = self._solved(x, v, traits)
        disc = self._disc(x, traits)
        field = torch.where(
            sets, at.i * disc / p.disc_length, (at.contact + at.i * path.filament) / p.cell_length
        )
        limit = -torch.expm1(SHARPNESS * torch.where(sets, x - on, off - x)).clamp(max=0.0)
        energy = p.activation / (K_OVER_Q * at.t)
        g = (CHARGES * p.hop / (math.pi * p.activation) * field).clamp(max=STEEPEST)
        least = torch.sqrt(1 - g * g) - 0.5 * math.pi * g + g * torch.asin(g)
        hops = -torch.exp(-energy * least) * torch.expm1(-energy * math.pi * g)
        n = torch.exp(x)
        speed = 0.5 * (p.n_plug + n) / n * p.hop * p.attempts / p.disc_length * hops * limit
        return -v.sign() * speed

    def current(
        self, x: Float[Tensor, "*#n"], v: Float[Tensor, "*#n"], traits: Traits
    ) -> Float[Tensor, "*#n"]:
        """i [A]."""
        _, at = self._solved(x, v, traits)
        return at.i * (v / v.abs().clamp(min=SMALL))

    def temperature(
        self, x: Float[Tensor, "*#n"], v: Float[Tensor, "*#n"], traits: Traits
    ) -> Float[Tensor, "*#n"]:
        """Of the filament [K]."""
        return self._solved(x, v, traits)[1].t

    def slope(
        self, x: Float[Tensor, "*#n"], v: Float[Tensor, "*#n"], traits: Traits
    ) -> Float[Tensor, "*#n"]:
        """di/dv [S]; at 0 V, where the current bends, the mean of both sides."""
        slope = self._solved(x, v, traits)[1].slope
        rests = v == 0
        if not rests.any():
            return slope
        sets = self._solved(x, torch.full_like(v, -SMALL), traits)[1].slope
        return torch.where(rests, 0.5 * (slope + sets), slope)

    def voltage(
        self, x: Float[Tensor, "*#n"], i: Float[Tensor, "*#n"], traits: Traits
    ) -> Float[Tensor, "*#n"]:
        """v at which i flows [V], the least if there are several."""
        path = self._path(x, i, traits)
        size = i.abs().clamp(min=LEAST_CURRENT)
        return path.voltage(size.expand(path.blocks.shape)) * (i / size)

    def state_of(self, g: Float[Tensor, "*#n"], traits: Traits) -> Float[Tensor, "*#n"]:
        """x that reads as conductance g [S]."""
        low, high = self.limits(traits, g)
        shape = torch.broadcast_shapes(g.shape, *(each.shape for each in traits.values()))
        low, high, g = low.expand(shape), high.expand(shape), g.expand(shape)
        small = torch.finfo(g.dtype).eps ** (1 / 3)

        def excess(x: Tensor) -> tuple[Tensor, Tensor]:
            """ln of the conductance over g."""
            less, same, more = (
                torch.log(self.conductance(each, traits)) for each in (x - small, x, x + small)
            )
            return same - torch.log(g.clamp(min=LEAST_CURRENT)), (more - less) / (2 * small)

        return root(excess, low, high, 0.5 * (low + high)).clamp(low, high)

    def _disc(self, x: Tensor, traits: Traits) -> Tensor:
        """R_disc [ohm]."""
        p = self.values(traits)
        return self._per_length(traits) * p.disc_length / torch.exp(x)

    def _per_length(self, traits: Traits) -> Any:
        """Resistance of the filament at 1e26 vacancies/m^3 [ohm/m]."""
        p = self.values(traits)
        charge = CHARGES * ELEMENTARY * PER_CUBIC_METRE
        return 1 / (charge * p.mobility * (math.pi * p.radius**2))

    def _path(self, x: Tensor, like: Tensor, traits: Traits) -> ContactInSeries:
        """What a current flows through at state x, one of the sign of `like`."""
        p, sets = self.values(traits), like < 0
        plug = self._per_length(traits) * (p.cell_length - p.disc_length) / p.n_plug
        filament = self._disc(x, traits) + plug
        charges = CHARGES * PER_CUBIC_METRE * torch.exp(x)
        contact = Contact(
            barrier=p.barrier,
            bending=p.barrier - p.band_offset,
            image=image_lowering(charges, p.image_permittivity),
            tunnelling=tunnelling_energy(charges, p.permittivity),
            area=math.pi * p.radius**2,
        )
        heat = p.thermal_resistance * (p.nominal_radius / p.radius) ** 2
        heat = heat * torch.where(sets, x.new_tensor(1.0), p.reset_heating)
        cold = filament + p.oxide_resistance + p.line_resistance
        heated = p.line_resistance**2 * p.line_coefficient * p.line_thermal_resistance
        shape = torch.broadcast_shapes(
            *(getattr(each, "shape", ()) for each in (cold, heated, heat, p.ambient, *contact))
        )
        return ContactInSeries(contact, sets.expand(shape), filament, cold, heated, heat, p.ambient)

    def _solved(self, x: Tensor, v: Tensor, traits: Traits) -> tuple[ContactInSeries, Point]:
        """The path at voltage v, and what holds on it."""
        path = self._path(x, v, traits)
        return path, path.at(v.abs().clamp(min=SMALL).expand(path.blocks.shape))


def _log(value: Tensor | float) -> Any:
    return torch.log(value) if isinstance(value, Tensor) else math.log(value)
