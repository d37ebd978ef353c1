"""Published cells that are written through a third terminal: electrochemical transistors,
capacitors that gate one, ferroelectrics, charge traps. Numbers in SI units, a DOI, and what of it
is our choice."""

from __future__ import annotations

import math

from mho.physics.cell import Cell, SourceWrite
from mho.physics.multi_level import MultiLevel
from mho.physics.of_conductance import TableOfG
from mho.physics.preset import Preset
from mho.physics.pulse_response import PulseResponse
from mho.physics.pulse_table import PulseTable
from mho.physics.retention import LogTime

_CHOSEN = (
    "The source's toolkit has weights without a unit: a window of 2 to 20 uS and nine levels are "
    "chosen here. Spread of the bounds between devices, 5 to 7 % of them there, is left out."
)


def _linear_steps(
    bounds: tuple[float, float],
    step: float,
    slopes: tuple[float, float],
    noise: float,
    *,
    of_each_step: bool,
    doi: str,
    note: str,
) -> PulseTable:
    """A cell whose steps change linearly along its window, as aihwkit writes them.

    Args:
        bounds: of the weight, below and above 0.
        step: of the weight at 0, in both directions [1].
        slopes: share of the step that is lost from 0 to the upper bound for SET, to the lower one
            for RESET [1].
        noise: standard deviation of a pulse [step].
        of_each_step: whether of the step where the cell stands, else of the one at 0.
        doi: of the measured device.
        note: what is special about it.
    """
    low, high = bounds
    window = (2e-6, 20e-6)
    siemens = (window[1] - window[0]) / (high - low)
    set_step = tuple(siemens * step * (1 - slopes[0] * w / high) for w in bounds)
    reset_step = tuple(siemens * step * (1 - slopes[1] * w / low) for w in bounds)
    spreads = (set_step, reset_step) if of_each_step else ((siemens * step,), (siemens * step,))
    return PulseTable(
        g=window,
        set_step=set_step,
        reset_step=reset_step,
        set_spread=tuple(noise * each for each in spreads[0]),
        reset_spread=tuple(noise * each for each in spreads[1]),
        device_spread=0.1,
        levels=9,
        doi=doi,
        note=f"{note} {_CHOSEN}",
    )


_SONOS_G = (0.0, 0.5e-6, 1e-6, 2e-6, 4e-6, 6e-6, 8e-6, 10e-6, 12e-6, 14e-6)


_SONOS_SIGMA = (
    0.0, 0.112535, -0.0312363, 5.41546e-3, -6.10525e-4, 4.30304e-5, -1.70404e-6, 2.87219e-8,
)  # fmt: skip
"""0.1988665 uS (1 - exp(-G / 1.763115 uS)) as a polynomial in uS, within 0.2 % up to 14 uS."""


def _saturating(most: float, scale: float) -> TableOfG:
    """most (1 - exp(-G / scale)) as a table."""
    return TableOfG(g=_SONOS_G, values=tuple(-most * math.expm1(-g / scale) for g in _SONOS_G))


CELLS: dict[str, Cell] = {
    "ecram-li": _linear_steps(
        (-0.8276, 1.1724), 0.002, (0.1153, 0.5085), 0.3, of_each_step=True,
        doi="10.1109/IEDM.2018.8614551",
        note="Lithium electrochemical transistor of the source as the IBM analog hardware toolkit "
        "fits it with linear steps: 1,000 steps across, noise of 30 % of a step, 10 % between "
        "devices.",
    ),
    "ecram-wo3": _linear_steps(
        (-0.8286, 1.1714), 2.8214e-4, (0.4152, 0.7342), 2.0, of_each_step=True,
        doi="10.1109/IEDM19573.2019.8993463",
        note="Metal-oxide electrochemical transistor of the source as the IBM analog hardware "
        "toolkit fits it with linear steps: 7,100 steps across, noise of twice a step, 10 % "
        "between devices.",
    ),
    "capacitor-cmos": _linear_steps(
        (-1.0, 1.0), 0.005, (0.05, 0.05), 0.3, of_each_step=False,
        doi="10.1109/VLSIT.2018.8510648",
        note="Capacitor that gates a transistor, of the source as the IBM analog hardware toolkit "
        "fits it with linear steps: 400 steps across, noise of 30 % of a step, 10 % between "
        "devices. It leaks: the toolkit has a lifetime of 1e6 batches, which is no time, so "
        "leakage is left out.",
    ),
    "fefet-hzo": PulseResponse(
        g_min=1 / (45 * 559.28e3),
        g_max=1 / 559.28e3,
        levels=32,
        pulses=32,
        nonlinearity=(1 / 0.7021, -1 / 0.8487),
        cycle_spread=0.005 * 32,
        doi="10.1109/IEDM.2017.8268338",
        note="Ferroelectric transistor of Hf0.5Zr0.5O2 of the source: R_ON 559.28 kohm, ON/OFF "
        "ratio 45, 32 states, 75 ns pulses whose amplitude rises, 3.65 V and -2.95 V on average, "
        "noise below 0.5 % of the window a pulse, taken as 0.5 %. Its non-linearity labels of "
        "NeuroSim, 1.75 and 1.46, stand for A = 0.7021 and 0.8487 of a crossing, which are 1 / nu "
        "here; of the same sign, RESET goes back the way that SET came, in steps that grow. Spread "
        "between devices, retention and endurance are not given.",
    ),
    "sonos-40nm": MultiLevel(
        g_min=1e-9,
        g_max=14e-6,
        levels=16,
        sigma=tuple(c * 1e6 ** (k - 1) for k, c in enumerate(_SONOS_SIGMA)),
        read_noise=_saturating(0.1258037e-6 / (14e-6 - 1e-9), 2.1536557e-6),
        written=SourceWrite(pulses=10),
        doi="10.1109/IEDM45625.2022.10019564",
        note="40 nm charge trap (SONOS) of the source, 128,000 cells, as CrossSim fits them: "
        "spread of verified cells and read noise saturate with the current, which is read at "
        "0.1 V here. The window ends at 14 of 16 uS, above which the fit of the drift is not even "
        "in time. g_min, 16 levels and ten pulses a write are chosen here.",
    ),
}  # fmt: skip

OVER_TIME: dict[str, Preset] = {
    "sonos-40nm": Preset(
        retention=LogTime(
            t0=6700.0,
            rate=TableOfG(
                g=_SONOS_G,
                values=(0.0, 3.0e-9, 1.5e-9, -7.7e-9, -42.5e-9, -68.0e-9, -90.6e-9, -111.3e-9,
                        -126.5e-9, -147.9e-9),
            ),
            rate_spread=TableOfG(
                g=_SONOS_G,
                values=(0.0, 13.4e-9, 24.2e-9, 39.8e-9, 55.9e-9, 62.3e-9, 64.8e-9, 65.8e-9,
                        66.2e-9, 66.3e-9),
            ),
        ),
        note="Mean and spread of the drift after one to five days as CrossSim fits them, taken "
        "here as straight in ln t: within 0.023 uS of its mean and 0.011 uS of its spread.",
    ),
}  # fmt: skip
