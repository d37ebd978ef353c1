"""The voltage of a contact in series with resistances that heat it, device by device.

The equations, with their sources, are those of `mho.physics.dynamics.schottky` and
`contact_in_series`, which has the same in torch.
"""

from __future__ import annotations

import math

import numpy as np

from mho.kernels.compiled import compiled, force_inlined


@force_inlined
def _barrier(phi: float, image: float, bent: float, sign: float) -> tuple[float, float]:
    """Barrier [V], and its derivative by a voltage that changes the bending by `sign` of itself."""
    if bent <= 1e-12:
        return phi, 0.0
    lowering = image * math.sqrt(math.sqrt(bent))
    if lowering >= phi:
        return 0.0, 0.0
    return phi - lowering, -0.25 * sign * lowering / bent


@force_inlined
def _over(
    phi: float, image: float, bending: float, scale: float, kq: float, v: float, t: float
) -> tuple[float, float, float]:
    """ln of the current over the barrier, and its derivatives by v and t."""
    thermal = kq * t
    height, rise = _barrier(phi, image, bending - v, -1.0)
    share = -math.expm1(-v / thermal)
    log = math.log(scale * t * t * share) + (v - height) / thermal
    return log, (1 / share - rise) / thermal, 2 / t + (height - v / share) / (thermal * t)


@force_inlined
def _through(
    phi: float, image: float, bending: float, energy: float, scale: float, kq: float, v: float,
    t: float,
) -> tuple[float, float, float]:  # fmt: skip
    """ln of the current through the barrier, and its derivatives by v and t."""
    height, rise = _barrier(phi, image, bending + v, 1.0)
    ratio = energy / (kq * t)
    decay = math.exp(-2 * ratio)
    tanh = (1 - decay) / (1 + decay)
    sech2 = 4 * decay / (1 + decay) ** 2
    if ratio < 0.05:
        r2 = ratio * ratio
        beyond = ratio * r2 * (1 / 3 - r2 * (2 / 15 - r2 * (17 / 315 - r2 * (62 / 2835))))
    else:
        beyond = ratio - tanh
    inverse = beyond / energy
    share = -math.expm1(-v * inverse)
    root = v + height * sech2
    log = (
        math.log(scale * t / kq * math.sqrt(math.pi * energy * root) * share)
        - height * tanh / energy
        + v * inverse
    )
    by_v = 0.5 * (1 + rise * sech2) / root - rise * tanh / energy + inverse / share
    by_ratio = (
        -height * tanh * sech2 / root - height * sech2 / energy + v * tanh * tanh / energy / share
    )
    return log, by_v, 1 / t - by_ratio * ratio / t


@compiled
def solve_contact(devices: np.ndarray, blocks: np.ndarray, kq: float, out: np.ndarray) -> None:
    """Current, voltage and temperature of contacts, and di/dv.

    Args:
        devices: (12, n) voltage over all; barrier, bending, image and tunnelling of the contact
            [V], area times A* [A/K^2], its edge [V]; filament and cold resistance [ohm], heated
            [ohm/A^2], heat [K/W], ambient [K].
        blocks: (n,) where contacts block.
        kq: k / e [V/K].
        out: (4, n) i [A], v_s [V], T [K], di/dv [S].
    """
    span, enough = 60.0, 1e-9
    for k in range(blocks.size):
        v, phi, bending, image, energy, scale = devices[:6, k]
        edge, filament, cold, heated, heat, ambient = devices[6:, k]
        steep = math.sqrt(cold / (3 * heated))
        low, high, u, done = -span, span, 0.0, False
        if not blocks[k]:
            u = span
            if edge <= 0.0:
                u = -span
            elif edge < v:
                u = min(max(math.log(edge / (v - edge)), -span), span)
        for step in range(101):
            of_contact, of_rest = 1 / (1 + math.exp(-u)), 1 / (1 + math.exp(u))
            contact = v * of_contact
            i = 2 * steep * math.sinh(math.asinh(1.5 * v * of_rest / (cold * steep)) / 3)
            conductance = 1 / (cold + 3 * heated * i * i)
            t = ambient + heat * i * (contact + i * filament)
            if blocks[k]:
                log, by_v, by_t = _through(phi, image, bending, energy, scale, kq, contact, t)
            else:
                log, by_v, by_t = _over(phi, image, bending, scale, kq, contact, t)
            shift = contact * of_rest
            di = -conductance * shift
            by_i = by_t * heat * (contact + 2 * i * filament) - 1 / i
            slope = (by_v + by_t * heat * i) * shift + by_i * di
            if done:
                dv = conductance * of_rest
                change = (by_v + by_t * heat * i) * of_contact + by_i * dv
                out[0, k], out[1, k], out[2, k] = i, contact, t
                out[3, k] = dv - di * change / slope
                break
            excess = log - math.log(i)
            if excess < 0:
                low = u
            else:
                high = u
            new = u - excess / slope
            if not (low <= new <= high):
                new = 0.5 * (low + high)
            done = step == 99 or abs(new - u) <= enough * (1 + abs(new))
            u = new


@compiled
def solve_voltage(
    devices: np.ndarray, blocks: np.ndarray, kq: float, ends: tuple[float, float], out: np.ndarray
) -> None:
    """Least voltage over all at which a current flows.

    Args:
        devices: (12, n) as in `solve_contact`, but the current [A] in place of the voltage.
        blocks, kq: as there.
        ends: least and largest voltage of the contact [V].
        out: (n,) [V].
    """
    enough = 1e-9
    for k in range(blocks.size):
        i, phi, bending, image, energy, scale = devices[:6, k]
        edge, filament, cold, heated, heat, ambient = devices[6:, k]
        low, high = math.log(ends[0]), math.log(ends[1])
        w = -1.0 if blocks[k] else math.log(max(edge, ends[0]))
        for _ in range(100):
            v = math.exp(w)
            t = ambient + heat * i * (v + i * filament)
            if blocks[k]:
                log, by_v, by_t = _through(phi, image, bending, energy, scale, kq, v, t)
            else:
                log, by_v, by_t = _over(phi, image, bending, scale, kq, v, t)
            excess = log - math.log(i)
            if excess < 0:
                low = w
            else:
                high = w
            new = w - excess / ((by_v + by_t * heat * i) * v)
            if not (low <= new <= high):
                new = 0.5 * (low + high)
            done = abs(new - w) <= enough * (1 + abs(new))
            w = new
            if done:
                break
        out[k] = math.exp(w) + i * (cold + heated * i * i)
