"""The numbers of a card, with units; what a preset does not give is said to be not given."""

from __future__ import annotations

import torch
from torch import Tensor

from mho.physics import (
    Cell,
    LogTime,
    MultiLevel,
    PowerLaw,
    Preset,
    PulsedCell,
    PulseResponse,
    PulseTable,
    Resistance,
    Retention,
    Sinh,
    Spread,
    Transistor,
    TwoState,
)
from mho.results.units import number, quantity

NOT_GIVEN = "not given"
Numbers = list[tuple[str, str]]


def numbers(preset: Preset) -> Numbers:
    """Names and values of a preset, as text."""
    cell = preset.device
    out = [("cell", NOT_GIVEN)] if cell is None else _of_cell(cell)
    out += [("I-V", _conduction(preset)), *_over_time(preset)]
    return [*out, ("DOI", cell.doi or NOT_GIVEN)] if cell is not None else out


def window(cell: Cell) -> str:
    """From the lowest to the highest level."""
    low, high = cell.window
    ratio = f", ratio {number(high / low, 3)}" if low > 0 else ""
    return f"{quantity(low, 'S')} to {quantity(high, 'S')}{ratio}"


def spread(cell: Cell) -> str:
    """How a programmed conductance, or a pulse's step, spreads."""
    if isinstance(cell, TwoState):
        each = (_factor("R_ON", cell.r_on), _factor("R_OFF", cell.r_off))
        return "; ".join(each)
    if isinstance(cell, MultiLevel):
        ends = sorted(cell.spread(cell.nominal(_level(k))).item() for k in (0, cell.states - 1))
        one = f"{quantity(ends[0], 'S')} to {quantity(ends[1], 'S')} a pulse"
        device = _percent(cell.device_spread)
        return one if device is None else f"{one}; devices {device} of the window"
    assert isinstance(cell, PulsedCell)
    device = _percent(cell.device_spread)
    of_devices = "" if device is None else f"; devices {device}"
    if isinstance(cell, PulseResponse):
        return f"{number(cell.cycle_spread, 3)} mean steps a pulse{of_devices}"
    assert isinstance(cell, PulseTable)
    highest = max(*cell.set_spread, *cell.reset_spread)
    return f"up to {quantity(highest, 'S')} a pulse{of_devices}"


def endurance(cell: Cell) -> str:
    """Pulses that a cell stands."""
    return NOT_GIVEN if cell.endurance is None else f"{number(cell.endurance, 3)} pulses"


def known(preset: Preset) -> list[str]:
    """What a preset gives besides its cell."""
    cell = preset.device
    laws = {
        "I-V": preset.conduction,
        "retention": preset.retention,
        "white noise": None if cell is None else cell.read_noise or None,
        "1/f noise": preset.flicker,
        "telegraph noise": preset.telegraph,
        "disturb": preset.disturb,
    }
    return [name for name, law in laws.items() if law is not None]


def retention(law: Retention | None) -> str:
    """A law of retention in its numbers."""
    if isinstance(law, PowerLaw):
        return f"(t / {quantity(law.t0, 's')})^-nu, nu = {_of(law.nu, law.nu_spread, '1')}"
    if isinstance(law, LogTime):
        return f"{_of(law.rate, law.rate_spread, 'S')} in a factor e of time"
    return NOT_GIVEN


def _of_cell(cell: Cell) -> Numbers:
    out = [
        ("cell", cell.family),
        ("window", window(cell)),
        ("levels", f"{cell.states}, {quantity(cell.step, 'S')} apart"),
        ("spread", spread(cell)),
    ]
    if isinstance(cell, PulsedCell):
        sets, resets = cell.crossing
        out.append(("pulses across", f"SET {number(sets, 3)}, RESET {number(resets, 3)}"))
    if isinstance(cell, PulseResponse):
        on, off = cell.nonlinearity
        out.append(("non-linearity", f"SET {number(on, 3)}, RESET {number(off, 3)}"))
    shares = (("off", cell.stuck_off), ("on", cell.stuck_on))
    stuck = [f"{_percent(share)} {which}" for which, share in shares if share > 0]
    return [*out, ("stuck cells", ", ".join(stuck) or NOT_GIVEN), ("endurance", endurance(cell))]


def _over_time(preset: Preset) -> Numbers:
    cell, flicker, trap = preset.device, preset.flicker, preset.telegraph
    white = None if cell is None else _percent(cell.read_noise)
    disturb = preset.disturb
    return [
        ("retention", retention(preset.retention)),
        ("white noise", NOT_GIVEN if white is None else f"{white} of the window"),
        ("1/f noise", NOT_GIVEN if flicker is None
         else f"{_percent(flicker.amplitude)} of G in a factor e of frequency"),
        ("telegraph noise", NOT_GIVEN if trap is None
         else f"up to {_percent(trap.depth)} of G; full {quantity(trap.full, 's')}, "
         f"empty {quantity(trap.empty, 's')}"),
        ("disturb", NOT_GIVEN if disturb is None
         else f"{number(disturb.read, 2)} a read, {number(disturb.half_select, 2)} a half select"),
    ]  # fmt: skip


def _conduction(preset: Preset) -> str:
    law = preset.conduction
    if isinstance(law, Sinh):
        return f"sinh, v0 = {quantity(law.v0, 'V')}"
    if isinstance(law, Transistor):
        beta = f"{quantity(law.beta, 'A')}/V^2"
        return f"1T1R, beta = {beta}, overdrive {quantity(law.overdrive, 'V')}"
    return NOT_GIVEN if law is None else law.family


def _factor(name: str, state: Resistance) -> str:
    """Spread of a state between devices and between cycles."""
    device, cycle = (_shape(s) for s in (state.device, state.cycle))
    return f"{name} {device or 'no spread'}" + (f", cycles {cycle}" if cycle else "")


def _shape(of: Spread) -> str | None:
    return None if of.cov == 0 else f"{_percent(of.cov)} {of.distribution}"


def _of(mean: float, deviation: float, unit: str) -> str:
    return f"{quantity(mean, unit)} ± {quantity(deviation, unit)}"


def _percent(share: float) -> str | None:
    """None: 0."""
    return None if share == 0 else f"{number(100 * share, 3)} %"


def _level(k: int) -> Tensor:
    return torch.tensor(float(k))
