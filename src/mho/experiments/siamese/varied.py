"""The chips that the further studies train on: those of a run, one thing about them changed."""

from __future__ import annotations

from collections.abc import Iterable

import mho
from mho.experiments.cells import Varied, with_levels
from mho.experiments.experiment import imperfect
from mho.physics import Retention

IMPERFECTIONS: dict[str, tuple[float, ...]] = {
    "write spread": (0.0, 0.05, 0.2),
    "device spread": (0.0, 0.05, 0.2),
    "read noise": (0.0, 0.01, 0.1),
    "stuck cells": (0.0, 0.005, 0.1),
}
"""Values that each imperfection takes, the others at their default; shares."""
LEVELS = (4, 16, 64)
NONLINEARITY = (0.0, 2.0, 4.0)
ASYMMETRY = (0.5, 0.7, 1.0)
ENDURANCE = (2.0, 5.0, 20.0)
RELAXING = ("cmo-hfox", "rram-neurram-1s", "pcm-gst")
"""Presets whose relaxation is studied on cells that have none of their own."""


def of_levels(hardware: mho.Hardware, levels: int) -> mho.Hardware:
    """Cells and weights of so many levels."""
    cell = with_levels(hardware.device, levels)
    return hardware.replace(device=cell, weight_levels=levels)


def ways(hardware: mho.Hardware) -> dict[str, mho.Hardware]:
    """Ways of programming, by name: of the cells as they are, and of cells that pulses move."""
    pulsed = hardware.replace(device=pulse_cell(hardware), programming=None)
    blind, verify = mho.cells.OpenLoop(), mho.cells.Verify()
    return {
        "one attempt": hardware.replace(programming=blind),
        "program-and-verify": hardware.replace(programming=verify),
        "pulses, taken as even": pulsed.replace(programming=blind),
        "pulses, by the nominal curve": pulsed.replace(
            programming=mho.cells.OpenLoop(assumes="curve")
        ),
        "pulses, verified": pulsed.replace(programming=verify),
    }


def uneven(hardware: mho.Hardware, **shape: float) -> mho.Hardware:
    """Open-loop pulses on cells of a non-linearity or an asymmetry, see `pulse_cell`."""
    device = pulse_cell(hardware, **shape)
    return hardware.replace(programming=mho.cells.OpenLoop(), device=device)


def relaxing(hardware: mho.Hardware) -> dict[str, mho.Hardware]:
    """Chips with laws of time, by name: their own if they have any, else those of published cells,
    rates in siemens scaled to the window."""
    if hardware.ages:
        return {"the chips' own": hardware}
    return {
        name: hardware.replace(retention=_scaled(mho.devices.preset(name), hardware))
        for name in RELAXING
    }


def dying(hardware: mho.Hardware, endurance: float) -> mho.Hardware:
    """Cells that die after so many pulses."""
    device = hardware.device.replace(endurance=endurance, endurance_spread=0.3)
    return hardware.replace(device=device)


def pulse_cell(
    hardware: mho.Hardware, nonlinearity: float = 2.0, reset_ratio: float = 0.7
) -> mho.cells.PulseResponse:
    """A cell of the same window and levels that pulses move up and down in uneven steps.

    All but those is chosen here: RESET steps of 0.7 SET steps, the first step 7 times the last; 64
    SET pulses across the window, each off by a third of itself, 4 % of the window in all.
    """
    device = hardware.device
    low, high = device.window
    return mho.cells.PulseResponse(
        g_min=low, g_max=high, levels=device.states, pulses=64,
        nonlinearity=(nonlinearity, nonlinearity), reset_ratio=reset_ratio,
        cycle_spread=0.33, device_spread=0.05, read_noise=device.read_noise,
        stuck_off=device.stuck_off, stuck_on=device.stuck_on, endurance=device.endurance,
        note="Chosen for this experiment.",
    )  # fmt: skip


def _scaled(preset: mho.Preset, hardware: mho.Hardware) -> Retention:
    """The law of retention of a preset, for cells of another window."""
    law = preset.retention
    assert law is not None
    (low, high), (from_, to) = hardware.device.window, preset.cell.window
    return law.for_conductances((high - low) / (to - from_))


def _imperfections(hardware: mho.Hardware) -> Iterable[mho.Hardware]:
    return [imperfect(hardware, name, v) for name, some in IMPERFECTIONS.items() for v in some]


def _pulses(hardware: mho.Hardware) -> Iterable[mho.Hardware]:
    nonlinear = [uneven(hardware, nonlinearity=value) for value in NONLINEARITY]
    return nonlinear + [uneven(hardware, reset_ratio=value) for value in ASYMMETRY]


VARIED: dict[str, Varied] = {
    "imperfections": _imperfections,
    "levels": lambda hardware: [of_levels(hardware, n) for n in LEVELS],
    "programming": lambda hardware: ways(hardware).values(),
    "pulses": _pulses,
    "retention": lambda hardware: relaxing(hardware).values(),
    "endurance": lambda hardware: [dying(hardware, most) for most in ENDURANCE],
}
"""All chips of each study."""
