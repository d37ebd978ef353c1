"""Layers and parametrizations, named as torch names its own."""

from mho.learning.layers.arithmetic import FixedPoint
from mho.learning.layers.chips import Chips
from mho.learning.layers.conv import MemristiveConv2d
from mho.learning.layers.layer import ArrayLayer
from mho.learning.layers.linear import MemristiveLinear
from mho.learning.layers.quantizer import Levels, Sign, StochasticSign
from mho.learning.layers.variation import Variation
from mho.learning.repair.batchnorm import ChipBatchNorm
from mho.learning.repair.chip_linear import ChipLinear
from mho.learning.tasks.task_states import Gate

__all__ = [
    "ArrayLayer",
    "ChipBatchNorm",
    "ChipLinear",
    "Chips",
    "FixedPoint",
    "Gate",
    "Levels",
    "MemristiveConv2d",
    "MemristiveLinear",
    "Sign",
    "StochasticSign",
    "Variation",
]
