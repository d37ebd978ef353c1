"""What one cell does: pure functions on tensors and frozen records in SI units."""

from mho.physics.cell import Cell, Traits
from mho.physics.multi_level import MultiLevel
from mho.physics.noise import GeneratorNoise, Noise
from mho.physics.programming import OpenLoop, Programmed, Programming, Verify
from mho.physics.spread import Spread
from mho.physics.two_state import Resistance, TwoState

Device = TwoState | MultiLevel
"""Any cell family."""

__all__ = [
    "Cell",
    "Device",
    "GeneratorNoise",
    "MultiLevel",
    "Noise",
    "OpenLoop",
    "Programmed",
    "Programming",
    "Resistance",
    "Spread",
    "Traits",
    "TwoState",
    "Verify",
]
