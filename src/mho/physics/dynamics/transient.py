"""What a device does under a waveform: voltage, current, state and conductance over time."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from mho.arguments import checked
from mho.errors import invalid
from mho.physics.cell import Traits
from mho.physics.dynamics.model import DynamicModel
from mho.physics.dynamics.source import Source
from mho.physics.dynamics.stepper import Adaptive, Devices, Method, Motion
from mho.physics.dynamics.waveform import Waveform
from mho.physics.noise import Noise

MOST_INTERVALS = 1_000_000
"""Random numbers that one device may take in a transient."""
ROUNDING = 1e-12
"""Share of a duration within which two times are the same."""


class Trace(NamedTuple):
    """Course of devices (...) over n times."""

    t: Float64[Tensor, " n"]
    """Times [s]."""
    v: Float[Tensor, "*#d n"]
    """Voltage across the device [V]."""
    i: Float[Tensor, "*d n"]
    """Current through it [A]."""
    state: Float[Tensor, "*d n"]
    """State variable, in the unit of the model."""
    g: Float[Tensor, "*d n"]
    """Conductance at the read voltage [S]."""
    steps: Int64[Tensor, "*d"]
    """Steps that each device took, refused ones among them."""

    def charge(self) -> Float[Tensor, "*d"]:
        """Integral of the current, by the trapezoidal rule [C]."""
        return torch.trapezoid(self.i, self.t.to(self.i.dtype))

    def energy(self) -> Float[Tensor, "*d"]:
        """Integral of v i, by the trapezoidal rule [J]."""
        return torch.trapezoid(self.v * self.i, self.t.to(self.i.dtype))


@checked
def transient(
    model: DynamicModel,
    waveform: Waveform,
    *,
    samples: int | Float64[Tensor, " n"] = 200,
    state: Float[Tensor, "*#d"] | None = None,
    traits: Traits | None = None,
    method: Method | None = None,
    source: Source | None = None,
    noise: Noise | None = None,
) -> Trace:
    """Drive devices (...) with a waveform.

    Differentiable in the state and the traits: a gradient is that of the steps as they were taken,
    their lengths held fixed. Precision is that of the state, else of the traits, else double.

    Args:
        samples: how many equal parts the duration is cut into, or the rising times asked for [s].
        state: (...) where the devices start; None: at `model.start`.
        traits: (...) each, parameters by name that differ from device to device.
        method: how to step; None: `Adaptive()`.
        source: resistance in series and compliance; None: the waveform is across the device.
        noise: (...) cycle-to-cycle noise, one number a device each `model.interval`, in the order
            of time, whatever the steps; it acts at the end of the interval. None: the median
            devices.

    Raises:
        ValueError: times outside the waveform or not rising, traits unknown to the model, an
            interval too short for the waveform, or a voltage beyond what the model is meant for.
        NotConverged: an adaptive step would have to be too short.
    """
    traits = traits or {}
    x, traits = _initial(model, state, traits)
    _check_voltage(model, waveform, source, traits)
    times = _times(waveform, samples)
    method = method or Adaptive()
    states, steps = _follow(model, waveform, times, x, traits, method, source, noise)
    volts = waveform.at(times).to(x.device, x.dtype)
    along = {name: value[..., None] for name, value in traits.items()}
    v = volts * model.values(along).drive
    if source is not None:
        v = source.across(model, states, v.expand(states.shape), along)
    i = model.current(states, v, along)
    return Trace(times, v, i, states, model.conductance(states, along), steps)


def _initial(model: DynamicModel, state: Tensor | None, traits: Traits) -> tuple[Tensor, Traits]:
    """Start of every device (...), within its range, and traits in the precision of the start."""
    given = [*traits.values()] if state is None else [state, *traits.values()]
    if state is not None and not state.isfinite().all():
        raise invalid("state", "nan or inf", "finite numbers only")
    dtype = given[0].dtype if given else torch.float64
    device = given[0].device if given else None
    traits = {name: value.to(dtype) for name, value in traits.items()}
    shape = torch.broadcast_shapes(*(value.shape for value in given))
    if state is None:
        p, (off, on) = model.values(traits), model.ends(traits)
        state = torch.as_tensor(off + (on - off) * p.start, dtype=dtype, device=device)
    state = state.clamp(*model.limits(traits, state))
    return state.expand(shape), traits


def _check_voltage(
    model: DynamicModel, waveform: Waveform, source: Source | None, traits: Traits
) -> None:
    """Devices have most of the voltage where they conduct least."""
    most = model.most_voltage
    if most is None:
        return
    off, _ = model.ends(traits)
    off = torch.as_tensor(off, dtype=torch.float64)
    drive = torch.as_tensor(model.values(traits).drive, dtype=torch.float64)
    for sign in (1.0, -1.0):
        v = (sign * waveform.peak * drive).expand(torch.broadcast_shapes(off.shape, drive.shape))
        if source is not None:
            v = source.across(model, off, v, traits)
        worst = v.detach().abs().max().item()
        if worst > most * (1 + ROUNDING):
            allowed = f"at most {most:g} V across a device for {type(model).__name__}"
            raise invalid("waveform", f"{worst:.3g} V", allowed)


def _times(waveform: Waveform, samples: int | Tensor) -> Tensor:
    """Times asked for [s]."""
    if not isinstance(samples, Tensor):
        if samples < 1:
            raise invalid("samples", samples, "at least 1")
        return torch.linspace(0.0, waveform.duration, samples + 1, dtype=torch.float64)
    inside = len(samples) and samples[0] >= 0 and samples[-1] <= waveform.duration * (1 + ROUNDING)
    if not inside or (samples.diff() <= 0).any():
        allowed = f"rising times from 0 to {waveform.duration:g} s"
        raise invalid("samples", samples.tolist(), allowed)
    return samples.clamp(max=waveform.duration)


def _follow(
    model: DynamicModel,
    waveform: Waveform,
    times: Tensor,
    start: Tensor,
    traits: Traits,
    method: Method,
    source: Source | None,
    noise: Noise | None,
) -> tuple[Tensor, Tensor]:
    """States (..., n) at the times, and the steps (...) taken."""
    shape, x = start.shape, start.reshape(-1)
    flat = {name: _flat(value, shape) for name, value in traits.items()}
    devices = Devices(model, flat, *model.limits(flat, x), source)
    grid = torch.cat([times, _snapped(waveform.corners(), times)]).unique()
    random = _snapped(_intervals(model, times) if noise is not None else times[:0], grid)
    grid = torch.cat([grid, random]).unique()
    grid = grid[grid <= times[-1]]
    wanted, kicks = set(times.tolist()), set(random.tolist())
    at, volts = grid.tolist(), waveform.at(grid).tolist()
    whole = torch.full_like(x.detach(), math.inf)
    slope = devices.rate(x, devices.driven(x.new_tensor(volts[0])))
    now = Motion(x, slope, whole, torch.zeros_like(x, dtype=torch.int64))
    kept = [x] if at[0] in wanted else []
    for k in range(1, len(at)):
        piece = waveform.piece(at[k - 1], at[k], (volts[k - 1], volts[k]))
        now = method.advance(devices, piece, at[k] - at[k - 1], now)
        if noise is not None and at[k] in kicks:
            chi = noise.normal().to(x).expand(shape).reshape(-1)
            now = _kicked(devices, devices.driven(x.new_tensor(volts[k])), chi, now)
        if at[k] in wanted:
            kept.append(now.x)
    states = torch.stack(kept, -1)
    return states.reshape(*shape, len(kept)), now.steps.reshape(shape)


def _kicked(devices: Devices, v: Tensor, chi: Tensor, now: Motion) -> Motion:
    """The random part of an interval, all at its end."""
    x, model = now.x, devices.model
    assert model.interval is not None
    unrest = model.unrest(x, devices.across(x, v), devices.traits)
    x = (x + unrest * model.interval * chi).clamp(devices.low, devices.high)
    return now._replace(x=x, slope=devices.rate(x, v))


def _intervals(model: DynamicModel, times: Tensor) -> Tensor:
    """Ends of the intervals of the random part [s]; none for a model without noise."""
    if model.interval is None:
        return times[:0]
    count = math.floor(times[-1].item() / model.interval * (1 + ROUNDING))
    if count > MOST_INTERVALS:
        least = f"at least {times[-1].item() / MOST_INTERVALS:.3g} s for this waveform"
        raise invalid(f"{type(model).__name__}.noise_interval", model.interval, least)
    return model.interval * torch.arange(1, count + 1, dtype=torch.float64)


def _snapped(corners: Tensor, times: Tensor) -> Tensor:
    """Corners moved to the times from which they differ by rounding alone."""
    after = torch.searchsorted(times, corners).clamp(max=len(times) - 1)
    for near in (times[(after - 1).clamp(min=0)], times[after]):
        corners = corners.where((corners - near).abs() > ROUNDING * times[-1], near)
    return corners


def _flat(value: Tensor, shape: torch.Size) -> Tensor:
    """One value a device, or a single one for all."""
    return value.reshape(()) if value.numel() == 1 else value.expand(shape).reshape(-1)
