"""Steps of many devices through a piece of a waveform, each device at its own pace.

Both methods take the three-stage Runge-Kutta step of Bogacki and Shampine (Appl. Math. Lett. 2
(1989) 321; 10.1016/0893-9659(89)90079-7), third order with an embedded second order:

    k1 = f(x), k2 = f(x + h k1 / 2), k3 = f(x + 3 h k2 / 4)
    x' = x + h (2 k1 + 3 k2 + 4 k3) / 9,  k4 = f(x'), the next k1
    error = h (-5 k1 + 6 k2 + 8 k3 - 9 k4) / 72

A state, at a stage too, never leaves its range: beyond an end it is set to that end. Where even the
slowest of the four rates leads to the end within the step, the device stands there at the end of
the step, and there is no error to speak of: what a hard stop does to a rate costs no short steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from mho.config import Config, Range
from mho.errors import NotConverged
from mho.physics.cell import Traits
from mho.physics.dynamics.model import DynamicModel
from mho.physics.dynamics.source import Source
from mho.physics.dynamics.waveform import Volts
from mho.quantities import Count

SAFETY = 0.9
"""Step taken over the step whose error would just be tolerated."""
SHRINK, GROW = 0.2, 5.0
"""Least and most change from one step to the next."""
CROWD = 0.5
"""Share of devices still under way below which the rest is put aside."""


@dataclass(frozen=True)
class Devices:
    """Flat batch of devices; traits and ends are (n) or of no dimension."""

    model: DynamicModel
    traits: Traits
    low: Float[Tensor, "#n"] | Float[Tensor, ""]
    high: Float[Tensor, "#n"] | Float[Tensor, ""]
    source: Source | None = None
    """What lies between the waveform and the devices; None: nothing."""

    def driven(self, v: Float[Tensor, "*#n"]) -> Float[Tensor, "*#n"]:
        """Voltage across devices and source where the waveform has v [V]."""
        return self.model.values(self.traits).drive * v

    def rate(self, x: Float[Tensor, " n"], v: Float[Tensor, "*#n"]) -> Float[Tensor, " n"]:
        """dx/dt at voltage v across devices and source, also where it leads out of the range."""
        return self.model.rate(x, self.across(x, v), self.traits)

    def across(self, x: Float[Tensor, " n"], v: Float[Tensor, "*#n"]) -> Float[Tensor, "*#n"]:
        """Of the voltage v across devices and source, what the devices have."""
        return v if self.source is None else self.source.across(self.model, x, v, self.traits)

    def top(self, x: Float[Tensor, " n"], v: Float[Tensor, "*#n"]) -> Float[Tensor, "*#n"]:
        """Largest state that voltage v drives to from x."""
        ceiling = self.model.ceiling(self.across(x, v), self.traits)
        if ceiling is None:
            return self.high
        return torch.minimum(self.high, torch.maximum(ceiling, x))

    def some(self, which: Int64[Tensor, " k"]) -> Devices:
        """Some of them."""
        parts = {name: _some(value, which) for name, value in self.traits.items()}
        ends = _some(self.low, which), _some(self.high, which)
        return Devices(self.model, parts, *ends, self.source)


class Motion(NamedTuple):
    """Where devices are, and how they go on."""

    x: Float[Tensor, " n"]
    """State."""
    slope: Float[Tensor, " n"]
    """Its rate."""
    h: Float[Tensor, " n"]
    """Step to try next [s]."""
    steps: Int64[Tensor, " n"]
    """Steps tried so far."""


class Fixed(Config):
    """Equal steps between one sample or corner and the next."""

    family: ClassVar[str] = "fixed"

    substeps: Annotated[int, Range(least=1, most=1_000_000)] = 1
    """Steps between one time and the next [1]."""

    def advance(self, devices: Devices, volts: Volts, length: float, now: Motion) -> Motion:
        """Move all devices `length` [s] on."""
        x, slope = now.x, now.slope
        h = x.new_tensor(length / self.substeps)
        for k in range(self.substeps):
            x, slope, *_ = step(devices, volts, k * h, h, x, slope)
        return Motion(x, slope, now.h, now.steps + self.substeps)


class Adaptive(Config):
    """Steps of each device as long as its error allows."""

    family: ClassVar[str] = "adaptive"

    tolerance: Annotated[float, Range(least=1e-12, most=0.1)] = 1e-5
    """Error tolerated in one step, as a share of the range of the state [1]."""
    most_steps: Count = 100_000
    """Steps from one sample or corner to the next after which it is given up [1]."""

    def advance(self, devices: Devices, volts: Volts, length: float, now: Motion) -> Motion:
        """Move all devices `length` [s] on.

        Raises:
            NotConverged: some device needs more than `most_steps`.
        """
        every, which = now, None
        s = torch.zeros_like(now.x)
        ratio = s
        for _ in range(self.most_steps):
            left = length - s
            last = now.h >= left
            h = torch.where(last, left, now.h)
            to = step(devices, volts, s, h, now.x, now.slope)
            with torch.no_grad():
                tolerated = self.tolerance * (devices.high - devices.low)
                ratio = (error(devices, now, h, to).abs() / tolerated).nan_to_num(nan=torch.inf)
            good = ratio <= 1
            then = h * (SAFETY * ratio ** (-1 / 3)).clamp(SHRINK, GROW)
            now = Motion(
                torch.where(good, to.x, now.x),
                torch.where(good, to.slope, now.slope),
                torch.where(good & last, torch.maximum(then, now.h), then),
                now.steps + (left > 0),
            )
            s = torch.where(good, torch.where(last, length, s + h), s)
            under_way = (s < length).nonzero()[:, 0]
            if len(under_way) == 0:
                return _put(every, which, now)
            if len(under_way) < CROWD * len(s):
                every = _put(every, which, now)
                devices, s = devices.some(under_way), s[under_way]
                which = under_way if which is None else which[under_way]
                now = Motion(*(part[under_way] for part in now))
        bad = int((s < length).sum())
        raise NotConverged(
            float(ratio.max()) * self.tolerance, self.tolerance, bad, len(every.x), self.most_steps
        )


Method = Adaptive | Fixed
"""Any way to step."""


class Step(NamedTuple):
    """One step: where it leads, the rates on the way, and how far the devices could get."""

    x: Float[Tensor, " n"]
    slope: Float[Tensor, " n"]
    k2: Float[Tensor, " n"]
    k3: Float[Tensor, " n"]
    top: Float[Tensor, "*#n"]


def step(
    devices: Devices,
    volts: Volts,
    s: Float[Tensor, "*#n"],
    h: Float[Tensor, "*#n"],
    x: Float[Tensor, " n"],
    slope: Float[Tensor, " n"],
) -> Step:
    """A time h [s] on from s."""
    low = devices.low
    v = devices.driven(volts(s + 0.5 * h))
    k2 = devices.rate((x + 0.5 * h * slope).clamp(low, devices.top(x, v)), v)
    v = devices.driven(volts(s + 0.75 * h))
    k3 = devices.rate((x + 0.75 * h * k2).clamp(low, devices.top(x, v)), v)
    v = devices.driven(volts(s + h))
    top = devices.top(x, v)
    new = (x + h / 9 * (2 * slope + 3 * k2 + 4 * k3)).clamp(low, top)
    return Step(new, devices.rate(new, v), k2, k3, top)


def error(devices: Devices, now: Motion, h: Float[Tensor, " n"], to: Step) -> Float[Tensor, " n"]:
    """Of a step, in units of the state; 0 where a device certainly stands at an end after it."""
    rates = torch.stack([now.slope, to.k2, to.k3, to.slope])
    least, most = rates.aminmax(dim=0)
    up = (least >= 0) & (now.x + h * least >= to.top)
    down = (most <= 0) & (now.x + h * most <= devices.low)
    weights = rates.new_tensor([-5.0, 6.0, 8.0, -9.0]) / 72
    return (h * (weights @ rates)).masked_fill(up | down, 0.0)


def _some(value: Tensor, which: Tensor) -> Tensor:
    return value[which] if value.ndim and len(value) > 1 else value


def _put(every: Motion, which: Tensor | None, some: Motion) -> Motion:
    """All devices, with some of them moved on."""
    if which is None:
        return some
    return Motion(*(a.index_copy(0, which, b) for a, b in zip(every, some, strict=True)))
