"""What every dynamic model of a device answers: its state, how the state moves, its current."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import fields
from typing import Annotated, Any

import torch
from jaxtyping import Float
from torch import Tensor

from mho.config import Config, Range
from mho.errors import invalid, unknown
from mho.physics.cell import Traits
from mho.physics.datasheet import Entry, Quantity
from mho.physics.noise import Noise
from mho.physics.spread import Spread


class Variation(Config):
    """Device-to-device spread of one parameter: its value times a factor drawn once a device."""

    parameter: str
    """Name of the parameter."""
    spread: Spread
    """Distribution of the factor."""


class Values:
    """Parameters by name: of each device (...) where a trait says so, else that of the record."""

    def __init__(self, model: DynamicModel, traits: Traits) -> None:
        self._model, self._traits = model, traits

    def __getattr__(self, name: str) -> Any:
        value = self._traits.get(name)
        return getattr(self._model, name) if value is None else value


class DynamicModel(Config, ABC):
    """One model with one state variable x; leaves are final, all methods pure and differentiable.

        dx/dt = rate(x, v),  i = current(x, v)

    The state stays between two ends, whatever the rate there. Any parameter may differ from device
    to device: `traits` (...) holds what it is then, by name.
    """

    read_voltage: Annotated[float, Range(least=1e-6, most=100.0)] = 0.1
    """Voltage at which a conductance is read, taken not to move the state [V]."""
    drive: Annotated[float, Range(least=0.0, most=100.0)] = 1.0
    """Voltage across the device over that of the waveform: what a line leaves of it [1]."""
    start: Annotated[float, Range(least=0.0, most=1.0)] = 0.0
    """State to start from: 0 at the end of high resistance, 1 at that of low resistance [1]."""
    variations: tuple[Variation, ...] = ()
    """Spread of parameters between devices."""
    doi: str = ""
    """Where the numbers come from."""
    note: str = ""
    """What the source gives and what is chosen here."""

    def __post_init__(self) -> None:
        super().__post_init__()
        names = [variation.parameter for variation in self.variations]
        for name in names:
            if name not in self.parameters():
                raise unknown(f"parameter of {type(self).__name__}", name, self.parameters())
            if names.count(name) > 1:
                raise invalid("variations", name, "each parameter once")

    @classmethod
    def parameters(cls) -> tuple[str, ...]:
        """Names of all that may differ from device to device."""
        aside = ("read_voltage", "window", "form", "noise_interval", "variations", "doi", "note")
        return tuple(f.name for f in fields(cls) if f.name not in aside)

    def values(self, traits: Traits) -> Values:
        """Parameters by name, of each device.

        Raises:
            ValueError: a trait is no parameter of the model.
        """
        for name in traits:
            if name not in self.parameters():
                raise unknown(f"parameter of {type(self).__name__}", name, self.parameters())
        return Values(self, traits)

    def traits(self, noise: Noise) -> Traits:
        """Draw the parameters of new devices."""
        return {
            variation.parameter: getattr(self, variation.parameter)
            * variation.spread.factor(noise.normal())
            for variation in self.variations
        }

    def conductance(self, x: Float[Tensor, "*#n"], traits: Traits) -> Float[Tensor, "*#n"]:
        """i / v at the read voltage [S], at state x (...)."""
        return self.current(x, x.new_tensor(self.read_voltage), traits) / self.read_voltage

    @abstractmethod
    def ends(self, traits: Traits) -> tuple[Any, Any]:
        """States of highest and of lowest resistance, numbers or (...)."""

    @abstractmethod
    def rate(
        self, x: Float[Tensor, "*#n"], v: Float[Tensor, "*#n"], traits: Traits
    ) -> Float[Tensor, "*#n"]:
        """dx/dt at voltage v [V], in units of the state over seconds; 0 at 0 V."""

    @abstractmethod
    def current(
        self, x: Float[Tensor, "*#n"], v: Float[Tensor, "*#n"], traits: Traits
    ) -> Float[Tensor, "*#n"]:
        """Current at state x and voltage v [A]; 0 at 0 V."""

    @abstractmethod
    def slope(
        self, x: Float[Tensor, "*#n"], v: Float[Tensor, "*#n"], traits: Traits
    ) -> Float[Tensor, "*#n"]:
        """di/dv at state x and voltage v [S], above 0."""

    @abstractmethod
    def voltage(
        self, x: Float[Tensor, "*#n"], i: Float[Tensor, "*#n"], traits: Traits
    ) -> Float[Tensor, "*#n"]:
        """Voltage at which the current i flows at state x [V]: the inverse of `current`."""

    @abstractmethod
    def state_of(self, g: Float[Tensor, "*#n"], traits: Traits) -> Float[Tensor, "*#n"]:
        """State that reads as conductance g [S], between the ends."""

    @property
    def set_voltage(self) -> float:
        """Amplitude of a drive that switches the device both ways, with the sign of SET [V]."""
        return 1.2

    @property
    def most_voltage(self) -> float | None:
        """Largest voltage of either sign that the equations are meant for [V]; None: any."""
        return None

    def datasheet(self) -> list[Entry]:
        """What is known of the median device, in numbers, and the spread between devices."""
        ends = torch.tensor([float(x) for x in self.ends({})], dtype=torch.float64)
        low, high = self.conductance(ends, {}).tolist()
        window = (Quantity(low, "S"), Quantity(high, "S"), Quantity(high / low, "1"))
        spread = ", ".join(f"{v.parameter} {100 * v.spread.cov:g} %" for v in self.variations)
        return [
            Entry("window", "{} to {}, ratio {}", window),
            Entry("read at", "{}", (Quantity(self.read_voltage, "V"),)),
            *self.family_datasheet(),
            self.noise_of_cycles(),
            Entry("spread of devices", spread),
        ]

    def family_datasheet(self) -> list[Entry]:
        """What only this family has."""
        return []

    def noise_of_cycles(self) -> Entry:
        """What differs from cycle to cycle; without text, it is not given."""
        return Entry("noise of cycles")

    @property
    def interval(self) -> float | None:
        """Time for which one random number stands [s]; None: nothing is random."""
        return None

    def unrest(
        self, x: Float[Tensor, "*#n"], v: Float[Tensor, "*#n"], traits: Traits
    ) -> Float[Tensor, "*#n"]:
        """Standard deviation of the random part of the rate at voltage v [V]."""
        return torch.zeros_like(x)

    def ceiling(self, v: Float[Tensor, "*#n"], traits: Traits) -> Float[Tensor, "*#n"] | None:
        """Largest state that voltage v [V] drives to, where the rate drops to 0; None: the end.

        Named beside `rate`, so that a solver need not find the drop step by step.
        """
        return None

    def limits(self, traits: Traits, like: Tensor) -> tuple[Tensor, Tensor]:
        """Least and largest state, (...) or of no dimension, in the precision of `like`."""
        off, on = (like.new_tensor(x) if isinstance(x, float) else x for x in self.ends(traits))
        return torch.minimum(off, on), torch.maximum(off, on)
