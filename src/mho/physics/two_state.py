"""The two-state cell: low and high resistance, each with a distribution of its own."""

from __future__ import annotations

from typing import ClassVar, Self

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from mho.config import Config
from mho.errors import invalid
from mho.physics.cell import LandingCell, Traits
from mho.physics.datasheet import Entry, Quantity
from mho.physics.imperfection import Imperfection
from mho.physics.noise import Noise
from mho.physics.spread import Spread
from mho.quantities import CellOhms


class Resistance(Config):
    """One resistance state: `R = mean x (device factor) x (cycle factor)`."""

    mean: CellOhms
    """Nominal resistance [ohm]."""
    device: Spread = Spread()
    """Device-to-device spread, drawn once a device."""
    cycle: Spread = Spread()
    """Cycle-to-cycle spread, drawn at each programming event."""


class TwoState(LandingCell):
    """Binary cell: level 1 is R_ON (low resistance), level 0 is R_OFF.

    LRS close to normal and HRS close to lognormal is what HfO2 1T1R statistics show. Spread acts on
    the resistance, so the mean conductance is raised by E[1 / factor], about 1 + cov^2.
    """

    family: ClassVar[str] = "two-state"

    r_on: Resistance
    """Low-resistance state."""
    r_off: Resistance
    """High-resistance state."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.r_on.mean >= self.r_off.mean:
            raise invalid(
                "TwoState.r_on.mean", self.r_on.mean, f"below r_off.mean = {self.r_off.mean:g} ohm"
            )

    @property
    def states(self) -> int:
        """Always 2."""
        return 2

    @property
    def window(self) -> tuple[float, float]:
        """(1 / R_OFF, 1 / R_ON) [S]."""
        return 1 / self.r_off.mean, 1 / self.r_on.mean

    def traits(self, noise: Noise) -> Traits:
        """Resistances of each device [ohm]; a state without device spread needs none.

        What R_OFF draws does not depend on whether R_ON spreads.
        """
        on, off = self.r_on, self.r_off
        traits = {}
        if on.device.cov > 0 or off.device.cov > 0:
            z = noise.normal()
            if on.device.cov > 0:
                traits["r_on"] = on.mean * on.device.factor(z)
        if off.device.cov > 0:
            traits["r_off"] = off.mean * off.device.factor(noise.normal())
        return traits

    def draw(
        self,
        z: Float[Tensor, "*#n"],
        level: Shaped[Tensor, "*#n"],
        traits: Traits,
        *,
        corrected: bool,
    ) -> Float[Tensor, "*#n"]:
        """1 / R of the state; a device's own resistance is not for the controller to correct."""
        on = traits.get("r_on", self.r_on.mean) * self.r_on.cycle.factor(-z)
        off = traits.get("r_off", self.r_off.mean) * self.r_off.cycle.factor(-z)
        return 1 / torch.where(level > 0, on, off)

    def score(
        self,
        g: Float[Tensor, "*#n"],
        level: Shaped[Tensor, "*#n"],
        traits: Traits,
        *,
        corrected: bool,
    ) -> Float[Tensor, "*#n"]:
        """Inverse of `draw`."""
        r = 1 / g.clamp(min=1e-12)
        on = self.r_on.cycle.score(r / traits.get("r_on", self.r_on.mean))
        off = self.r_off.cycle.score(r / traits.get("r_off", self.r_off.mean))
        return -torch.where(level > 0, on, off)

    def mean(self, level: Shaped[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        """E[1 / R] = (1 / mean) E[1 / device factor] E[1 / cycle factor]."""
        on, off = (
            state.device.mean_inverse() * state.cycle.mean_inverse() / state.mean
            for state in (self.r_on, self.r_off)
        )
        return torch.where(level > 0, on, off)

    def imperfections(self) -> dict[str, Imperfection]:
        """Spreads are coefficients of variation, the mean of both states."""
        cycle = (self.r_on.cycle.cov + self.r_off.cycle.cov) / 2
        device = (self.r_on.device.cov + self.r_off.device.cov) / 2
        return {
            "write spread": Imperfection(cycle, "from one write to the next"),
            "device spread": Imperfection(device, "from device to device"),
            **super().imperfections(),
        }

    def with_imperfection(self, name: str, value: float) -> Self:
        """Spreads keep their shapes and limits."""
        if name not in (kinds := {"write spread": "cycle", "device spread": "device"}):
            return super().with_imperfection(name, value)
        kind, mean = kinds[name], self.imperfections()[name].value
        states = {}
        for which, state in (("r_on", self.r_on), ("r_off", self.r_off)):
            spread: Spread = getattr(state, kind)
            cov = value * spread.cov / mean if mean else value
            states[which] = state.replace(**{kind: spread.replace(cov=cov)})
        return self.replace(**states)

    def family_datasheet(self) -> list[Entry]:
        """Spread of each state, between devices and from cycle to cycle."""
        texts, values = [], []
        for name, state in (("R_ON", self.r_on), ("R_OFF", self.r_off)):
            device, cycle = state.device, state.cycle
            texts.append(
                f"{name} {{}} {device.distribution}" if device.cov else f"{name} no spread"
            )
            if cycle.cov:
                texts[-1] += f", cycles {{}} {cycle.distribution}"
            values += [Quantity(spread.cov, "%") for spread in (device, cycle) if spread.cov]
        if self.written is not None:
            of = self.spread_of()
            texts.append(of.text)
            values += of.values
        return [Entry("spread", "; ".join(texts), tuple(values))]
