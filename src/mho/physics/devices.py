"""Published cells as presets: numbers in SI units, a DOI, and what of it is our choice."""

from __future__ import annotations

import math
from pathlib import Path

from mho.arguments import checked
from mho.errors import unknown
from mho.physics.cell import Cell, SourceWrite
from mho.physics.fluctuation import Flicker, Telegraph
from mho.physics.multi_level import MultiLevel
from mho.physics.of_conductance import PowerOfG, TableOfG
from mho.physics.preset import Preset
from mho.physics.pulse_response import PulseResponse
from mho.physics.pulse_table import PulseTable
from mho.physics.retention import LogTime, PowerLaw
from mho.physics.spread import Spread
from mho.physics.three_terminal import CELLS as THREE_TERMINAL
from mho.physics.three_terminal import OVER_TIME as THREE_TERMINAL_OVER_TIME
from mho.physics.two_state import Resistance, TwoState

_LAMMIE = (
    "Convention of the source: each device draws R_ON and R_OFF, sigma(R_OFF) = 2 sigma(R_ON); the "
    "sigma is swept there, 10 % of R_ON is chosen here."
)


def _lammie(r_on: float, r_off: float) -> TwoState:
    sigma = 0.1 * r_on
    return TwoState(
        r_on=Resistance(mean=r_on, device=Spread(distribution="normal", cov=sigma / r_on)),
        r_off=Resistance(mean=r_off, device=Spread(distribution="normal", cov=2 * sigma / r_off)),
        doi="10.1016/j.neucom.2022.02.043",
        note=_LAMMIE,
    )


def _soft_bounds() -> PulseResponse:
    """Soft bounds: a step falls linearly to 0 at the bound that the pulse drives towards."""
    low, high = -0.75, 1.25
    step, noise = 0.002, 3.75 * 0.002
    margin = 0.1 * (high - low)
    span = high - low - 2 * margin
    nonlinearity = math.log((span + margin) / margin)
    pulses = round(nonlinearity * high / step)  # a pulse leaves 1 - step / bound of the way to it
    return PulseResponse(
        g_min=10e-6,
        g_max=30e-6,
        levels=9,
        pulses=pulses,
        nonlinearity=(nonlinearity, nonlinearity),
        reset_ratio=high / -low,
        cycle_spread=noise * pulses / span,
        device_spread=0.3,
        doi="10.1038/s41467-018-04485-1",
        note="HfO2 ReRAM of the source in the soft-bounds reading of the IBM analog hardware "
        "toolkit: a step of 0.002 at weight 0, noise of 3.75 steps a pulse, 30 % between devices, "
        "bounds -0.75 and 1.25. Converted here: the middle 80 % of that range is the window, which "
        "gives pulses, non-linearity (ln 9 both ways), the ratio of RESET to SET steps and the "
        "noise in mean steps. Chosen here: 10 to 30 uS (the source shows results near 20 uS) and "
        "nine levels. Spread of the bounds between devices and the toolkit's noise of the written "
        "value are left out.",
    )


def _stellar() -> PulseTable:
    """Ten bins of 1.8 uS; a bin's value stands at its middle and runs on to the ends."""
    set_step = (325.1, 249.8, 236.7, 143.0, 86.61, 59.82, 53.89, 35.85, 18.53, 19.41)
    set_spread = (526.3, 539.5, 580.8, 601.8, 649.7, 639.8, 665.6, 635.5, 628.8, 440.4)
    reset_step = (510.9, 269.2, 145.5, 98.74, 54.10, 45.40, 21.88, 7.441, 7.641, 2.755)
    reset_spread = (905.6, 795.2, 681.5, 647.7, 562.0, 591.8, 499.3, 442.8, 518.2, 379.6)

    def table(values: tuple[float, ...]) -> tuple[float, ...]:
        return tuple(x / 1e9 for x in (values[0], *values, values[-1]))

    return PulseTable(
        g=(2e-6, *((2900 + 1800 * k) / 1e9 for k in range(10)), 20e-6),
        set_step=table(set_step),
        reset_step=table(reset_step[::-1]),
        set_spread=table(set_spread),
        reset_spread=table(reset_spread[::-1]),
        levels=9,
        doi="10.1126/science.ade3483",
        note="One device of a 2T2R pair of the source's chip, mean and spread of a step in ten "
        "bins of 2 to 20 uS, from the code published with it. The code takes RESET steps by the "
        "same bins as SET steps, the largest fall at the lowest conductance; a filament that is "
        "RESET falls most where it conducts most, so the RESET tables are read here from the top. "
        "Spreads are those of the tables; the code divides them by sqrt(2) for the pair. Nine "
        "levels are chosen here. Spread between devices, endurance and read noise are not given.",
    )


_WAN = {
    1.0: (0.348e-6, 16.030e-6, -43.853e-6, 45.393e-6, -16.815e-6),
    86_400.0: (0.701e-6, 22.086e-6, -50.773e-6, 47.095e-6, -16.458e-6),
}
"""Spread of cells after a time [s] of 10.1038/s41586-022-04992-8: polynomials in G / 40 uS [S]."""


def _wan(after: float) -> MultiLevel:
    coefficients = tuple(c / 40e-6**k for k, c in enumerate(_WAN[after]))
    return MultiLevel(
        g_min=1e-6,
        g_max=40e-6,
        levels=16,
        sigma=coefficients,
        written=SourceWrite(pulses=10, after=after),
        doi="10.1038/s41586-022-04992-8",
        note=f"Spread of verified cells {'one second' if after == 1 else 'one day'} after "
        "programming, quartic in G / 40 uS, a fit to the source's figures. g_min = 1 uS, 16 levels "
        "and ten pulses a write are chosen here.",
    )


def _wan_relaxing() -> LogTime:
    """Relaxation that widens the spread of a second to that of a day, conductance by conductance:
    the difference of their squares is the square of the spread in ln(a day / 1 s)."""
    g = tuple(1e-6 * each for each in (0, 0.5, 1, 1.5, 2, 3, 4, 6, 8, 10, 15, 20, 25, 30, 35, 40))
    second, day = (
        [sum(c * (x / 40e-6) ** k for k, c in enumerate(_WAN[after])) for x in g] for after in _WAN
    )
    growth = math.log(86_400.0)
    spread = (math.sqrt(b * b - a * a) / growth for a, b in zip(second, day, strict=True))
    return LogTime(rate_spread=TableOfG(g=g, values=tuple(spread)))


_CELLS: dict[str, Cell] = {
    "hfo2-1t1r": MultiLevel(
        g_min=50e-6,
        g_max=225e-6,
        levels=9,
        sigma=(4.782321e-6, -0.009107),
        written=SourceWrite(pulses=10),
        endurance=1e6,
        doi="10.1109/IRPS46558.2021.9405119",
        note="4-kbit HfO2 array, program-and-verify (IGVVA-100): window, nine levels and sigma(G) "
        "of verified cells from the source. Ten pulses a write are chosen here. Endurance 1e6 from "
        "10.3389/fnano.2025.1549547, another HfO2 line.",
    ),
    "hfo2-1t1r-relaxed": MultiLevel(
        g_min=50e-6,
        g_max=225e-6,
        levels=9,
        sigma=(22.5e-6,),
        written=SourceWrite(pulses=10, after=3600.0),
        endurance=1e6,
        doi="10.1002/aisy.202200145",
        note="Multi-level HfO2 after relaxation: sigma = 10 % of the largest conductance, the "
        "figure that users of the source quote. Chosen here: window as in hfo2-1t1r, ten pulses a "
        "write, an hour of relaxation.",
    ),
    "rram-neurram-1s": _wan(1.0),
    "rram-neurram-1day": _wan(86_400.0),
    "pcm-gst": MultiLevel(
        g_min=0.1e-6,
        g_max=25e-6,
        levels=16,
        sigma=(0.26348e-6, 1.9650 / 25, -1.1731e6 / 25**2),
        written=SourceWrite(pulses=10, after=20.0),
        doi="10.1109/ICECS46596.2019.8964852",
        note="Phase change memory of the source as the IBM analog hardware toolkit describes it: "
        "spread of cells programmed iteratively, quadratic in G / 25 uS. g_min, 16 levels and ten "
        "pulses a write are chosen here.",
    ),
    "cmo-hfox": MultiLevel(
        g_min=9e-6,
        g_max=88.2e-6,
        levels=32,
        sigma=(0.01121854e-6, 0.01129027),
        written=SourceWrite(pulses=10),
        read_noise=0.0022,
        doi="10.1002/adfm.202504688",
        note="Conductive-metal-oxide / HfOx, verified to within 2 %; the spread is that of cells "
        "so accepted. Ten pulses a write are chosen here. Read noise 0.17 uS (at 50 uS after one "
        "second, the source's formula with log10) as a share of the window.",
    ),
    "hfo2-weak-reset": TwoState(
        r_on=Resistance(
            mean=6988.0,
            device=Spread(
                distribution="truncated-normal",
                cov=381.7 / 6988,
                lower=6252 / 6988,
                upper=7897 / 6988,
            ),
        ),
        r_off=Resistance(mean=150e3, device=Spread(distribution="lognormal", cov=0.5)),
        endurance=1e6,
        doi="10.48550/arXiv.2107.06064",
        note="130 nm HfO2. R_ON from the source: N(6988, 381.7) ohm within [6252, 7897] ohm. "
        "R_OFF lognormal, 150 kohm with 50 % spread, and the endurance are chosen here.",
    ),
    "two-state-10k-100k": _lammie(10e3, 100e3),
    "two-state-200-500": _lammie(200.0, 500.0),
    "two-state-100-2500": _lammie(100.0, 2500.0),
    "stanford-pku-states": TwoState(
        r_on=Resistance(mean=542.0),
        r_off=Resistance(mean=218_586.0),
        doi="10.1016/j.neucom.2022.02.043",
        note="Resistances of the Stanford-PKU model as parametrized by the source, no spread.",
    ),
    "hfo2-soft-bounds": _soft_bounds(),
    "hfox-stellar": _stellar(),
    "ag-asi": PulseResponse(
        g_min=3.0769e-9,
        g_max=38.462e-9,
        levels=9,
        pulses=97,
        nonlinearity=(1 / 0.499181, 1 / 0.200303),
        reset_ratio=97 / 100,
        cycle_spread=0.035 * 97,
        doi="10.1021/nl904092h",
        note="Ag:a-Si device of the source as MLP NeuroSim 3.0 describes it (DOI "
        "10.1109/IEDM.2017.8268337): window, 97 SET and 100 RESET pulses, noise of 3.5 % of the "
        "window a pulse, and non-linearity labels 2.4 and -4.88, whose constants A = 0.499 and "
        "0.200 of a crossing are 1 / nu here. There noise adds up over a burst, here later pulses "
        "contract it. Nine levels are chosen here; spread between devices is not given.",
    ),
    "taox-tio2": PulseResponse(
        g_min=0.1e-6,
        g_max=0.2e-6,
        levels=9,
        pulses=102,
        nonlinearity=(1 / 0.6619, 1 / 0.6855),
        cycle_spread=0.01 * 102,
        doi="10.1088/0957-4484/26/45/455204",
        note="TaOx / TiO2 bilayer of the source as NeuroSim's table describes it (DOI "
        "10.1109/TCAD.2018.2789723): 5 Mohm, ON/OFF ratio 2, 102 states, non-linearity labels 1.85 "
        "and -1.79, whose constants A = 0.6619 and 0.6855 of a crossing are 1 / nu here, and noise "
        "below 1 % of the window a pulse, taken as 1 %. Pulses are 3 V for 40 ms and -3 V for "
        "10 ms (DOI 10.1109/IEDM.2017.8268338). Nine levels are chosen here; spread between "
        "devices is not given.",
    ),
}


def _in_ln(slope: float, at_most: float, low: float, high: float) -> TableOfG:
    """`at_most + slope ln(G / 25 uS)`, slope below 0, within limits: straight in ln G between the
    conductances at which it meets them."""
    ends = (25e-6 * math.exp((value - at_most) / slope) for value in (high, low))
    return TableOfG(g=tuple(ends), values=(high, low), along="ln g")


_OVER_TIME: dict[str, Preset] = {
    "rram-neurram-1s": Preset(
        retention=_wan_relaxing(),
        note="Relaxation converted here: it widens the source's spread after a second to that "
        "after a day, at each conductance, taken as even in ln t and without a mean.",
    ),
    "pcm-gst": Preset(
        retention=PowerLaw(
            t0=20.0,
            nu=_in_ln(-0.0155, 0.0244, 0.049, 0.1),
            nu_spread=_in_ln(-0.0125, -0.0059, 0.008, 0.045),
        ),
        flicker=Flicker(
            amplitude=PowerOfG(factor=0.0088, exponent=-0.65, unit=25e-6, most=0.2),
            fastest=1e-3,
            slowest=1e5,
        ),
        note="Drift and 1/f noise of the source, of the conductance programmed: exponent "
        "0.0244 - 0.0155 ln(G / G_max) within 0.049 to 0.1, its spread -0.0059 - 0.0125 ln(G / "
        "G_max) within 0.008 to 0.045, from 20 s on; noise 0.0088 (G / G_max)^-0.65, 0.2 at most. "
        "The band of the noise is chosen here: the source has it grow with the time since "
        "programming, 0.94 of what is here after 20 s and 1.22 after a month.",
    ),
    "cmo-hfox": Preset(
        retention=LogTime(
            rate=-0.08900206e-6, rate_spread=0.04201137e-6, start_spread=0.41183342e-6
        ),
        note="Relaxation of the source, the same at all conductances: its mean straight in ln t, "
        "its spread 0.41 uS after a second and straight in ln t from there.",
    ),
    "hfo2-weak-reset": Preset(
        telegraph=Telegraph(depth=0.5, full=0.5, empty=1.25),
        note="Telegraph noise: the source's chances of 2e-3 and 8e-4 a time step to leave a state, "
        "amplitude uniform up to 0.5, taken here as relative to the conductance; a step of 1 ms is "
        "chosen here.",
    ),
}

_CELLS |= THREE_TERMINAL
_OVER_TIME |= THREE_TERMINAL_OVER_TIME

PRESETS: dict[str, Preset] = {
    name: _OVER_TIME.get(name, Preset()).replace(device=cell) for name, cell in _CELLS.items()
}
"""Cells with what is known of them over time."""

DEVICES: dict[str, Cell] = dict(_CELLS)
"""The cells alone."""


@checked
def get(name: str) -> Cell:
    """The cell of a name alone: what is known of it over time is in `preset`.

    Raises:
        ValueError: the name is unknown; the message suggests the nearest.
    """
    if name not in DEVICES:
        raise unknown("device", name, DEVICES)
    return DEVICES[name]


@checked
def preset(name: str) -> Preset:
    """The cell of a name with what is known of it over time, as `mho.Hardware(device=name)` has it.

    Raises:
        ValueError: the name is unknown; the message suggests the nearest.
    """
    if name not in PRESETS:
        raise unknown("device", name, PRESETS)
    return PRESETS[name]


@checked
def read(path: str | Path) -> Preset:
    """The preset of a file, as `mho fit` writes them.

    Raises:
        ValueError: it cannot be read as one; the message names the file.
    """
    return Preset.read(Path(path))
