"""What is asked in the lab: a network, on chips of a device."""

from __future__ import annotations

from typing import Annotated, Literal

from mho.config import Config, Range
from mho.hardware import Hardware, price_lists
from mho.physics import Preset
from mho.quantities import LineOhms
from mho.trial import TIMES

BINARY = {"float weights": False, "binary weights": True}
"""Networks that come along, and whether their weights are binary."""


class Question(Config):
    """One device, one network, one kind of chip.

    Raises:
        ValueError: the device has no cell, or cannot hold so many levels.
    """

    name: str
    """Of the device."""
    device: Preset
    """The device; its law of conduction takes no part."""
    network: Literal["float weights", "binary weights"] = "float weights"
    """Weights of the network that is written to the chips."""
    tile: Annotated[int, Range(least=16, most=1024)] = 128
    """Rows and columns of an array [1]."""
    dac_bits: Annotated[int, Range(least=2, most=16)] = 8
    """Resolution of the inputs, sign included [1]."""
    adc_bits: Annotated[int, Range(least=2, most=16)] = 8
    """Resolution of the outputs, sign included [1]."""
    wire_resistance: LineOhms = 0.0
    """Of every segment of word lines and bit lines [ohm]."""
    weight_levels: Annotated[int, Range(least=2, most=1 << 24)] | None = None
    """Values that a weight can take [1]; None: as many as a pair of cells offers."""
    chips: Annotated[int, Range(least=2, most=8)] = 3
    """Chips, each drawn anew [1]."""
    prices: str = "hfo2-130nm"
    """Price list, see mho list prices."""
    age: Literal["fresh", "a day", "a month"] = "fresh"
    """How long ago the chips were written."""

    def __post_init__(self) -> None:
        super().__post_init__()
        price_lists.get(self.prices)
        _ = self.hardware  # which refuses what does not go together

    @property
    def hardware(self) -> Hardware:
        """The chips."""
        return Hardware(
            device=self.device.replace(conduction=None), tile=self.tile,
            dac_bits=self.dac_bits, adc_bits=self.adc_bits,
            wire_resistance=self.wire_resistance, weight_levels=self.weight_levels,
        )  # fmt: skip

    @property
    def seconds(self) -> float:
        """The age [s]."""
        return TIMES[self.age]


def levels_offered(device: Preset) -> list[int]:
    """Numbers of levels that a weight on a pair of cells of a device can have, in order."""
    most = Hardware(device=device.replace(conduction=None)).levels
    return [n for n in range(2, most + 1) if (most - 1) % (n - 1) == 0]


def network_of(device: Preset) -> Literal["float weights", "binary weights"]:
    """The network that suits a device: binary weights where its cells have two levels."""
    return "binary weights" if device.cell.states == 2 else "float weights"
