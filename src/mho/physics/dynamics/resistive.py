"""Models whose device is at every state an ohmic resistor."""

from __future__ import annotations

from abc import abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor

from mho.errors import invalid
from mho.physics.cell import Traits
from mho.physics.dynamics.model import DynamicModel
from mho.quantities import CellOhms


class Resistive(DynamicModel):
    """i = v / R(x), with R from R_on at one end of the state to R_off at the other."""

    r_on: CellOhms
    """Resistance at the end of low resistance [ohm]."""
    r_off: CellOhms
    """Resistance at the end of high resistance [ohm]."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.r_on >= self.r_off:
            name = f"{type(self).__name__}.r_on"
            raise invalid(name, self.r_on, f"below r_off = {self.r_off:g} ohm")

    @abstractmethod
    def resistance(self, x: Float[Tensor, "*#n"], traits: Traits) -> Float[Tensor, "*#n"]:
        """R at state x [ohm]."""

    def current(
        self, x: Float[Tensor, "*#n"], v: Float[Tensor, "*#n"], traits: Traits
    ) -> Float[Tensor, "*#n"]:
        """v / R(x) [A]."""
        return v / self.resistance(x, traits)

    def slope(
        self, x: Float[Tensor, "*#n"], v: Float[Tensor, "*#n"], traits: Traits
    ) -> Float[Tensor, "*#n"]:
        """1 / R(x) [S]."""
        return (1 / self.resistance(x, traits)).expand(torch.broadcast_shapes(x.shape, v.shape))

    def voltage(
        self, x: Float[Tensor, "*#n"], i: Float[Tensor, "*#n"], traits: Traits
    ) -> Float[Tensor, "*#n"]:
        """i R(x) [V]."""
        return i * self.resistance(x, traits)
