"""What a chip does: arrays of cells, how weights sit on them, what befell them, what it cost."""

from mho.errors import NotConverged
from mho.hardware.crossbar import Crossbar
from mho.hardware.hardware import Hardware
from mho.hardware.ledger import LayerLedger, Ledger, ledger
from mho.hardware.mapping import MAPPINGS, Mapping, mapping
from mho.hardware.netlist import netlist
from mho.hardware.ngspice import SpiceError, simulate
from mho.hardware.operating_point import OperatingPoint, operating_point
from mho.hardware.placement import Placement
from mho.hardware.prices import Cost, Prices, price
from mho.hardware.redundancy import Copies
from mho.hardware.slicing import Sliced
from mho.hardware.tiling import Tiling
from mho.hardware.wires import effective_conductance
from mho.hardware.wiring import Wires

__all__ = [
    "MAPPINGS",
    "Copies",
    "Cost",
    "Crossbar",
    "Hardware",
    "LayerLedger",
    "Ledger",
    "Mapping",
    "NotConverged",
    "OperatingPoint",
    "Placement",
    "Prices",
    "Sliced",
    "SpiceError",
    "Tiling",
    "Wires",
    "effective_conductance",
    "ledger",
    "mapping",
    "netlist",
    "operating_point",
    "price",
    "simulate",
]
