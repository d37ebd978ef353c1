"""What a device does under a waveform: voltage, current, state and conductance over time."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from mho.errors import invalid
from mho.physics.cell import Traits
from mho.physics.dynamics.model import DynamicModel
from mho.physics.dynamics.stepper import Adaptive, Devices, Method, Motion
from mho.physics.dynamics.waveform import Waveform

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


def transient(
    model: DynamicModel,
    waveform: Waveform,
    *,
    samples: int | Float64[Tensor, " n"] = 200,
    state: Float[Tensor, "*#d"] | None = None,
    traits: Traits | None = None,
    method: Method | None = None,
) -> Trace:
    """Drive devices (...) with a waveform.

    Differentiable in the state and the traits: a gradient is that of the steps as they were taken,
    their lengths held fixed. Precision is that of the state, else of the traits, else double.

    Args:
        samples: how many equal parts the duration is cut into, or the rising times asked for [s].
        state: (...) where the devices start; None: at `model.start`.
        traits: (...) each, parameters by name that differ from device to device.
        method: how to step; None: `Adaptive()`.

    Raises:
        ValueError: times outside the waveform or not rising, or traits unknown to the model.
        NotConverged: an adaptive step would have to be too short.
    """
    traits = traits or {}
    x, traits = _initial(model, state, traits)
    times = _times(waveform, samples)
    states, steps = _follow(model, waveform, times, x, traits, method or Adaptive())
    volts = waveform.at(times).to(x.device, x.dtype)
    along = {name: value[..., None] for name, value in traits.items()}
    v = volts * model.values(along).drive
    i = model.current(states, v, along)
    return Trace(times, v, i, states, model.conductance(states, along), steps)


def _initial(model: DynamicModel, state: Tensor | None, traits: Traits) -> tuple[Tensor, Traits]:
    """Start of every device (...), within its range, and traits in the precision of the start."""
    given = [*traits.values()] if state is None else [state, *traits.values()]
    dtype = given[0].dtype if given else torch.float64
    device = given[0].device if given else None
    traits = {name: value.to(dtype) for name, value in traits.items()}
    shape = torch.broadcast_shapes(*(value.shape for value in given))
    if state is None:
        p, (off, on) = model.values(traits), model.ends(traits)
        state = torch.as_tensor(off + (on - off) * p.start, dtype=dtype, device=device)
    state = state.clamp(*model.limits(traits, state))
    return state.expand(shape), traits


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
) -> tuple[Tensor, Tensor]:
    """States (..., n) at the times, and the steps (...) taken."""
    shape, x = start.shape, start.reshape(-1)
    flat = {name: _flat(value, shape) for name, value in traits.items()}
    devices = Devices(model, flat, *model.limits(flat, x))
    grid = _grid(times, waveform)
    wanted = set(times.tolist())
    at, volts = grid.tolist(), waveform.at(grid).tolist()
    whole = torch.full_like(x.detach(), math.inf)
    slope = devices.rate(x, devices.across(x.new_tensor(volts[0])))
    now = Motion(x, slope, whole, torch.zeros_like(x, dtype=torch.int64))
    kept = [x] if at[0] in wanted else []
    for k in range(1, len(at)):
        piece = waveform.piece(at[k - 1], at[k], (volts[k - 1], volts[k]))
        now = method.advance(devices, piece, at[k] - at[k - 1], now)
        if at[k] in wanted:
            kept.append(now.x)
    states = torch.stack(kept, -1)
    return states.reshape(*shape, len(kept)), now.steps.reshape(shape)


def _grid(times: Tensor, waveform: Waveform) -> Tensor:
    """Times asked for, and the corners before the last; what differs by rounding is one time."""
    corners = waveform.corners()
    after = torch.searchsorted(times, corners).clamp(max=len(times) - 1)
    for near in (times[(after - 1).clamp(min=0)], times[after]):
        corners = corners.where((corners - near).abs() > ROUNDING * waveform.duration, near)
    grid = torch.cat([times, corners]).unique()
    return grid[grid <= times[-1]]


def _flat(value: Tensor, shape: torch.Size) -> Tensor:
    """One value a device, or a single one for all."""
    return value.reshape(()) if value.numel() == 1 else value.expand(shape).reshape(-1)
