"""Arrays as circuits: what wires make of them, where they settle, and their SPICE decks."""

from mho.circuits.gated import gated_conductance, gated_current
from mho.circuits.netlist import netlist
from mho.circuits.ngspice import SpiceError, simulate
from mho.circuits.operating_point import OperatingPoint, operating_point
from mho.circuits.wires import effective_conductance
from mho.circuits.wiring import Wires
from mho.errors import NotConverged
from mho.physics.conduction import Conduction, Ohmic, Sinh, Transistor

__all__ = [
    "Conduction",
    "NotConverged",
    "Ohmic",
    "OperatingPoint",
    "Sinh",
    "SpiceError",
    "Transistor",
    "Wires",
    "effective_conductance",
    "gated_conductance",
    "gated_current",
    "netlist",
    "operating_point",
    "simulate",
]
