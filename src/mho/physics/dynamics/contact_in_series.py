"""A Schottky contact in series with resistances that heat it and themselves: its current.

    v = v_s + i (cold + heated i^2),  ln i = ln of the contact's current at v_s and T,
    T = ambient + heat i (v_s + filament i)

All are of magnitudes; `blocks` says where the contact blocks. One equation is left, of the share of
the contact in the voltage as u = ln(v_s / (v - v_s)), which at small voltages is linear in u.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from mho.kernels import allowed
from mho.kernels.contact import solve_contact, solve_voltage
from mho.physics.dynamics.root import root
from mho.physics.dynamics.schottky import K_OVER_Q, RICHARDSON, Contact

SMALL = 1e-9
"""Voltage below which the current is taken as proportional to it [V]."""
LEAST_CURRENT = 1e-30
"""The same of a current [A]."""
SPAN = 60.0
"""u is sought from minus this to this [1]."""
CONTACT_VOLTAGES = (1e-30, 1e3)
"""Between these the voltage of the contact is sought when the current is given [V]."""


class Point(NamedTuple):
    """What holds at a voltage; (...) each."""

    i: Float[Tensor, "*n"]
    """Current [A]."""
    contact: Float[Tensor, "*n"]
    """v_s [V]."""
    t: Float[Tensor, "*n"]
    """T [K]."""
    slope: Float[Tensor, "*n"]
    """di/dv [S]."""


class _Guess(NamedTuple):
    """What a u would mean, and how far the contact's current is off the rest's."""

    i: Tensor
    contact: Tensor
    t: Tensor
    excess: Tensor
    """ln of the contact's current over i."""
    by_u: tuple[Tensor, Tensor]
    """Derivatives of i and of the excess by u."""
    by_v: tuple[Tensor, Tensor]
    """The same by the voltage, u held."""


class ContactInSeries(NamedTuple):
    """Devices (...); numbers stand for all alike."""

    contact: Contact
    """The contact."""
    blocks: Bool[Tensor, "*n"]
    """Where it blocks."""
    filament: Float[Tensor, "*#n"]
    """Resistance that heats the contact, of `cold` [ohm]."""
    cold: Float[Tensor, "*#n"]
    """Resistance without heat [ohm]."""
    heated: Float[Tensor, "*#n"] | float
    """What a line adds to it by its own heat [ohm/A^2]."""
    heat: Float[Tensor, "*#n"]
    """Thermal resistance [K/W]."""
    ambient: Float[Tensor, "*#n"] | float
    """Temperature without current [K]."""

    def at(self, v: Float[Tensor, "*n"]) -> Point:
        """Where v lies across all [V], above 0.

        A contact that conducts has up to three solutions; this is the one with the least v_s, to
        which it comes from 0 V, and another only where there is none up to its edge.
        """
        if self._fits_kernel(v):
            out = torch.empty(4, *v.shape, dtype=torch.float64)
            solve_contact(*self._for_kernel(v), K_OVER_Q, out.view(4, -1).numpy())
            return Point(*out.to(v.dtype))

        def excess(u: Tensor) -> tuple[Tensor, Tensor]:
            guess = self._guess(v, u)
            return guess.excess, guess.by_u[1]

        edge = self.contact.edge.expand(v.shape)
        share = edge / (v - edge).clamp(min=SMALL)
        start = torch.where(edge < v, torch.log(share.clamp(min=math.exp(-SPAN))), SPAN)
        span = torch.full_like(v, SPAN)
        u = root(excess, -span, span, torch.where(self.blocks, 0.0, start.clamp(max=SPAN)))
        found = self._guess(v, u)
        slope = found.by_v[0] - found.by_u[0] * found.by_v[1] / found.by_u[1]
        return Point(found.i, found.contact, found.t, slope)

    def _fits_kernel(self, size: Tensor) -> bool:
        """Whether the kernel may do it: on a CPU, where nobody asks for derivatives."""
        parts = (
            size,
            *self.contact,
            self.filament,
            self.cold,
            self.heated,
            self.heat,
            self.ambient,
        )
        tensors = [part for part in parts if isinstance(part, Tensor)]
        recorded = torch.is_grad_enabled() and any(part.requires_grad for part in tensors)
        return allowed() and size.is_cpu and not recorded

    def _for_kernel(self, size: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """(12, n) and (n,): a voltage or current each, and what the device is."""
        contact = self.contact
        parts = (
            size, contact.barrier, contact.bending, contact.image, contact.tunnelling,
            RICHARDSON * contact.area, contact.edge, self.filament, self.cold, self.heated,
            self.heat, self.ambient,
        )  # fmt: skip
        devices = torch.empty(len(parts), *size.shape, dtype=torch.float64)
        for k, part in enumerate(parts):
            devices[k] = part
        return devices.view(len(parts), -1).numpy(), self.blocks.reshape(-1).numpy()

    def voltage(self, i: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """Least voltage at which i flows [V]; i above 0 [A]."""
        if self._fits_kernel(i):
            out = torch.empty(i.shape, dtype=torch.float64)
            given = self._for_kernel(i)
            solve_voltage(*given, K_OVER_Q, CONTACT_VOLTAGES, out.view(-1).numpy())
            return out.to(i.dtype)

        def excess(w: Tensor) -> tuple[Tensor, Tensor]:
            """ln of the contact's current over i, by ln v_s."""
            v = torch.exp(w)
            t = self.ambient + self.heat * i * (v + i * self.filament)
            law = self.contact.law(v, t, self.blocks)
            return law.log - torch.log(i), (law.by_v + law.by_t * self.heat * i) * v

        low, high = (torch.full_like(i, math.log(end)) for end in CONTACT_VOLTAGES)
        edge = torch.log(self.contact.edge.clamp(min=CONTACT_VOLTAGES[0])).expand(i.shape)
        w = root(excess, low, high, torch.where(self.blocks, -1.0, edge))
        return torch.exp(w) + i * (self.cold + self.heated * i * i)

    def _guess(self, v: Tensor, u: Tensor) -> _Guess:
        of_contact, of_rest = torch.sigmoid(u), torch.sigmoid(-u)
        contact = v * of_contact
        i, conductance = self._through_rest(v * of_rest)
        t = self.ambient + self.heat * i * (contact + i * self.filament)
        law = self.contact.law(contact, t, self.blocks)

        def change(of_contact: Tensor, of_rest: Tensor) -> tuple[Tensor, Tensor]:
            """Of i and of the excess, for changes of both voltages."""
            di = conductance * of_rest
            dt = self.heat * (i * of_contact + (contact + 2 * i * self.filament) * di)
            return di, law.by_v * of_contact + law.by_t * dt - di / i

        shift = contact * of_rest
        excess = law.log - torch.log(i)
        return _Guess(i, contact, t, excess, change(shift, -shift), change(of_contact, of_rest))

    def _through_rest(self, v: Tensor) -> tuple[Tensor, Tensor]:
        """i of v = i (cold + heated i^2), and its slope."""
        scale = (self.cold / (3 * self.heated)) ** 0.5
        i = 2 * scale * torch.sinh(torch.asinh(1.5 * v / (self.cold * scale)) / 3)
        return i, 1 / (self.cold + 3 * self.heated * i * i)
