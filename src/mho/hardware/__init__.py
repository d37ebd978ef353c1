"""What a chip does: arrays of cells, how weights sit on them, what befell them, what it cost."""

from mho.hardware.adc import ADC, FlashADC, IdealADC, RampADC, SarADC
from mho.hardware.cost import Cost, price
from mho.hardware.crossbar import Crossbar
from mho.hardware.dac import DAC, BinaryDAC, IdealDAC, StringDAC
from mho.hardware.hardware import Hardware
from mho.hardware.ledger import LayerLedger, Ledger, fault_map
from mho.hardware.mapping import MAPPINGS, Mapping, mapping
from mho.hardware.placement import Placement
from mho.hardware.prices import Prices
from mho.hardware.share import Share
from mho.hardware.tiling import Tiling
from mho.hardware.training_account import TrainingAccount, training_account

__all__ = [
    "ADC",
    "DAC",
    "MAPPINGS",
    "BinaryDAC",
    "Cost",
    "Crossbar",
    "FlashADC",
    "Hardware",
    "IdealADC",
    "IdealDAC",
    "LayerLedger",
    "Ledger",
    "Mapping",
    "Placement",
    "Prices",
    "RampADC",
    "SarADC",
    "Share",
    "StringDAC",
    "Tiling",
    "TrainingAccount",
    "fault_map",
    "mapping",
    "price",
    "training_account",
]
