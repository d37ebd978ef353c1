"""What can be wrong with a chip: how much of it a device has, and chips that have more or less."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

import torch

import mho
from mho.physics import PulsedCell
from mho.physics.cell import Cell

if TYPE_CHECKING:
    from mho.experiments.sensitivity.config import SensitivityConfig, System


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
    """Those that a system can meet on the cell, by name."""
    hardware, assumed = config.hardware(system), config.assumed
    cell, drift = hardware.device, _drift(hardware, config.seconds)
    pulsed = isinstance(cell, PulsedCell)
    spread = assumed.pulse_spread if pulsed else assumed.write_spread
    rows = {
        "write spread": ("from one write to the next", _cycle(cell), spread, _put_cycle),
        "device spread": ("from device to device", _device(cell), assumed.device_spread,
                          _put_device),
        "read noise": ("of each read of a cell", cell.read_noise, assumed.read_noise, _put_noise),
        "stuck cells": ("at the ends of the window", cell.stuck_off + cell.stuck_on, assumed.stuck,
                        _put_stuck),
    }  # fmt: skip
    found = {
        name: Imperfection(what, own or other, own > 0, put, lambda x: f"{100 * x:.3g} %")
        for name, (what, own, other, put) in rows.items()
    }
    found["drift"] = Imperfection(
        f"of cells in {config.seconds:,.0f} s", drift or assumed.drift, drift > 0,
        partial(_put_drift, seconds=config.seconds), lambda x: f"{100 * x:.3g} %",
    )  # fmt: skip
    found["wires"] = Imperfection(
        "of each segment of a line", assumed.wire_resistance, False, _put_wires,
        lambda r: f"{r:.3g} ohm",
    )  # fmt: skip
    found["converters"] = Imperfection(
        "step of DACs and ADCs", 2.0**-assumed.bits, False, _put_converters,
        lambda step: f"{_bits(step)} bits" if step else "exact",
    )  # fmt: skip
    if isinstance(cell, mho.PulseResponse) and system != "bmcnn":
        nu, ratio = sum(cell.nonlinearity) / 2, math.log(cell.reset_ratio)
        found["non-linearity"] = Imperfection(
            "of steps along the window", nu or assumed.nonlinearity, nu > 0, _put_nonlinearity,
            lambda x: f"{x:.3g}",
        )  # fmt: skip
        found["asymmetry"] = Imperfection(
            "of RESET and SET steps", abs(ratio or math.log(assumed.reset_ratio)), ratio != 0,
            _put_asymmetry, lambda x: f"ratio {math.exp(x):.3g}",
        )  # fmt: skip
    return found


def chips(config: SensitivityConfig, system: System, times: Mapping[str, float]) -> mho.Hardware:
    """A system's chips with each imperfection at a multiple of the device's own value."""
    hardware = config.hardware(system)
    for name, imperfection in imperfections(config, system).items():
        hardware = imperfection.put(hardware, imperfection.value * times[name])
    return hardware


def _bits(step: float) -> int:
    """The whole number of bits whose step is nearest, within what converters have."""
    return min(16, max(2, round(-math.log2(step))))


def _cycle(cell: Cell) -> float:
    """Spread of a write: of the window, of a pulse's mean step, of a resistance [1]."""
    if isinstance(cell, mho.MultiLevel):
        low, high = cell.window
        levels = cell.nominal(torch.arange(cell.levels, dtype=torch.float64))
        return cell.spread(levels).mean().item() / (high - low)
    if isinstance(cell, mho.PulseResponse):
        return cell.cycle_spread
    if isinstance(cell, mho.PulseTable):
        return sum(sum(x) / len(x) for x in _table_spreads(cell).values()) / 2 / _mean_step(cell)
    assert isinstance(cell, mho.TwoState)
    return (cell.r_on.cycle.cov + cell.r_off.cycle.cov) / 2


def _put_cycle(hardware: mho.Hardware, value: float) -> mho.Hardware:
    cell = hardware.device
    if isinstance(cell, mho.TwoState):
        return _replace(hardware, **_two_state(cell, "cycle", value))
    if isinstance(cell, mho.PulseResponse):
        return _replace(hardware, cycle_spread=value)
    own, (low, high) = _cycle(cell), cell.window
    if isinstance(cell, mho.PulseTable):
        flat = (value * _mean_step(cell),)
        scaled = {name: tuple(value / own * x for x in found) if own else flat
                  for name, found in _table_spreads(cell).items()}  # fmt: skip
        return _replace(hardware, **scaled)
    assert isinstance(cell, mho.MultiLevel)
    sigma = tuple(value / own * c for c in cell.sigma) if own else (value * (high - low),)
    return _replace(hardware, sigma=sigma)


def _table_spreads(cell: mho.PulseTable) -> dict[str, tuple[float, ...]]:
    return {"set_spread": cell.set_spread, "reset_spread": cell.reset_spread}


def _mean_step(cell: mho.PulseTable) -> float:
    """Of SET pulses across the window [S]."""
    return (cell.g[-1] - cell.g[0]) / cell.crossing[0]


def _device(cell: Cell) -> float:
    """Spread between devices: of the window, of the step factor, of a resistance [1]."""
    if isinstance(cell, mho.TwoState):
        return (cell.r_on.device.cov + cell.r_off.device.cov) / 2
    assert isinstance(cell, mho.MultiLevel | PulsedCell)
    return cell.device_spread


def _put_device(hardware: mho.Hardware, value: float) -> mho.Hardware:
    cell = hardware.device
    if isinstance(cell, mho.TwoState):
        return _replace(hardware, **_two_state(cell, "device", value))
    return _replace(hardware, device_spread=value)


def _two_state(
    cell: mho.TwoState, kind: Literal["cycle", "device"], value: float
) -> dict[str, mho.Resistance]:
    """Both states with a spread of so much on average, in the cell's own proportion."""
    states = {"r_on": cell.r_on, "r_off": cell.r_off}
    spreads = {name: state.cycle if kind == "cycle" else state.device
               for name, state in states.items()}  # fmt: skip
    mean = sum(spread.cov for spread in spreads.values()) / 2
    return {
        name: states[name].replace(
            **{kind: spread.replace(cov=value * spread.cov / mean if mean else value)}
        )
        for name, spread in spreads.items()
    }


def _put_noise(hardware: mho.Hardware, value: float) -> mho.Hardware:
    return _replace(hardware, read_noise=value)


def _put_stuck(hardware: mho.Hardware, value: float) -> mho.Hardware:
    off, on = hardware.device.stuck_off, hardware.device.stuck_on
    share = off / (off + on) if off + on else 0.5
    return _replace(hardware, stuck_off=share * value, stuck_on=(1 - share) * value)


def _drift(hardware: mho.Hardware, seconds: float) -> float:
    """Root mean square change of cells in a time: of the window, or of themselves [1]."""
    law = hardware.retention
    if law is None:
        return 0.0
    if isinstance(law, mho.PowerLaw):
        return math.hypot(law.nu, law.nu_spread) * math.log(seconds / law.t0)
    low, high = hardware.device.window
    return math.hypot(law.rate, law.rate_spread) * math.log(seconds / law.t0) / (high - low)


def _put_drift(hardware: mho.Hardware, value: float, seconds: float) -> mho.Hardware:
    law, own = hardware.retention, _drift(hardware, seconds)
    if value == 0:
        return hardware.replace(retention=None)
    if law is None or own == 0:
        low, high = hardware.device.window
        law = mho.LogTime(rate_spread=value * (high - low) / math.log(seconds))
        return hardware.replace(retention=law)
    fields = ("nu", "nu_spread") if isinstance(law, mho.PowerLaw) else ("rate", "rate_spread")
    scaled = {name: value / own * getattr(law, name) for name in fields}
    return hardware.replace(retention=law.replace(**scaled))


def _put_wires(hardware: mho.Hardware, value: float) -> mho.Hardware:
    return hardware.replace(wire_resistance=value)


def _put_converters(hardware: mho.Hardware, value: float) -> mho.Hardware:
    bits = _bits(value) if value else None
    return hardware.replace(dac_bits=bits, adc_bits=bits)


def _put_nonlinearity(hardware: mho.Hardware, value: float) -> mho.Hardware:
    cell = hardware.device
    assert isinstance(cell, mho.PulseResponse)
    mean = sum(cell.nonlinearity) / 2
    pair = tuple(value * nu / mean if mean else value for nu in cell.nonlinearity)
    return _replace(hardware, nonlinearity=pair)


def _put_asymmetry(hardware: mho.Hardware, value: float) -> mho.Hardware:
    """`value` is that of |ln(RESET step / SET step)|."""
    cell = hardware.device
    assert isinstance(cell, mho.PulseResponse)
    sign = 1.0 if cell.reset_ratio > 1 else -1.0
    return _replace(hardware, reset_ratio=math.exp(sign * value))


def _replace(hardware: mho.Hardware, **changes: object) -> mho.Hardware:
    return hardware.replace(device=hardware.device.replace(**changes))
