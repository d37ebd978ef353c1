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
        least, most = (
            model.voltage(x, v.new_tensor(i).expand(v.shape), traits) for i in (-backward, forward)
        )
        return torch.minimum(torch.maximum(v, least), most)

    def _divided(self, model: DynamicModel, x: Tensor, v: Tensor, traits: Traits) -> Tensor:
        """Newton's method from beyond the solution: no step passes it where |i| curves upwards."""
        whole = v.expand(torch.broadcast_shapes(v.shape, x.shape))
        alone = model.voltage(x, whole / self.resistance, traits)  # if all dropped at the resistor
        v = torch.where(whole.abs() < alone.abs(), whole, alone)
        enough = 8 * torch.finfo(v.dtype).eps * whole.abs()
        for _ in range(MOST_ROUNDS):
            excess = v + self.resistance * model.current(x, v, traits) - whole
            step = excess / (1 + self.resistance * model.slope(x, v, traits))
            v = v - step
            if (step.abs() <= enough).all():
                break
        return v
