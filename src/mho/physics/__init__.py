"""What one cell does: pure functions on tensors and frozen records in SI units."""

from mho.physics.as_measured import AsMeasured, as_obtained, spread_left
from mho.physics.cell import Cell, LandingCell, SourceWrite, Traits
from mho.physics.conduction import Conduction, Ohmic, Sinh, Transistor
from mho.physics.datasheet import Entry, Quantity
from mho.physics.disturb import Disturb
from mho.physics.fluctuation import Flicker, Telegraph
from mho.physics.imperfection import Imperfection
from mho.physics.multi_level import MultiLevel
from mho.physics.noise import GeneratorNoise, Noise
from mho.physics.of_conductance import OfConductance, PolynomialOfG, PowerOfG, TableOfG
from mho.physics.open_loop import OpenLoop
from mho.physics.preset import Preset
from mho.physics.programming import Present, Programmed, Programming
from mho.physics.pulse_response import PulseResponse
from mho.physics.pulse_table import PulseTable
from mho.physics.pulsed_cell import PulsedCell, pulsed
from mho.physics.retention import LogTime, PowerLaw, Retention
from mho.physics.spread import Spread
from mho.physics.two_state import Resistance, TwoState
from mho.physics.verify import Verify

__all__ = [
    "AsMeasured",
    "Cell",
    "Conduction",
    "Disturb",
    "Entry",
    "Flicker",
    "GeneratorNoise",
    "Imperfection",
    "LandingCell",
    "LogTime",
    "MultiLevel",
    "Noise",
    "OfConductance",
    "Ohmic",
    "OpenLoop",
    "PolynomialOfG",
    "PowerLaw",
    "PowerOfG",
    "Present",
    "Preset",
    "Programmed",
    "Programming",
    "PulseResponse",
    "PulseTable",
    "PulsedCell",
    "Quantity",
    "Resistance",
    "Retention",
    "Sinh",
    "SourceWrite",
    "Spread",
    "TableOfG",
    "Telegraph",
    "Traits",
    "Transistor",
    "TwoState",
    "Verify",
    "as_obtained",
    "pulsed",
    "spread_left",
]
