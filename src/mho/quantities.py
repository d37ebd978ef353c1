"""Kinds of numbers that settings are, with the bounds that each kind has everywhere.

A field whose own physics asks for narrower bounds states them itself. Those here are wider than any
device or instrument, and narrow enough that no sum or product of a simulation leaves single
precision.
"""

from __future__ import annotations

from typing import Annotated

from mho.config import Range

CELL_SIEMENS = Range(least=1e-15, most=1e3)

Siemens = Annotated[float, Range(least=0.0, most=1e3)]
"""A conductance or a change of one; 0: an open cell [S]."""
CellSiemens = Annotated[float, CELL_SIEMENS]
"""A conductance of a cell that conducts [S]."""
CellOhms = Annotated[float, Range(least=1e-3, most=1e15)]
"""A resistance of a cell [ohm]."""
LineOhms = Annotated[float, Range(least=0.0, most=1e6)]
"""A resistance of wires, of drivers and of amplifiers; 0: none [ohm]."""
WiredOhms = Annotated[float, Range(least=1e-6, most=1e6)]
"""A resistance of wires that are there [ohm]."""
SignedVolts = Annotated[float, Range(least=-1e3, most=1e3)]
"""A voltage of either sign [V]."""
PositiveVolts = Annotated[float, Range(least=1e-6, most=1e3)]
"""A voltage above 0 [V]."""
Amperes = Annotated[float, Range(least=1e-18, most=1e3)]
"""A current above 0 [A]."""
Seconds = Annotated[float, Range(least=0.0, most=1e12)]
"""A time that passes, up to some ten thousand years [s]."""
PositiveSeconds = Annotated[float, Range(least=1e-15, most=1e12)]
"""A time above 0 [s]."""
Wait = Annotated[float, Range(least=0.0, most=86_400.0)]
"""A time that a program waits, a day at most [s]."""
Hertz = Annotated[float, Range(least=1e-12, most=1e15)]
"""A frequency [Hz]."""
Metres = Annotated[float, Range(least=1e-12, most=1e-3)]
"""A length inside a device [m]."""
Speed = Annotated[float, Range(least=1e-30, most=1e15)]
"""A speed at which a state moves, as models have it [m/s]."""
Kelvin = Annotated[float, Range(least=1.0, most=1e4)]
"""A temperature [K]."""
Joules = Annotated[float, Range(least=0.0, most=1e3)]
"""An energy of one event [J]."""
SquareMetres = Annotated[float, Range(least=0.0, most=1.0)]
"""An area of one circuit [m^2]."""
Count = Annotated[int, Range(least=1, most=1_000_000_000)]
"""So many, at least one [1]."""
Epochs = Annotated[int, Range(least=1, most=100_000)]
"""Passes over the training images [1]."""
Batch = Annotated[int, Range(least=1, most=55_000)]
"""Images in a training step [1]."""
LearningRate = Annotated[float, Range(least=1e-9, most=100.0)]
"""Of an optimizer [1]."""
Strength = Annotated[float, Range(least=0.0, most=1e9)]
"""How firmly a rule holds [1]; 0: not at all."""
Steps = Annotated[float, Range(least=0.5, most=1e4)]
"""A distance of a weight from its level, in steps between levels [1]."""
