"""What can be wrong with a chip: how much of it a device has, and chips that have more or less."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import mho
from mho.experiments.sensitivity.config import Assumed, SensitivityConfig, System
from mho.physics import Cell

EVERY_SYSTEM = ("write spread", "device spread", "read noise", "stuck cells")
"""Imperfections of a cell that chips which are written once meet as well."""
SHOWN: dict[str, Callable[[float], str]] = {
    "%": lambda x: f"{100 * x:.3g} %",
    "1": lambda x: f"{x:.3g}",
    "ln": lambda x: f"ratio {math.exp(x):.3g}",
}
"""Values in words, by the unit of an imperfection."""


@dataclass(frozen=True)
class Imperfection:
    """One way in which chips differ from ideal ones."""

    what: str
    value: float
    """How much the device has of it, above 0."""
    given: bool
    """Whether the device's preset says so, or it is assumed."""
    put: Callable[[mho.Hardware, float], mho.Hardware]
    """Chips of the device with another value; 0: ideal ones."""
    shown: Callable[[float], str]
    """A value in words."""


def imperfections(config: SensitivityConfig, system: System) -> dict[str, Imperfection]:
    """Those that a system can meet on the cell, by name; where the device has none of one and none
    is assumed, it is left out."""
    hardware, assumed = config.hardware(system), config.assumed
    found, own = {}, _of_cell(hardware.device, assumed)
    found |= {name: own.pop(name) for name in EVERY_SYSTEM if name in own}
    drift = _drift(hardware, config.seconds)
    found["drift"] = Imperfection(
        f"of cells in {config.seconds:,.0f} s", drift or assumed.drift, drift > 0,
        partial(_put_drift, seconds=config.seconds), SHOWN["%"],
    )  # fmt: skip
    found["wires"] = Imperfection(
        "of each segment of a line", assumed.wire_resistance, False, _put_wires,
        lambda r: f"{r:.3g} ohm",
    )  # fmt: skip
    found["converters"] = Imperfection(
        "step of DACs and ADCs", 2.0**-assumed.bits, False, _put_converters,
        lambda step: f"{_bits(step)} bits" if step else "exact",
    )  # fmt: skip
    return found if system == "bmcnn" else found | own


def chips(config: SensitivityConfig, system: System, times: Mapping[str, float]) -> mho.Hardware:
    """A system's chips with each imperfection at a multiple of the device's own value."""
    hardware = config.hardware(system)
    for name, imperfection in imperfections(config, system).items():
        hardware = imperfection.put(hardware, imperfection.value * times[name])
    return hardware


def _of_cell(cell: Cell, assumed: Assumed) -> dict[str, Imperfection]:
    """Those that the cell names itself."""
    otherwise = {
        "write spread": assumed.pulse_spread if cell.remembers else assumed.write_spread,
        "device spread": assumed.device_spread,
        "read noise": assumed.read_noise,
        "stuck cells": assumed.stuck,
        "non-linearity": assumed.nonlinearity,
        "asymmetry": abs(math.log(assumed.reset_ratio)),
    }
    found = {}
    for name, (value, what, unit) in cell.imperfections().items():
        if size := value or otherwise.get(name, 0.0):
            put = partial(_put_on_cell, name)
            found[name] = Imperfection(what, size, value > 0, put, SHOWN[unit])
    return found


def _put_on_cell(name: str, hardware: mho.Hardware, value: float) -> mho.Hardware:
    return hardware.replace(device=hardware.device.with_imperfection(name, value))


def _bits(step: float) -> int:
    """The whole number of bits whose step is nearest, within what converters have."""
    return min(16, max(2, round(-math.log2(step))))


def _drift(hardware: mho.Hardware, seconds: float) -> float:
    """Root mean square change of cells in a time: of the window, or of themselves [1]."""
    law = hardware.retention
    return 0.0 if law is None else law.drift(seconds, hardware.device.window)


def _put_drift(hardware: mho.Hardware, value: float, seconds: float) -> mho.Hardware:
    law, own = hardware.retention, _drift(hardware, seconds)
    if value == 0:
        return hardware.replace(retention=None)
    if law is None or own == 0:
        low, high = hardware.device.window
        law = mho.cells.LogTime(rate_spread=value * (high - low) / math.log(seconds))
        return hardware.replace(retention=law)
    return hardware.replace(retention=law.times(value / own))


def _put_wires(hardware: mho.Hardware, value: float) -> mho.Hardware:
    return hardware.replace(wire_resistance=value)


def _put_converters(hardware: mho.Hardware, value: float) -> mho.Hardware:
    return hardware.with_converters(_bits(value) if value else None)
