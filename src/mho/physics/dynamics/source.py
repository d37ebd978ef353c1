"""What drives a device: a voltage behind a series resistance, with a limit to the current."""

from __future__ import annotations

from typing import Annotated

import torch
from jaxtyping import Float
from torch import Tensor

from mho.config import Config, Range
from mho.physics.cell import Traits
from mho.physics.dynamics.model import DynamicModel
from mho.quantities import Amperes

MOST_ROUNDS = 50
"""Newton's steps after which the voltage is taken as it is."""


class Source(Config):
    """A voltage source as instruments have it; without settings it is ideal.

    With V the voltage of the waveform, the device has the voltage v of

        v + resistance i(x, v) = V,

    or, where that would draw more than the compliance, the v at which just that current flows.
    """

    resistance: Annotated[float, Range(least=0.0, most=1e15)] = 0.0
    """In series with the device: of a line, an electrode, a selector that is open [ohm]."""
    compliance: tuple[Amperes, Amperes] | None = None
    """Largest current where V is positive, and where it is negative [A]; None: any."""

    def across(
        self,
        model: DynamicModel,
        x: Float[Tensor, "*#n"],
        v: Float[Tensor, "*#n"],
        traits: Traits,
    ) -> Float[Tensor, "*#n"]:
        """Voltage across a device in state x where the waveform has v [V]."""
        if self.resistance > 0:
            v = self._divided(model, x, v, traits)
        if self.compliance is None:
            return v
        forward, backward = self.compliance
        most = torch.where(v >= 0, v.new_tensor(forward), -backward)
        limit = model.voltage(x, most, traits)
        return torch.where(v.abs() > limit.abs(), limit, v)

    def _divided(self, model: DynamicModel, x: Tensor, v: Tensor, traits: Traits) -> Tensor:
        """Newton's method from beyond the solution: no step passes it where |i| curves upwards, and
        the first one alone where it curves downwards."""
        whole = v.expand(torch.broadcast_shapes(v.shape, x.shape))
        alone = model.voltage(x, whole / self.resistance, traits)  # if all dropped at the resistor
        v = torch.where(whole.abs() < alone.abs(), whole, alone)
        eps = torch.finfo(v.dtype).eps
        enough, close = 8 * eps * whole.abs(), eps**0.5 * whole.abs()
        before = torch.full_like(v, torch.inf)
        for _ in range(MOST_ROUNDS):
            excess = v + self.resistance * model.current(x, v, traits) - whole
            step = excess / (1 + self.resistance * model.slope(x, v, traits))
            v = v - step
            v = torch.where(v * whole < 0, 0.0, v)
            size = step.abs()
            rounding = (size >= before) & (size <= close)
            if ((size <= enough) | rounding).all():
                break
            before = size
        return v
