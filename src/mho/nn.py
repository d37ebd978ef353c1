"""Layers and parametrizations, named as torch names its own."""

from mho.learning.batchnorm import ChipBatchNorm
from mho.learning.convert import Chips
from mho.learning.layers import MemristiveConv2d, MemristiveLinear
from mho.learning.quantizer import Levels, Variation

__all__ = ["ChipBatchNorm", "Chips", "Levels", "MemristiveConv2d", "MemristiveLinear", "Variation"]
