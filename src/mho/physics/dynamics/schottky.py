"""Current through the contact between a metal and an oxide with donors: over a barrier, or, where
the contact blocks, through it too.

Both laws are of the magnitude of a voltage and give the logarithm of the current, which neither
overflows nor underflows, with its derivatives by voltage and temperature. Source: the equations of
JART VCM v1b, C. Bengel et al., 10.1109/TCSI.2020.3018502; field emission with help of heat after
Padovani and Stratton, 10.1016/0038-1101(66)90097-9.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

K_OVER_Q = 1.380649e-23 / 1.602176634e-19
"""Boltzmann's constant over the elementary charge [V/K]."""
Q_OVER_EPS0 = 1.602176634e-19 / 8.8541878128e-12
"""Elementary charge over the permittivity of vacuum [V m]."""
TUNNELLING = 0.5 * 1.054571817e-34 / math.sqrt(9.1093837015e-31 * 8.8541878128e-12)
"""hbar / 2 / sqrt(m_e eps_0) [V m^1.5]."""
RICHARDSON = 6.01e5
"""A* of the source [A/m^2/K^2]."""
LEAST = 1e-12
"""Distance to flat bands below which the image force is taken as none [V]."""


class Law(NamedTuple):
    """ln(i / 1 A) and its derivatives."""

    log: Float[Tensor, "*n"]
    by_v: Float[Tensor, "*n"]
    """[1/V]."""
    by_t: Float[Tensor, "*n"]
    """[1/K]."""


class Contact(NamedTuple):
    """A contact; numbers or (...)."""

    barrier: Float[Tensor, "*#n"] | float
    """phi_Bn0, without image force [V]."""
    bending: Float[Tensor, "*#n"] | float
    """phi_Bn0 - phi_n: voltage at which the bands are flat [V]."""
    image: Float[Tensor, "*#n"]
    """Lowering of the barrier by the image force, 1 V from flat bands [V]."""
    tunnelling: Float[Tensor, "*#n"]
    """W_00 / e [V]."""
    area: Float[Tensor, "*#n"] | float
    """Cross section [m^2]."""

    def law(
        self, v: Float[Tensor, "*n"], t: Float[Tensor, "*n"], blocks: Bool[Tensor, "*n"]
    ) -> Law:
        """Current at v > 0 [V], a voltage that blocks where `blocks`, and t [K]."""
        if not blocks.any():
            return over_barrier(self, v, t)
        through = through_barrier(self, v, t)
        if blocks.all():
            return through
        over = over_barrier(self, v, t)
        return Law(*(torch.where(blocks, a, b) for a, b in zip(through, over, strict=True)))

    @property
    def edge(self) -> Float[Tensor, "*#n"]:
        """Voltage up to which the current over the barrier surely grows at any temperature [V].

        phi falls short of 0 up to (barrier / image)^4 from flat bands, and rises by less than the
        voltage does up to (image / 4)^(4/3) from them.
        """
        steep = torch.minimum((self.image / 4) ** (4 / 3), (self.barrier / self.image) ** 4)
        return (self.bending - steep).clamp(min=0.0)


def image_lowering(
    charges: Float[Tensor, "*#n"], permittivity: Float[Tensor, "*#n"] | float
) -> Float[Tensor, "*#n"]:
    """(q^3 n / (8 pi^2 eps^3))^(1/4) of n charges [1/m^3], 1 V from flat bands [V]."""
    per_charge = (Q_OVER_EPS0 / permittivity) ** 3 / (8 * math.pi**2)
    return (per_charge * charges) ** 0.25


def tunnelling_energy(
    charges: Float[Tensor, "*#n"], permittivity: Float[Tensor, "*#n"] | float
) -> Float[Tensor, "*#n"]:
    """hbar / 2 sqrt(n / (m eps)) of n charges [1/m^3], as a voltage [V]."""
    return TUNNELLING * (charges / permittivity) ** 0.5


def over_barrier(contact: Contact, v: Float[Tensor, "*n"], t: Float[Tensor, "*n"]) -> Law:
    """Thermionic emission at v > 0, which lowers the bending of the bands.

    i = A A* T^2 exp(-phi / kT) (exp(v / kT) - 1),
    phi = phi_Bn0 - image (bending - v)^(1/4), not below 0, and phi_Bn0 beyond flat bands.
    """
    thermal = K_OVER_Q * t
    phi, rise = _barrier(contact, contact.bending - v, -1.0)
    share = -torch.expm1(-v / thermal)
    log = torch.log(RICHARDSON * contact.area * t * t) + (v - phi) / thermal + torch.log(share)
    by_v = (1 / share - rise) / thermal
    by_t = 2 / t + (phi - v / share) / (thermal * t)
    return Law(log, by_v, by_t)


def through_barrier(contact: Contact, v: Float[Tensor, "*n"], t: Float[Tensor, "*n"]) -> Law:
    """Thermionic field emission at v > 0, here the magnitude of a voltage that blocks.

    i = A A* T / k sqrt(pi W_00 (v + phi / cosh^2(W_00 / kT))) exp(-phi / W_0) (exp(v / e') - 1),
    W_0 = W_00 / tanh(W_00 / kT), e' = W_00 / (W_00 / kT - tanh(W_00 / kT)), phi as in
    `over_barrier` at -v.
    """
    phi, rise = _barrier(contact, contact.bending + v, 1.0)
    energy = contact.tunnelling
    ratio = energy / (K_OVER_Q * t)
    decay = torch.exp(-2 * ratio)
    tanh, sech2 = (1 - decay) / (1 + decay), 4 * decay / (1 + decay) ** 2
    inverse = _beyond_tanh(ratio, tanh) / energy
    share = -torch.expm1(-v * inverse)
    root = v + phi * sech2
    factor = RICHARDSON * contact.area * t / K_OVER_Q
    log = (
        torch.log(factor)
        + 0.5 * torch.log(math.pi * energy * root)
        - phi * tanh / energy
        + v * inverse
        + torch.log(share)
    )
    by_v = 0.5 * (1 + rise * sech2) / root - rise * tanh / energy + inverse / share
    by_ratio = -phi * tanh * sech2 / root - phi * sech2 / energy + v * tanh * tanh / energy / share
    return Law(log, by_v, 1 / t - by_ratio * ratio / t)


def _barrier(contact: Contact, bent: Tensor, sign: float) -> tuple[Tensor, Tensor]:
    """phi [V], and its derivative [1] by a voltage that changes the bending by `sign` of itself."""
    held = bent.clamp(min=LEAST)
    lowering = contact.image * held**0.25
    phi = contact.barrier - lowering
    partly = (phi > 0) & (bent > LEAST)
    rise = torch.where(partly, -0.25 * sign * lowering / held, 0.0)
    phi = torch.where(bent > LEAST, phi.clamp(min=0.0), contact.barrier)
    return phi, rise


def _beyond_tanh(x: Tensor, tanh: Tensor) -> Tensor:
    """x - tanh(x), by its series where the difference would cancel."""
    x2 = x * x
    series = x * x2 * (1 / 3 - x2 * (2 / 15 - x2 * (17 / 315 - x2 * (62 / 2835))))
    return torch.where(x < 0.05, series, x - tanh)
